// Every entry of the catalog of update rules: a new one is tested because it is there.
#include "convoy/optim/update_rule.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "convoy/base/rng.h"
#include "convoy/optim/reference.h"

namespace convoy::optim {
namespace {

// Weights, gradients and slots of one rule, with guards that nothing may touch.
struct Arena {
  std::vector<float> weights, gradients;
  std::array<std::vector<float>, kMaxSlots> slots;

  Arena(std::size_t count, const UpdateRule& rule, std::uint64_t seed) : weights(count), gradients(count) {
    base::RandomStream random(seed, base::Purpose::test, 1, 0);
    for (float& w : weights) w = static_cast<float>(random.normal());
    for (int s = 0; s < rule.slot_count(); ++s)
      slots[static_cast<std::size_t>(s)].assign(count, rule.initial_slot_value());
    draw_gradients(seed, 0);
  }
  // Gradients of many magnitudes, zero among them.
  void draw_gradients(std::uint64_t seed, std::int64_t step) {
    base::RandomStream random(seed, base::Purpose::test, 2, static_cast<std::uint64_t>(step));
    for (float& g : gradients) {
      const double size = std::pow(10.0, random.uniform(-6, 2));
      g = random.below(16) == 0 ? 0.0F : static_cast<float>(size * random.normal());
    }
  }
  UpdateRange range(std::size_t begin, std::size_t end) {
    UpdateRange part{.weights = std::span(weights).subspan(begin, end - begin),
                     .gradients = std::span<const float>(gradients).subspan(begin, end - begin),
                     .slots = {},
                     .learning_rate = 0.01,
                     .weight_decay = 0,
                     .step = 0};
    for (std::size_t s = 0; s < kMaxSlots; ++s)
      if (!slots[s].empty()) part.slots[s] = std::span(slots[s]).subspan(begin, end - begin);
    return part;
  }
  bool same_bits(const Arena& other) const {
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
      return a.size() == b.size() &&
             (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0);
    };
    return same(weights, other.weights) && same(slots[0], other.slots[0]) && same(slots[1], other.slots[1]);
  }
};

using Update = std::function<void(const UpdateRange&)>;

std::string describe(const char* what, std::size_t i, std::int64_t step, const Bounded& expected,
                     float found) {
  return std::string(what) + " of element " + std::to_string(i) + " after step " + std::to_string(step) +
         ": " + std::to_string(found) + " instead of " + std::to_string(expected.value) + " ± " +
         std::to_string(expected.error);
}

bool fits(const Bounded& expected, float found) {
  return std::abs(static_cast<double>(found) - expected.value) <= expected.error;
}

// What `update` does in `steps` steps against the float64 reference, each step from the float32 values that
// the one before it left. Empty: all within the bound.
std::string compare_with_reference(const UpdateRuleKind& kind, const UpdateConfig& config,
                                   const Update& update, double weight_decay) {
  constexpr std::size_t kCount = 203;
  const auto rule = kind.make(config).value();
  Arena arena(kCount, *rule, 11);
  for (std::int64_t step = 0; step < 40; ++step) {
    arena.draw_gradients(12, step);
    const Arena before = arena;
    UpdateRange range = arena.range(0, kCount);
    range.learning_rate = 0.01 / (1 + 0.1 * static_cast<double>(step));
    range.weight_decay = weight_decay;
    range.step = step;
    update(range);
    for (std::size_t i = 0; i < kCount; ++i) {
      ReferenceElement e{.weight = {before.weights[i], 0},
                         .gradient = {before.gradients[i], 0},
                         .slots = {},
                         .learning_rate = range.learning_rate,
                         .weight_decay = weight_decay,
                         .step = step};
      const auto slot_count = static_cast<std::size_t>(rule->slot_count());
      for (std::size_t s = 0; s < slot_count; ++s) e.slots[s] = {before.slots[s][i], 0};
      kind.reference(config, e);
      if (!fits(e.weight, arena.weights[i])) return describe("weight", i, step, e.weight, arena.weights[i]);
      for (std::size_t s = 0; s < slot_count; ++s)
        if (!fits(e.slots[s], arena.slots[s][i]))
          return describe("slot", i, step, e.slots[s], arena.slots[s][i]);
    }
  }
  return {};
}

// Runs `body` once for each instruction set that this machine has and the rules are compiled for.
void for_each_target(const std::function<void()>& body) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

class EveryRule : public testing::TestWithParam<UpdateRuleKind> {};
INSTANTIATE_TEST_SUITE_P(Catalog, EveryRule,
                         testing::ValuesIn(update_rule_catalog().begin(), update_rule_catalog().end()),
                         [](const auto& entry) { return std::string(entry.param.name); });

TEST_P(EveryRule, IsNamedDescribedAndFound) {
  const auto rule = make_update_rule(GetParam().name, {});
  ASSERT_TRUE(rule.ok());
  EXPECT_EQ((*rule)->name(), GetParam().name);
  EXPECT_FALSE(GetParam().description.empty());
  EXPECT_LE((*rule)->slot_count(), kMaxSlots);
  for (int s = 0; s < (*rule)->slot_count(); ++s) EXPECT_FALSE((*rule)->slot_name(s).empty());
}

TEST_P(EveryRule, StaysWithinTheDerivedBoundOfTheReference) {
  UpdateConfig config;
  config.initial_accumulator = 0.1;
  const auto rule = GetParam().make(config).value();
  for_each_target([&] {
    for (const double decay : {0.0, 0.05})
      EXPECT_EQ(compare_with_reference(
                    GetParam(), config, [&](const UpdateRange& range) { rule->update(range); }, decay),
                "");
  });
}

// The comparison sees a learning rate that is off by 2^-20, a forgotten decay, a step count that is off by
// one and one weight that is not updated.
TEST_P(EveryRule, SabotageIsSeen) {
  const auto rule = GetParam().make({}).value();
  const auto compare = [&](const std::function<void(UpdateRange&)>& spoil) {
    return compare_with_reference(
        GetParam(), {},
        [&](UpdateRange range) {
          spoil(range);
          rule->update(range);
        },
        0.05);
  };
  EXPECT_EQ(compare([](UpdateRange&) {}), "");
  EXPECT_NE(compare([](UpdateRange& r) { r.learning_rate *= 1 + 0x1p-20; }), "");
  EXPECT_NE(compare([](UpdateRange& r) { r.weight_decay = 0; }), "");
  EXPECT_NE(compare([](UpdateRange& r) {
              r.weights = r.weights.first(r.weights.size() - 1);
              r.gradients = r.gradients.first(r.weights.size());
            }),
            "");
  const bool counts = GetParam().name == "adam";
  EXPECT_EQ(compare([](UpdateRange& r) { r.step += 1; }) != "", counts);
}

TEST_P(EveryRule, AnySplitGivesTheSameBits) {
  const auto rule = GetParam().make({}).value();
  for_each_target([&] {
    constexpr std::size_t kCount = 131;
    Arena whole(kCount, *rule, 3);
    const Arena start = whole;
    rule->update(whole.range(0, kCount));
    for (std::size_t cut = 0; cut <= kCount; ++cut) {
      Arena parts = start;
      rule->update(parts.range(cut, kCount));
      rule->update(parts.range(0, cut));
      ASSERT_TRUE(parts.same_bits(whole)) << "cut at " << cut;
    }
    Arena single = start;
    for (std::size_t i = 0; i < kCount; ++i) rule->update(single.range(i, i + 1));
    EXPECT_TRUE(single.same_bits(whole));
  });
}

TEST_P(EveryRule, TouchesNothingOutsideItsRange) {
  const auto rule = GetParam().make({}).value();
  for_each_target([&] {
    Arena arena(64, *rule, 5);
    arena.gradients.assign(64, 1);
    const Arena before = arena;
    rule->update(arena.range(17, 34));
    for (std::size_t i = 0; i < 64; ++i) {
      const bool inside = i >= 17 && i < 34;
      if (inside) {
        EXPECT_NE(arena.weights[i], before.weights[i]) << i;
      }
      if (!inside) {
        EXPECT_EQ(arena.weights[i], before.weights[i]) << i;
        for (int s = 0; s < rule->slot_count(); ++s)
          EXPECT_EQ(arena.slots[static_cast<std::size_t>(s)][i],
                    before.slots[static_cast<std::size_t>(s)][i]);
      }
    }
  });
}

// Padding of an arena: zero gradients at zero weights leave zero weights, for every rule and for ever.
TEST_P(EveryRule, ZeroStaysZero) {
  const auto rule = GetParam().make({}).value();
  Arena arena(40, *rule, 6);
  arena.weights.assign(40, 0);
  arena.gradients.assign(40, 0);
  for (int step = 0; step < 10; ++step) {
    UpdateRange range = arena.range(0, 40);
    range.weight_decay = 0.1;
    range.step = step;
    rule->update(range);
  }
  for (const float w : arena.weights) EXPECT_EQ(w, 0);
}

// f(w) = ½ Σ c_i (w_i - o_i)², c from 0.5 to 2: the optimum is o.
TEST_P(EveryRule, FindsTheOptimumOfAQuadratic) {
  const auto rule = GetParam().make({}).value();
  constexpr std::size_t kCount = 20;
  Arena arena(kCount, *rule, 7);
  constexpr int kSteps = 3000;
  for (int step = 0; step < kSteps; ++step) {
    for (std::size_t i = 0; i < kCount; ++i) {
      const double c = 0.5 + 1.5 * static_cast<double>(i) / (kCount - 1), o = static_cast<double>(i) / 10 - 1;
      arena.gradients[i] = static_cast<float>(c * (arena.weights[i] - o));
    }
    UpdateRange range = arena.range(0, kCount);
    // Adagrad's own rate falls; the others' must, to come closer than one step.
    range.learning_rate = rule->name() == "adagrad" ? 0.5 : 0.1 * std::pow(1e-4, step / double{kSteps});
    range.step = step;
    rule->update(range);
  }
  for (std::size_t i = 0; i < kCount; ++i)
    EXPECT_NEAR(arena.weights[i], static_cast<double>(i) / 10 - 1, 2e-4) << i;
}

// Σ_n log(1 + exp(-y_n (w x_n + b))) of eight points that no line separates; the optimum is found once by
// Newton's method in float64, to the last bits.
class Logistic {
 public:
  std::array<double, 2> gradient(double w, double b) const {
    std::array<double, 2> g{0, 0};
    for (std::size_t n = 0; n < x_.size(); ++n) {
      const double p = -y_[n] / (1 + std::exp(y_[n] * (w * x_[n] + b)));
      g[0] += p * x_[n];
      g[1] += p;
    }
    return g;
  }
  std::array<double, 2> optimum() const {
    double w = 0, b = 0;
    for (int k = 0; k < 50; ++k) {
      double aa = 0, ab = 0, bb = 0;
      for (const double x : x_) {
        const double s = 1 / (1 + std::exp(-(w * x + b))), h = s * (1 - s);
        aa += h * x * x;
        ab += h * x;
        bb += h;
      }
      const auto g = gradient(w, b);
      const double det = aa * bb - ab * ab;
      w -= (bb * g[0] - ab * g[1]) / det;
      b -= (aa * g[1] - ab * g[0]) / det;
    }
    return {w, b};
  }

 private:
  std::array<double, 8> x_{-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2};
  std::array<double, 8> y_{-1, -1, 1, -1, 1, -1, 1, 1};
};

TEST_P(EveryRule, FindsTheOptimumOfALogisticRegression) {
  const Logistic problem;
  const auto optimum = problem.optimum();
  const auto rest = problem.gradient(optimum[0], optimum[1]);
  ASSERT_LT(std::abs(rest[0]) + std::abs(rest[1]), 1e-12);
  const auto rule = GetParam().make({}).value();
  Arena arena(2, *rule, 8);
  constexpr int kSteps = 4000;
  for (int step = 0; step < kSteps; ++step) {
    const auto g = problem.gradient(arena.weights[0], arena.weights[1]);
    arena.gradients = {static_cast<float>(g[0]), static_cast<float>(g[1])};
    UpdateRange range = arena.range(0, 2);
    range.learning_rate = rule->name() == "adagrad" ? 0.5 : 0.1 * std::pow(1e-4, step / double{kSteps});
    range.step = step;
    rule->update(range);
  }
  EXPECT_NEAR(arena.weights[0], optimum[0], 5e-4);
  EXPECT_NEAR(arena.weights[1], optimum[1], 5e-4);
}

TEST(UpdateRules, UnknownNamesAreRefusedWithTheKnownOnes) {
  const auto rule = make_update_rule("lars", {});
  ASSERT_FALSE(rule.ok());
  EXPECT_EQ(rule.reason().text,
            "there is no update rule \"lars\"; there are sgd, momentum, nesterov, adagrad, rmsprop, adam");
}

TEST(UpdateRules, SettingsOutOfRangeAreRefused) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const double wrong : {-0.1, 1.0, 1 - 1e-9, 2.0, kNan}) {
    EXPECT_FALSE(make_update_rule("momentum", {.momentum = wrong}).ok()) << wrong;
    EXPECT_FALSE(make_update_rule("nesterov", {.momentum = wrong}).ok()) << wrong;
    EXPECT_FALSE(make_update_rule("rmsprop", {.decay = wrong}).ok()) << wrong;
    EXPECT_FALSE(make_update_rule("adam", {.beta1 = wrong}).ok()) << wrong;
    EXPECT_FALSE(make_update_rule("adam", {.beta2 = wrong}).ok()) << wrong;
  }
  for (const double wrong : {-1e-8, 1e-40, kNan, std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(make_update_rule("adagrad", {.epsilon = wrong}).ok()) << wrong;
    EXPECT_FALSE(make_update_rule("rmsprop", {.epsilon = wrong}).ok()) << wrong;
    EXPECT_FALSE(make_update_rule("adam", {.epsilon = wrong}).ok()) << wrong;
  }
  EXPECT_FALSE(make_update_rule("adagrad", {.initial_accumulator = -1}).ok());
  const auto refused = make_update_rule("momentum", {.momentum = 1.5});
  EXPECT_EQ(refused.reason().text, "momentum = 1.5 is out of range: 0 <= momentum < 1");
}

}  // namespace
}  // namespace convoy::optim
