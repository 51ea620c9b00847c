#include "convoy/optim/step_updater.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "convoy/base/rng.h"
#include "convoy/optim/arena_sinks.h"

namespace convoy::optim {
namespace {

using tensor::ParamRole;
using tensor::SegmentKind;
using tensor::Tensor;

struct Arenas {
  explicit Arenas(const tensor::ParamLayout& l)
      : layout(l),
        weights(tensor::DType::f32, {l.parameter_extent}),
        gradients(tensor::DType::f32, {l.parameter_extent}),
        slot(tensor::DType::f32, {l.parameter_extent}) {
    base::RandomStream random(1, base::Purpose::test, 0, 0);
    for (Tensor* t : {&weights, &gradients, &slot})
      for (float& value : t->as<float>()) value = static_cast<float>(random.normal());
  }
  ArenaUpdate update() {
    return {.layout = layout,
            .weights = weights.as<float>(),
            .gradients = gradients.as<float>(),
            .slots = {slot.as<float>()},
            .learning_rate = 0.1,
            .weight_decay = 0.5,
            .step = 3};
  }
  const tensor::ParamLayout& layout;
  Tensor weights, gradients, slot;
};

std::vector<float> copy(Tensor& t) { return {t.as<float>().begin(), t.as<float>().end()}; }

struct StepUpdaterTest : testing::Test {
  StepUpdaterTest() {
    layout.append_replicated("a.weight", {30, 77}, SegmentKind::parameter, ParamRole::weight);
    layout.append_replicated("a.bias", {77}, SegmentKind::parameter, ParamRole::bias);
    layout.append_replicated("b.weight", {1000}, SegmentKind::parameter, ParamRole::weight);
  }

  // Segment 0 and 1 in pieces of an awkward size, segment 2 as an array.
  void evaluate(Arenas& arenas, StepUpdater& updater, double loss) const {
    const std::vector<float> formed = copy(arenas.gradients);
    arenas.gradients.fill_zero();
    GradientSink& sink = updater.sink();
    sink.loss(loss);
    for (const int s : {0, 1}) {
      ASSERT_TRUE(sink.takes_pieces(s));
      const tensor::Segment& segment = layout.segments[static_cast<std::size_t>(s)];
      for (std::int64_t at = 0; at < segment.count; at += 100) {
        const std::int64_t end = std::min(at + 100, segment.count);
        EXPECT_EQ(sink.expect(s, at)[0], arenas.weights.as<float>().data() + segment.offset + at);
        sink.take(s, {at, end},
                  std::span(formed).subspan(static_cast<std::size_t>(segment.offset + at),
                                            static_cast<std::size_t>(end - at)));
      }
      sink.ready(s, {0, segment.count}, true);
    }
    const tensor::Segment& last = layout.segments[2];
    std::copy_n(formed.begin() + last.offset, last.count, static_cast<float*>(sink.buffer(2).data()));
    sink.ready(2, {0, last.count}, true);
  }

  std::unique_ptr<StepUpdater> make(Arenas& arenas) {
    arrays = make_arena_gradient_sink(layout, arenas.gradients.view());
    return make_step_updater(*rule, arenas.update(), *arrays);
  }

  tensor::ParamLayout layout;
  std::unique_ptr<UpdateRule> rule = make_update_rule("momentum", {}).value();
  std::unique_ptr<GradientSink> arrays;
};

TEST_F(StepUpdaterTest, PiecesAndArraysGiveTheBitsOfOnePass) {
  Arenas whole(layout), parts(layout);
  apply(*rule, whole.update());
  const auto updater = make(parts);
  updater->begin(0.1, 3);
  evaluate(parts, *updater, 1.0);
  updater->finish();
  EXPECT_EQ(copy(parts.weights), copy(whole.weights));
  EXPECT_EQ(copy(parts.slot), copy(whole.slot));
}

TEST_F(StepUpdaterTest, ALossThatIsNotFiniteChangesNothing) {
  for (const double loss :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    Arenas arenas(layout);
    const std::vector<float> weights = copy(arenas.weights), slot = copy(arenas.slot);
    const auto updater = make(arenas);
    updater->begin(0.1, 3);
    evaluate(arenas, *updater, loss);
    EXPECT_EQ(copy(arenas.weights), weights);
    EXPECT_EQ(copy(arenas.slot), slot);
    EXPECT_DEATH(updater->finish(), "not finite");
  }
}

TEST_F(StepUpdaterTest, EachStepBeginsAnew) {
  Arenas whole(layout), parts(layout);
  const auto updater = make(parts);
  updater->begin(0.1, 3);
  evaluate(parts, *updater, std::numeric_limits<double>::infinity());
  Arenas fresh(layout);
  std::copy_n(fresh.gradients.as<float>().begin(), fresh.gradients.as<float>().size(),
              parts.gradients.as<float>().begin());
  updater->begin(0.1, 3);
  evaluate(parts, *updater, 1.0);
  updater->finish();
  apply(*rule, whole.update());
  EXPECT_EQ(copy(parts.weights), copy(whole.weights));
}

}  // namespace
}  // namespace convoy::optim
