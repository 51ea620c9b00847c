#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "convoy/train/finite.h"
#include "convoy/train/param_store.h"

namespace convoy::train {
namespace {

using tensor::ParamRole;
using tensor::SegmentKind;

tensor::ParamLayout two_layers() {
  tensor::ParamLayout layout;
  layout.append_replicated("a", {3, 2}, SegmentKind::parameter, ParamRole::weight);
  layout.append_replicated("m", {2}, SegmentKind::state, ParamRole::running_mean);
  layout.append_replicated("v", {2}, SegmentKind::state, ParamRole::running_var);
  layout.append_replicated("b", {5}, SegmentKind::parameter, ParamRole::bias);
  return layout;
}

TEST(LocalStore, BeginsAtZeroWithItsSlotsInitialised) {
  const tensor::ParamLayout layout = two_layers();
  const auto store = make_local_store({.layout = layout, .slot_count = 2, .initial_slot_value = 0.5F});
  EXPECT_EQ(store->layout(), layout);
  EXPECT_EQ(store->version(), 1U);
  EXPECT_EQ(store->slot_count(), 2);
  std::int64_t initialised = 0;
  for (const float value : store->slot(1)) {
    EXPECT_TRUE(value == 0.5F || value == 0);
    initialised += value == 0.5F;
  }
  EXPECT_EQ(initialised, layout.parameter_count);  // padding is zero
  for (const float value : store->parameters()) EXPECT_EQ(value, 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(store->parameters().data()) % 64, 0U);
  const ParamStore::Memory memory = store->memory_bytes();
  EXPECT_EQ(memory.parameters, layout.parameter_extent * 4);
  EXPECT_EQ(memory.gradients, layout.parameter_extent * 4);
  EXPECT_EQ(memory.slots, 2 * layout.parameter_extent * 4);
  EXPECT_EQ(memory.state, 2 * layout.state_extent * 4);
}

TEST(LocalStore, SourceAndSinksAreTheArenas) {
  const auto store = make_local_store({.layout = two_layers()});
  store->gradient_sink().buffer(3).as<float>()[4] = 7;
  EXPECT_EQ(store->gradients()[static_cast<std::size_t>(store->layout().segments[3].offset + 4)], 7);
  store->parameters()[1] = 9;
  const optim::Acquired a = store->source().acquire(0, optim::Phase::forward);
  EXPECT_EQ(a.view.as<float>()[1], 9);
  EXPECT_EQ(a.view.shape(), tensor::Shape({3, 2}));
  EXPECT_EQ(a.version, 1U);
}

TEST(LocalStore, StateWaitsForCommitAndUnwrittenStateStays) {
  const auto store = make_local_store({.layout = two_layers()});
  const auto v_offset = static_cast<std::size_t>(store->layout().segments[2].offset);
  store->state()[v_offset] = 3;
  store->state_sink().buffer(1).as<float>()[0] = 5;
  EXPECT_EQ(store->source().acquire(1, optim::Phase::forward).view.as<float>()[0], 0);
  store->commit();
  EXPECT_EQ(store->state()[0], 5);
  EXPECT_EQ(store->state()[v_offset], 3);
  EXPECT_EQ(store->source().acquire(1, optim::Phase::forward).version, 2U);
  store->state()[0] = 6;  // as a checkpoint does
  store->commit();
  EXPECT_EQ(store->state()[0], 6);
}

TEST(LocalStore, NonFiniteValuesAreFoundAndNamed) {
  const auto store = make_local_store({.layout = two_layers(), .slot_count = 1});
  EXPECT_EQ(describe_non_finite(*store), "");
  const auto b_offset = static_cast<std::size_t>(store->layout().segments[3].offset);
  store->slot(0)[b_offset + 2] = -INFINITY;
  EXPECT_EQ(describe_non_finite(*store), "b[2] of optimiser slot 0 is -inf");
  store->state()[1] = NAN;
  EXPECT_EQ(describe_non_finite(*store), "m[1] is nan");
  store->parameters()[5] = INFINITY;
  EXPECT_EQ(describe_non_finite(*store), "a[5] is inf");
}

}  // namespace
}  // namespace convoy::train
