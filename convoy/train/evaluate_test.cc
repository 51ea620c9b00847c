#include "convoy/train/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "convoy/train/param_store.h"

namespace convoy::train {
namespace {

constexpr std::int64_t kClasses = 3;

// 7 samples in batches of 3, 3 and 1. An input is what the objective says for each class.
class SevenSamples final : public data::BatchSource {
 public:
  tensor::Batch batch(std::int64_t step) override {
    const std::int64_t begin = 3 * step, size = std::min<std::int64_t>(3, 7 - begin);
    return {
        .inputs = {inputs_.data() + begin * kClasses, tensor::DType::f32, {size, kClasses}},
        .labels = std::span(labels_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size)),
        .size = size,
        .global_size = size};
  }
  std::int64_t steps_per_epoch() const override { return 3; }
  const data::DatasetInfo& info() const override { return info_; }
  double wait_seconds() const override { return 0; }
  std::vector<std::int32_t> labels_{0, 1, 2, 0, 1, 2, 0};

 private:
  data::DatasetInfo info_;
  std::vector<float> inputs_{9,  1,  0,   // 0: right
                             0,  0,  1,   // 1: says 2
                             0,  2,  1,   // 2: says 1
                             5,  5,  1,   // 0: the first of two equals, right
                             -3, -1, -2,  // 1: right
                             0,  0,  1,   // 2: right
                             0,  1,  0};  // 0: says 1
};

// Outputs are inputs times a parameter; the loss of a sample is its label's output.
class Scaled final : public optim::Objective {
 public:
  Scaled() {
    layout_.append_replicated("scale", {1}, tensor::SegmentKind::parameter, tensor::ParamRole::scale);
  }
  const tensor::ParamLayout& layout() const override { return layout_; }
  std::int64_t output_count() const override { return kClasses; }
  optim::Evaluation evaluate(optim::ParamSource& params, const tensor::Batch& batch, const base::StepKey&,
                             const optim::Sinks& sinks, optim::Mode mode) override {
    EXPECT_EQ(mode, optim::Mode::loss);
    EXPECT_TRUE(sinks.gradients == nullptr && sinks.state == nullptr);
    const float scale = params.acquire(0, optim::Phase::forward).view.as<float>()[0];
    const auto x = batch.inputs.as<float>();
    optim::Evaluation result{.loss = 0, .correct = 0, .samples = batch.size};
    for (std::size_t n = 0; n < batch.labels.size(); ++n) {
      const auto row = x.subspan(n * kClasses, kClasses);
      const auto label = static_cast<std::size_t>(batch.labels[n]);
      result.loss += scale * row[label] / static_cast<double>(batch.global_size);
      result.correct += std::max_element(row.begin(), row.end()) - row.begin() == batch.labels[n];
      for (std::size_t k = 0; k < kClasses && !sinks.outputs.empty(); ++k)
        sinks.outputs[n * kClasses + k] = scale * row[k];
    }
    return result;
  }

 private:
  tensor::ParamLayout layout_;
};

struct Evaluate : testing::Test {
  Evaluate() : store(make_local_store({.layout = objective.layout()})) { store->parameters()[0] = 2; }
  Scaled objective;
  SevenSamples batches;
  std::unique_ptr<ParamStore> store;
};

TEST_F(Evaluate, CountsEverySampleOnceAndWeighsASmallLastBatch) {
  const EvalResult result = evaluate(objective, store->source(), batches);
  EXPECT_EQ(result.samples, 7);
  EXPECT_EQ(result.correct, 4);
  EXPECT_DOUBLE_EQ(result.accuracy(), 4.0 / 7);
  EXPECT_DOUBLE_EQ(result.loss, 2.0 * (9 + 0 + 1 + 5 - 1 + 1 + 0) / 7);
  EXPECT_EQ(result.classes, 0);
  EXPECT_EQ(store->version(), 1U);
  EXPECT_EQ(EvalResult{}.accuracy(), 0);
}

TEST_F(Evaluate, ConfusionsHaveLabelsAsRows) {
  const EvalResult result = evaluate(objective, store->source(), batches, kClasses);
  EXPECT_EQ(result.confusion, (std::vector<std::int64_t>{2, 1, 0, 0, 1, 1, 0, 1, 1}));
  EXPECT_EQ(result.confusion_at(1, 2), 1);
  std::int64_t diagonal = 0;
  for (std::int64_t k = 0; k < kClasses; ++k) diagonal += result.confusion_at(k, k);
  EXPECT_EQ(diagonal, result.correct);
}

TEST_F(Evaluate, ALossThatIsNotFiniteIsReported) {
  store->parameters()[0] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(evaluate(objective, store->source(), batches).loss));
}

TEST_F(Evaluate, ClassesThatDoNotFitAreABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(evaluate(objective, store->source(), batches, 4), "4 classes, 3 outputs");
  batches.labels_[5] = 3;
  EXPECT_DEATH(evaluate(objective, store->source(), batches, kClasses), "label 3 of 3");
}

}  // namespace
}  // namespace convoy::train
