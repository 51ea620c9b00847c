#include "convoy/optim/arena_sinks.h"

#include <gtest/gtest.h>

namespace convoy::optim {
namespace {

using tensor::ParamRole;
using tensor::SegmentKind;
using tensor::Tensor;

struct ArenaSinks : testing::Test {
  ArenaSinks() {
    layout.append_replicated("a", {3, 5}, SegmentKind::parameter, ParamRole::weight);
    layout.append_replicated("m", {4}, SegmentKind::state, ParamRole::running_mean);
    layout.append_replicated("b", {7}, SegmentKind::parameter, ParamRole::bias);
    parameters = Tensor(layout.type, {layout.parameter_extent});
    state = Tensor(layout.type, {layout.state_extent});
    for (std::size_t i = 0; i < parameters.as<float>().size(); ++i)
      parameters.as<float>()[i] = static_cast<float>(i);
    for (std::size_t i = 0; i < state.as<float>().size(); ++i) state.as<float>()[i] = -static_cast<float>(i);
  }
  tensor::ParamLayout layout;
  Tensor parameters, state;
};

TEST_F(ArenaSinks, SegmentsAreWhereTheLayoutSays) {
  const std::uint64_t version = 7;
  const auto source = make_arena_source({layout, parameters.view(), state.view(), &version});
  const Acquired b = source->acquire(2, Phase::backward);
  EXPECT_EQ(b.view.shape(), tensor::Shape({7}));
  EXPECT_EQ(b.view.as<float>()[1], static_cast<float>(layout.segments[2].offset + 1));
  EXPECT_EQ(b.version, 7U);
  EXPECT_EQ(source->acquire(0, Phase::forward).view.shape(), tensor::Shape({3, 5}));
  EXPECT_EQ(source->acquire(1, Phase::forward).view.as<float>()[3], -3);
  EXPECT_EQ(make_arena_source({layout, parameters.view(), state.view()})->acquire(0, Phase::forward).version,
            0U);
}

TEST_F(ArenaSinks, SinksWriteInPlace) {
  const auto gradients = make_arena_gradient_sink(layout, parameters.view());
  gradients->buffer(2).as<float>()[0] = 99;
  gradients->ready(2, {0, 7}, true);
  EXPECT_EQ(parameters.as<float>()[static_cast<std::size_t>(layout.segments[2].offset)], 99);
  make_arena_state_sink(layout, state.view())->buffer(1).as<float>()[2] = 5;
  EXPECT_EQ(state.as<float>()[2], 5);
}

TEST_F(ArenaSinks, MixedUpKindsAreABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto gradients = make_arena_gradient_sink(layout, parameters.view());
  EXPECT_DEATH(gradients->buffer(1), "a gradient of state");
  EXPECT_DEATH(make_arena_state_sink(layout, state.view())->buffer(0), "a parameter is no state");
  EXPECT_DEATH(make_arena_source({layout, parameters.view(), state.view()})->acquire(3, Phase::forward),
               "segment 3");
}

}  // namespace
}  // namespace convoy::optim
