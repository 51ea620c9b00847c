#include "convoy/train/evaluate.h"

#include <algorithm>

#include "convoy/base/check.h"

namespace convoy::train {
namespace {

void count_confusions(const tensor::Batch& batch, std::span<const float> outputs, EvalResult& result) {
  CONVOY_CHECK(static_cast<std::int64_t>(batch.labels.size()) == batch.size, batch.labels.size(),
               " labels for ", batch.size, " samples");
  const auto classes = static_cast<std::size_t>(result.classes);
  for (std::size_t n = 0; n < batch.labels.size(); ++n) {
    const std::int32_t label = batch.labels[n];
    CONVOY_CHECK(label >= 0 && label < result.classes, "label ", label, " of ", result.classes);
    const auto row = outputs.subspan(n * classes, classes);
    const auto predicted = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    ++result.confusion[static_cast<std::size_t>(label) * classes + predicted];
  }
}

}  // namespace

double EvalResult::accuracy() const {
  return samples == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(samples);
}

std::int64_t EvalResult::confusion_at(std::int64_t label, std::int64_t predicted) const {
  CONVOY_CHECK(label >= 0 && label < classes && predicted >= 0 && predicted < classes, label, ", ", predicted,
               " of ", classes, " classes");
  return confusion[static_cast<std::size_t>(label * classes + predicted)];
}

EvalResult evaluate(optim::Objective& objective, optim::ParamSource& params, data::BatchSource& batches,
                    std::int64_t classes) {
  CONVOY_CHECK(classes == 0 || classes == objective.output_count(), classes, " classes, ",
               objective.output_count(), " outputs");
  EvalResult result{.samples = 0,
                    .correct = 0,
                    .loss = 0,
                    .classes = classes,
                    .confusion = std::vector<std::int64_t>(static_cast<std::size_t>(classes * classes), 0)};
  std::vector<float> outputs;
  double loss_sum = 0;
  std::int64_t global_samples = 0;
  for (std::int64_t step = 0; step < batches.steps_per_epoch(); ++step) {
    const tensor::Batch batch = batches.batch(step);
    outputs.resize(static_cast<std::size_t>(batch.size * classes));
    const optim::Evaluation found =
        objective.evaluate(params, batch, {.seed = 0, .step = step, .first_sample = 0},
                           {.gradients = nullptr, .state = nullptr, .outputs = outputs}, optim::Mode::loss);
    result.samples += found.samples;
    result.correct += found.correct;
    loss_sum += found.loss * static_cast<double>(batch.global_size);
    global_samples += batch.global_size;
    if (classes > 0) count_confusions(batch, outputs, result);
  }
  if (global_samples > 0) result.loss = loss_sum / static_cast<double>(global_samples);
  return result;
}

}  // namespace convoy::train
