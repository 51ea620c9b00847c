// Every entry of the catalog against the float64 reference, because it exists.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/catalog.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"
#include "hwy/targets.h"

namespace convoy::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

constexpr Pass kPasses[] = {Pass::forward, Pass::backward_data, Pass::backward_weights, Pass::backward};

struct Counts {
  std::int64_t served = 0;
  std::int64_t refused = 0;
};

// Runs the case if the entry takes it; a refusal must give a reason.
void expect_sound(const KernelEntry& entry, const TestCase& test, Counts& counts) {
  base::set_thread_count(test.threads);
  const base::Verdict verdict = entry.supports(test.problem());
  if (!verdict) {
    ++counts.refused;
    EXPECT_FALSE(verdict.reason().text.empty());
    return;
  }
  ++counts.served;
  const auto fault = find_fault(entry, test);
  EXPECT_FALSE(fault.has_value()) << entry.name << ' ' << test.str() << ": " << fault.value_or("");
  EXPECT_GE(entry.seconds(test.problem(), {}), 0);
}

// The case in every pass, epilogue, mode and kind of data that makes sense for the operator.
void expect_sound_everywhere(const KernelEntry& entry, TestCase test, Counts& counts) {
  const bool joint = test.kind->traits.joint_backward;
  const bool has_params = !test.problem().params.empty();
  for (const Pass pass : kPasses) {
    if ((pass == Pass::backward) != joint && pass != Pass::forward) continue;
    if (pass == Pass::backward_weights && !has_params) continue;
    test.pass = pass;
    for (const TestData data : {TestData::reals, TestData::small_integers}) {
      test.data = data;
      ++test.seed;
      test.training = true;
      test.epilogue = Epilogue::none;
      expect_sound(entry, test, counts);
      if (pass != Pass::forward) continue;
      test.training = false;
      expect_sound(entry, test, counts);
      test.epilogue = Epilogue::relu;
      expect_sound(entry, test, counts);
    }
  }
}

bool serves(const KernelEntry& entry, const graph::LayerKind& kind) {
  return entry.op == "*" || entry.op == kind.op;
}

TEST(Conformance, EverySampleOfEveryLayer) {
  std::map<std::string, Counts> counts;
  std::uint64_t seed = 100;
  for (const KernelEntry& entry : catalog())
    for (const graph::LayerKind* kind : layers::catalog()) {
      if (!serves(entry, *kind)) continue;
      for (const graph::LayerSample& sample : kind->samples())
        for (const LayoutFamily family : kLayoutFamilies)
          for (const int threads : {1, 2}) {
            SCOPED_TRACE(std::string(entry.name) + " " + sample.name);
            expect_sound_everywhere(entry,
                                    {.kind = kind,
                                     .attributes = sample.attributes,
                                     .inputs = sample.inputs,
                                     .family = family,
                                     .threads = threads,
                                     .seed = seed += 10},
                                    counts[std::string(entry.name) + " " + std::string(kind->op)]);
          }
    }
  for (const auto& [name, c] : counts) EXPECT_GT(c.served, 0) << name << " serves nothing";
}

// Every operator has its float64 reference, in both types.
TEST(Conformance, TheReferenceServesEverythingInPlainLayout) {
  const KernelEntry& entry = catalog().back();
  for (const graph::LayerKind* kind : layers::catalog())
    for (const graph::LayerSample& sample : kind->samples()) {
      TestCase test{.kind = kind, .attributes = sample.attributes, .inputs = sample.inputs};
      Problem problem = test.problem();
      EXPECT_TRUE(entry.supports(problem).ok()) << problem.str();
      problem.type = tensor::DType::f64;
      EXPECT_TRUE(entry.supports(problem).ok()) << problem.str();
    }
}

// N 1-2, C 1-3, K 1-3, input 3-6, filter 1-3, stride 1-2, padding 0-1, dilation 1-2, groups 1 or C: every
// one, each in one family by turns.
TEST(Conformance, TheSmallWorldOfConvolutions) {
  const Ints limits{2, 3, 3, 4, 3, 2, 2, 2, 2};
  Ints at(limits.size(), 0);
  std::int64_t index = 0;
  std::map<std::string, Counts> counts;
  const auto next = [&] {
    for (std::size_t d = 0; d < at.size(); ++d) {
      if (++at[d] < limits[d]) return true;
      at[d] = 0;
    }
    return false;
  };
  do {
    const std::int64_t n = at[0] + 1, c = at[1] + 1, k = at[2] + 1, size = at[3] + 3, r = at[4] + 1;
    const std::int64_t stride = at[5] + 1, pad = at[6], dilation = at[7] + 1, groups = at[8] == 0 ? 1 : c;
    if (size + 2 * pad < (r - 1) * dilation + 1 || k % groups != 0 || (at[8] == 1 && c == 1)) continue;
    if (dilation == 2 && r == 1) continue;  // the same problem as dilation 1
    ++index;
    TestCase test{.kind = &layers::kConv,
                  .attributes = {{"output_channels", k},
                                 {"kernel_shape", Ints{r, r}},
                                 {"strides", Ints{stride, stride}},
                                 {"pads", Ints(4, pad)},
                                 {"dilations", Ints{dilation, dilation}},
                                 {"group", groups}},
                  .inputs = {{n, c, size, size + 1}}};
    for (const KernelEntry& entry : catalog()) {
      if (entry.op != "Conv") continue;
      for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
        test.pass = pass;
        test.family = kLayoutFamilies[static_cast<std::size_t>(index + static_cast<int>(pass)) % 4];
        // Waking a second thread costs more than these problems: on a busy machine it is most of the time.
        test.threads = index % 16 == 0 ? 2 : 1;
        test.epilogue = pass == Pass::forward && index % 4 < 2 ? Epilogue::relu : Epilogue::none;
        test.data = index % 5 == 0 ? TestData::small_integers : TestData::reals;
        test.seed = static_cast<std::uint64_t>(index);
        expect_sound(entry, test, counts[std::string(entry.name)]);
      }
    }
  } while (next());
  for (const auto& [name, c] : counts) EXPECT_GT(c.served, 1000) << name;
}

std::vector<TestCase> random_cases(std::uint64_t seed) {
  base::RandomStream random(seed, base::Purpose::test, 7, 0);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  const std::int64_t n = pick(1, 3), c = pick(1, 35), k = pick(1, 35), h = pick(5, 11), w = pick(5, 11);
  const std::int64_t r = pick(1, 5), s = pick(1, 5), sh = pick(1, 3), sw = pick(1, 3);
  const Ints window{r, s}, strides{sh, sw},
      pads{pick(0, r - 1), pick(0, s - 1), pick(0, r - 1), pick(0, s - 1)};
  const Ints dilations{r < 4 ? pick(1, 2) : 1, s < 4 ? pick(1, 2) : 1};
  const tensor::Shape image{n, c, h, w};
  return {{.kind = &layers::kConv,
           .attributes = {{"output_channels", k},
                          {"kernel_shape", window},
                          {"strides", strides},
                          {"pads", pads},
                          {"dilations", Ints{1, 1}}},
           .inputs = {image}},
          {.kind = &layers::kConv,
           .attributes = {{"output_channels", 4 * pick(1, 9)},
                          {"kernel_shape", Ints{3, 3}},
                          {"dilations", dilations},
                          {"group", std::int64_t{2}},
                          {"pads", Ints{1, 1, 1, 1}}},
           .inputs = {{n, 2 * pick(1, 17), h, w}}},
          {.kind = &layers::kGemm,
           .attributes = {{"output_features", pick(1, 130)}},
           .inputs = {{pick(1, 70), pick(1, 130)}}},
          {.kind = &layers::kMaxPool,
           .attributes = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
           .inputs = {{n, c, pick(2, 40), pick(2, 70)}}},
          {.kind = &layers::kMaxPool,
           .attributes = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
           .inputs = {{n, c, pick(2, 9), pick(2, 9)}},
           .family = LayoutFamily::channels_last},
          {.kind = &layers::kMaxPool,
           .attributes = {{"kernel_shape", window}, {"strides", strides}, {"ceil_mode", pick(0, 1)}},
           .inputs = {image}},
          {.kind = &layers::kRelu, .attributes = {}, .inputs = {{n, c, h * 7, w * 9}}},
          {.kind = &layers::kSoftmaxCrossEntropyLoss, .attributes = {}, .inputs = {{40 * n, k}, {40 * n}}}};
}

TEST(Conformance, RandomShapes) {
  std::map<std::string, Counts> counts;
  for (std::uint64_t seed = 1; seed <= 9; ++seed)
    for (TestCase test : random_cases(seed)) {
      test.seed = 1000 * seed;
      if (test.family == LayoutFamily::plain) test.family = kLayoutFamilies[seed % 4];
      test.threads = 1 + static_cast<int>(seed % 4 == 0);
      if (!test.kind->infer(graph::complete(test.attributes, test.kind->attributes).value(), test.inputs))
        continue;
      for (const KernelEntry& entry : catalog())
        if (entry.op == test.kind->op)
          expect_sound_everywhere(entry, test, counts[std::string(entry.name) + std::string(entry.op)]);
    }
  for (const auto& [name, c] : counts) EXPECT_GT(c.served, 0) << name;
}

TEST(Conformance, OurOwnKernelsAllocateNothing) {
  const std::int64_t before = allocation_count();
  const auto counted = std::make_unique<int>(1);
  EXPECT_EQ(allocation_count(), before + *counted);
  for (const KernelEntry& entry : cpu_catalog()) {
    const graph::LayerKind* kind = layers::find(entry.op);
    ASSERT_NE(kind, nullptr) << entry.op;
    for (const graph::LayerSample& sample : kind->samples())
      for (const Pass pass : {Pass::forward, Pass::backward_data}) {
        const TestCase test{.kind = kind,
                            .attributes = sample.attributes,
                            .inputs = sample.inputs,
                            .pass = pass,
                            .threads = 2};
        if (!entry.supports(test.problem())) continue;
        EXPECT_EQ(allocations_of_run(entry, test), 0) << entry.name << ' ' << test.str();
      }
  }
}

// The vectorised kernels on every instruction set of this build that the processor has, not the widest alone.
TEST(Conformance, OurOwnKernelsOnEveryInstructionSet) {
  std::set<std::string> seen;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    Counts counts;
    for (const KernelEntry& entry : cpu_catalog()) {
      const graph::LayerKind* kind = layers::find(entry.op);
      std::uint64_t seed = 500;
      for (const graph::LayerSample& sample : kind->samples())
        expect_sound_everywhere(
            entry,
            {.kind = kind, .attributes = sample.attributes, .inputs = sample.inputs, .seed = seed += 10},
            counts);
    }
    for (std::uint64_t random_seed = 70; random_seed < 74; ++random_seed)
      for (const TestCase& test : random_cases(random_seed))
        for (const KernelEntry& entry : cpu_catalog())
          if (entry.op == test.kind->op && test.kind->infer(test.problem().attributes, test.inputs))
            expect_sound_everywhere(entry, test, counts);
    EXPECT_GT(counts.served, 50);
    seen.insert(cpu::simd_target());
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  EXPECT_EQ(seen.size(), hwy::SupportedAndGeneratedTargets().size());
  RecordProperty("targets", static_cast<int>(seen.size()));
}

TEST(Conformance, NamesAreUniqueForAnOperator) {
  std::set<std::string> seen;
  for (const KernelEntry& entry : catalog())
    EXPECT_TRUE(seen.insert(std::string(entry.op) + ":" + std::string(entry.name)).second) << entry.name;
  EXPECT_EQ(catalog().back().name, "reference");
  EXPECT_EQ(find(catalog(), "Conv", "onednn")->op, "Conv");
  EXPECT_EQ(find(catalog(), "Conv", "reference")->op, "*");
  EXPECT_EQ(find(catalog(), "Conv", "none"), nullptr);
}

}  // namespace
}  // namespace convoy::kernels
