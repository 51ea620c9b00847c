// Every entry of the catalog against the float64 reference, because it exists.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/bf16.h"
#include "convoy/kernels/catalog.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"
#include "hwy/targets.h"

namespace convoy::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

struct Counts {
  std::int64_t served = 0;
  std::int64_t refused = 0;
};

using CountsByName = std::map<std::string, Counts>;
using Families = std::vector<LayoutFamily>;
const Families kAllFamilies(std::begin(kLayoutFamilies), std::end(kLayoutFamilies));

bool serves(const KernelEntry& entry, const graph::LayerKind& kind) {
  return entry.op == "*" || entry.op == kind.op;
}

bool is_own(const KernelEntry& entry) {
  return entry.name != "reference" && !entry.name.starts_with("onednn");
}

// Our own refuse most families at once; of the others, which take long to prepare, each takes its turn.
Families families(const KernelEntry& entry, LayoutFamily turn) {
  return is_own(entry) ? kAllFamilies : Families{turn};
}

// Runs the case if the entry takes it; a refusal must give a reason. What is expected is computed once, for
// the first entry that takes it.
void expect_sound(const KernelEntry& entry, const TestCase& test,
                  std::shared_ptr<const Expectation>& expectation, Counts& counts) {
  base::set_thread_count(test.threads);
  const base::Verdict verdict = entry.supports(test.problem());
  if (!verdict) {
    ++counts.refused;
    EXPECT_FALSE(verdict.reason().text.empty());
    return;
  }
  ++counts.served;
  if (!expectation) expectation = expect(test);
  const auto fault = find_fault(entry, test, *expectation);
  EXPECT_FALSE(fault.has_value()) << entry.name << ' ' << test.str() << ": " << fault.value_or("");
  EXPECT_GE(entry.seconds(test.problem(), {}), 0);
}

// The case through every entry of the catalog for its operator, in the entry's families. `expectation` is
// what other cases that expect the same have left, or null, and left to others.
void expect_sound_by_all(const Catalog& entries, TestCase test,
                         std::shared_ptr<const Expectation>& expectation, CountsByName& counts) {
  const LayoutFamily turn = test.family;
  for (const KernelEntry& entry : entries) {
    if (!serves(entry, *test.kind)) continue;
    for (const LayoutFamily family : families(entry, turn)) {
      test.family = family;
      expect_sound(entry, test, expectation,
                   counts[std::string(entry.name) + ' ' + std::string(test.kind->op)]);
    }
  }
}

// The passes that the operator has, forward last.
std::vector<Pass> passes(const TestCase& test) {
  if (test.kind->traits.joint_backward) return {Pass::backward, Pass::forward};
  if (test.problem().params.empty()) return {Pass::backward_data, Pass::forward};
  return {Pass::backward_weights, Pass::backward_data, Pass::forward};
}

// And in every pass, epilogue, mode and kind of data that makes sense for the operator. What a linear
// operator is expected to do does not depend on the mode, and what is computed for a backward pass holds for
// all.
void expect_sound_everywhere(const Catalog& entries, TestCase test, CountsByName& counts) {
  const bool shares = test.kind->traits.linear && !test.kind->traits.random;
  for (const TestData data : {TestData::reals, TestData::small_integers}) {
    test.data = data;
    ++test.seed;
    std::shared_ptr<const Expectation> expectation;
    for (const Pass pass : passes(test)) {
      test.pass = pass;
      test.training = true;
      test.epilogue = Epilogue::none;
      if (!shares) expectation.reset();
      expect_sound_by_all(entries, test, expectation, counts);
    }
    if (test.kind->traits.joint_backward) {
      test.pass = Pass::backward;
      test.epilogue = Epilogue::relu;
      expectation.reset();
      expect_sound_by_all(entries, test, expectation, counts);
    }
    test.pass = Pass::forward;
    test.epilogue = Epilogue::none;
    test.training = false;
    if (!shares) expectation.reset();
    expect_sound_by_all(entries, test, expectation, counts);
    test.epilogue = Epilogue::relu;
    expectation.reset();
    expect_sound_by_all(entries, test, expectation, counts);
  }
}

// All but our own.
Catalog others() {
  Catalog entries;
  for (const KernelEntry& entry : catalog())
    if (!is_own(entry)) entries.push_back(entry);
  return entries;
}

TEST(Conformance, EverySampleOfEveryLayer) {
  CountsByName counts;
  std::uint64_t seed = 100;
  for (const graph::LayerKind* kind : layers::catalog())
    for (const graph::LayerSample& sample : kind->samples())
      for (const LayoutFamily family : kLayoutFamilies)
        for (const int threads : {1, 2}) {
          SCOPED_TRACE(sample.name);
          // Our own come in all families at once.
          expect_sound_everywhere(family == LayoutFamily::plain ? catalog() : others(),
                                  {.kind = kind,
                                   .attributes = sample.attributes,
                                   .inputs = sample.inputs,
                                   .family = family,
                                   .threads = threads,
                                   .seed = seed += 10},
                                  counts);
        }
  // Convolutions of special shapes have theirs in RandomShapes.
  for (const auto& [name, c] : counts) EXPECT_TRUE(c.served > 0 || name.ends_with(" Conv")) << name;
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
// one.
TEST(Conformance, TheSmallWorldOfConvolutions) {
  const Ints limits{2, 3, 3, 4, 3, 2, 2, 2, 2};
  Ints at(limits.size(), 0);
  std::int64_t index = 0;
  CountsByName counts;
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
    // Waking a second thread costs more than these problems: on a busy machine it is most of the time.
    test.threads = index % 16 == 0 ? 2 : 1;
    test.data = index % 5 == 0 ? TestData::small_integers : TestData::reals;
    test.seed = static_cast<std::uint64_t>(index);
    std::shared_ptr<const Expectation> expectation;
    for (const Pass pass : passes(test)) {
      test.pass = pass;
      test.family = kLayoutFamilies[static_cast<std::size_t>(index + static_cast<int>(pass)) % 4];
      test.epilogue = pass == Pass::forward && index % 4 < 2 ? Epilogue::relu : Epilogue::none;
      if (test.epilogue == Epilogue::relu) expectation.reset();
      expect_sound_by_all(catalog(), test, expectation, counts);
    }
  } while (next());
  for (const char* name : {"onednn Conv", "reference Conv"}) EXPECT_GT(counts[name].served, 1000) << name;
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

// Convolutions for the algorithms that serve special shapes alone, and for those that treat them apart.
std::vector<TestCase> random_convolutions(std::uint64_t seed) {
  base::RandomStream random(seed, base::Purpose::test, 8, 0);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  struct Special {
    std::int64_t r, stride, c, k;
    std::int64_t group = 1;
  };
  const std::int64_t channels = pick(1, 40);
  const Special list[] = {
      {3, 1, pick(1, 40), pick(1, 40)},          {5, 1, pick(1, 20), pick(1, 20)},
      {pick(6, 12), 1, pick(1, 5), pick(1, 20)}, {pick(5, 11), pick(2, 4), pick(1, 4), pick(1, 40)},
      {1, pick(1, 2), pick(1, 70), pick(1, 70)}, {3, pick(1, 2), channels, channels, channels}};
  std::vector<TestCase> cases;
  for (const Special& s : list) {
    Ints pads;
    for (int side = 0; side < 4; ++side) pads.push_back(pick(0, s.r / 2));
    cases.push_back({.kind = &layers::kConv,
                     .attributes = {{"output_channels", s.k},
                                    {"kernel_shape", Ints{s.r, s.r}},
                                    {"strides", Ints{s.stride, s.stride}},
                                    {"pads", pads},
                                    {"group", s.group},
                                    {"has_bias", pick(0, 1)}},
                     .inputs = {{pick(1, 3), s.c, s.r + pick(0, 7), s.r + pick(0, 7)}}});
  }
  // Enough samples for the algorithms that work in blocks of samples.
  cases.push_back({.kind = &layers::kConv,
                   .attributes = {{"output_channels", pick(1, 9)},
                                  {"kernel_shape", Ints{pick(1, 5), pick(1, 5)}},
                                  {"strides", Ints{pick(1, 3), pick(1, 3)}},
                                  {"pads", Ints{pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)}}},
                   .inputs = {{pick(8, 20), pick(1, 7), pick(5, 9), pick(5, 9)}}});
  return cases;
}

TEST(Conformance, RandomShapes) {
  CountsByName counts;
  for (std::uint64_t seed = 1; seed <= 9; ++seed) {
    std::vector<TestCase> cases = random_cases(seed);
    const std::vector<TestCase> convolutions = random_convolutions(seed);
    cases.insert(cases.end(), convolutions.begin(), convolutions.end());
    for (TestCase test : cases) {
      test.seed = 1000 * seed;
      if (test.family == LayoutFamily::plain) test.family = kLayoutFamilies[seed % 4];
      test.threads = 1 + static_cast<int>(seed % 4 == 0);
      if (test.kind->infer(graph::complete(test.attributes, test.kind->attributes).value(), test.inputs))
        expect_sound_everywhere(catalog(), test, counts);
    }
  }
  for (const auto& [name, c] : counts) EXPECT_GT(c.served, 0) << name;
}

// The entries that also work on bf16, in all layouts: over every layer's samples and over random shapes.
TEST(Conformance, EveryEntryThatTakesBf16) {
  CountsByName counts;
  std::vector<TestCase> cases;
  for (const graph::LayerKind* kind : layers::catalog())
    for (const graph::LayerSample& sample : kind->samples())
      cases.push_back({.kind = kind, .attributes = sample.attributes, .inputs = sample.inputs});
  for (std::uint64_t seed = 21; seed <= 22; ++seed)
    for (const auto& some : {random_cases(seed), random_convolutions(seed)})
      cases.insert(cases.end(), some.begin(), some.end());
  // Sums so long that a kernel would break them up, and might keep the parts in bf16.
  for (const std::int64_t size : {1, 3})
    cases.push_back({.kind = &layers::kConv,
                     .attributes = {{"output_channels", std::int64_t{32}},
                                    {"kernel_shape", Ints{size, size}},
                                    {"pads", Ints(4, size / 2)}},
                     .inputs = {{2, size == 1 ? 1040 : 272, 4, 5}}});
  std::uint64_t seed = 9000;
  for (TestCase test : cases) {
    if (!test.kind->infer(graph::complete(test.attributes, test.kind->attributes).value(), test.inputs))
      continue;
    test.type = tensor::DType::bf16;
    test.seed = seed += 10;
    test.threads = 1 + static_cast<int>(seed / 10 % 2);
    for (const LayoutFamily family : kLayoutFamilies) {
      test.family = family;
      expect_sound_everywhere(family == LayoutFamily::plain ? catalog() : others(), test, counts);
    }
  }
  const bool multiplies = check_bf16_products().ok();
  for (const char* name : {"onednn Conv", "onednn Gemm", "onednn MaxPool", "onednn Concat"})
    EXPECT_EQ(counts[name].served > 0, multiplies) << name;
  for (const char* name : {"simd BatchNormalization", "simd Add", "simd Relu"})
    EXPECT_GT(counts[name].served, 0) << name;
}

TEST(Conformance, OurOwnKernelsAllocateNothing) {
  const std::int64_t before = allocation_count();
  const auto counted = std::make_unique<int>(1);
  EXPECT_EQ(allocation_count(), before + *counted);
  for (const KernelEntry& entry : cpu_catalog()) {
    const graph::LayerKind* kind = layers::find(entry.op);
    ASSERT_NE(kind, nullptr) << entry.op;
    for (const graph::LayerSample& sample : kind->samples())
      for (const LayoutFamily family : kLayoutFamilies) {
        TestCase test{.kind = kind,
                      .attributes = sample.attributes,
                      .inputs = sample.inputs,
                      .family = family,
                      .threads = largest_silent_team()};
        for (const Pass pass : passes(test)) {
          test.pass = pass;
          if (!entry.supports(test.problem())) continue;
          EXPECT_EQ(allocations_of_run(entry, test), 0) << entry.name << ' ' << test.str();
        }
      }
  }
}

// The vectorised kernels on every instruction set of this build that the processor has, not the widest alone.
TEST(Conformance, OurOwnKernelsOnEveryInstructionSet) {
  std::set<std::string> seen;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    CountsByName counts;
    std::uint64_t seed = 500;
    for (const graph::LayerKind* kind : layers::catalog())
      for (const graph::LayerSample& sample : kind->samples())
        expect_sound_everywhere(
            cpu_catalog(),
            {.kind = kind, .attributes = sample.attributes, .inputs = sample.inputs, .seed = seed += 10},
            counts);
    // The widest set, which comes first, has had its random shapes above.
    for (std::uint64_t random_seed = 70; random_seed < 74 && !seen.empty(); ++random_seed)
      for (const auto& cases : {random_cases(random_seed), random_convolutions(random_seed)})
        for (const TestCase& test : cases)
          if (test.kind->infer(graph::complete(test.attributes, test.kind->attributes).value(), test.inputs))
            expect_sound_everywhere(cpu_catalog(), test, counts);
    EXPECT_GT(counts["simd Relu"].served, 0);
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
