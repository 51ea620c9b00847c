#include "convoy/optim/apply.h"

#include <gtest/gtest.h>

#include <vector>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"

namespace convoy::optim {
namespace {

using tensor::ParamRole;
using tensor::SegmentKind;

tensor::ParamLayout layout_of_a_small_net() {
  tensor::ParamLayout layout;
  layout.append_replicated("a.weight", {301, 77}, SegmentKind::parameter, ParamRole::weight);
  layout.append_replicated("a.bias", {77}, SegmentKind::parameter, ParamRole::bias);
  layout.append_replicated("n.running_mean", {5}, SegmentKind::state, ParamRole::running_mean);
  layout.append_replicated("n.scale", {5}, SegmentKind::parameter, ParamRole::scale);
  layout.append_replicated("b.weight", {41000}, SegmentKind::parameter, ParamRole::weight);
  return layout;
}

struct Arenas {
  std::vector<float> weights, gradients, slot;
};

Arenas random_arenas(const tensor::ParamLayout& layout) {
  const auto extent = static_cast<std::size_t>(layout.parameter_extent);
  Arenas arenas{std::vector<float>(extent), std::vector<float>(extent), std::vector<float>(extent)};
  base::RandomStream random(1, base::Purpose::test, 0, 0);
  for (float& w : arenas.weights) w = static_cast<float>(random.normal());
  for (float& g : arenas.gradients) g = static_cast<float>(random.normal());
  return arenas;
}

void run(const UpdateRule& rule, const tensor::ParamLayout& layout, Arenas& arenas) {
  apply(rule, {.layout = layout,
               .weights = arenas.weights,
               .gradients = arenas.gradients,
               .slots = {arenas.slot},
               .learning_rate = 0.1,
               .weight_decay = 0.5,
               .step = 0});
}

TEST(Apply, EveryThreadCountGivesTheSameBitsAndPaddingStays) {
  const tensor::ParamLayout layout = layout_of_a_small_net();
  const auto rule = make_update_rule("momentum", {}).value();
  const Arenas start = random_arenas(layout);
  const int before = base::thread_count();
  base::set_thread_count(1);
  Arenas serial = start;
  run(*rule, layout, serial);
  for (const int threads : {2, 3, 5}) {
    base::set_thread_count(threads);
    Arenas parallel = start;
    run(*rule, layout, parallel);
    EXPECT_EQ(parallel.weights, serial.weights) << threads;
    EXPECT_EQ(parallel.slot, serial.slot) << threads;
  }
  base::set_thread_count(before);

  std::vector<bool> owned(start.weights.size(), false);
  for (const tensor::Segment& s : layout.segments)
    for (std::int64_t i = 0; i < s.count && s.kind == SegmentKind::parameter; ++i)
      owned[static_cast<std::size_t>(s.offset + i)] = true;
  for (std::size_t i = 0; i < owned.size(); ++i)
    EXPECT_EQ(serial.weights[i] != start.weights[i], bool{owned[i]}) << i;
}

TEST(Apply, OnlyWeightsDecay) {
  const tensor::ParamLayout layout = layout_of_a_small_net();
  const auto rule = make_update_rule("sgd", {}).value();
  Arenas arenas = random_arenas(layout);
  arenas.gradients.assign(arenas.gradients.size(), 0);
  const Arenas start = arenas;
  run(*rule, layout, arenas);
  for (const tensor::Segment& s : layout.segments) {
    if (s.kind != SegmentKind::parameter) continue;
    const auto first = static_cast<std::size_t>(s.offset);
    const float kept = arenas.weights[first] / start.weights[first];
    EXPECT_NEAR(kept, s.role == ParamRole::weight ? 0.95 : 1.0, 1e-6) << s.name;
  }
}

TEST(ApplyDeathTest, ArenasOfAnotherSizeAreABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const tensor::ParamLayout layout = layout_of_a_small_net();
  const auto rule = make_update_rule("sgd", {}).value();
  Arenas arenas = random_arenas(layout);
  arenas.gradients.pop_back();
  EXPECT_DEATH(run(*rule, layout, arenas), "gradients for");
}

}  // namespace
}  // namespace convoy::optim
