// Random convolutions through every entry for Conv, in every direction, against float64: within the bound
// that the entry derives, or exact on integers. CONVOY_TEST_SEED and CONVOY_TEST_ROUNDS choose others.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "convoy/base/rng.h"
#include "convoy/kernels/catalog.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"
#include "hwy/targets.h"

namespace convoy::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

constexpr std::uint64_t kRounds = CONVOY_TEST_STANDARD_ROUNDS;
// The float64 reference takes about a nanosecond for each, eight times.
constexpr std::int64_t kMaxMacs = 300'000;
constexpr std::int64_t kMaxMacsOfLargeMaps = 1'500'000;

std::uint64_t environment(const char* name, std::uint64_t standard) {
  const char* text = std::getenv(name);
  return text == nullptr ? standard : std::strtoull(text, nullptr, 10);
}

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed, base::Purpose::test, 21, 0), is_large_(percent(12)) {}

  // Of large maps, which algorithms cut into parts, more is allowed.
  std::int64_t max_macs() const { return is_large_ ? kMaxMacsOfLargeMaps : kMaxMacs; }

  std::int64_t pick(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool percent(std::int64_t share) { return pick(1, 100) <= share; }

  // One to three sizes that say what is special about the problem, the others wherever they fall.
  TestCase conv() {
    const int rank = percent(88) ? 2 : percent(70) ? 1 : 3;
    Ints window, strides, dilations, begin, end, image{percent(15) ? pick(4, 20) : pick(1, 3), 0};
    const bool square = percent(60), unit = percent(60);
    const std::int64_t room = is_large_ ? 70 : 14;
    for (int d = 0; d < rank; ++d) {
      window.push_back(square && d > 0 ? window[0] : percent(35) ? 3 : pick(1, percent(15) ? 11 : 6));
      strides.push_back(unit ? 1 : pick(1, 4));
      dilations.push_back(percent(12) ? pick(2, 3) : 1);
      const std::int64_t extent = (window.back() - 1) * dilations.back() + 1;
      const std::int64_t most = percent(75) ? extent / 2 : extent - percent(60);
      begin.push_back(pick(0, most));
      end.push_back(percent(60) ? begin.back() : pick(0, most));
      image.push_back(std::max<std::int64_t>(1, extent - begin.back() - end.back() + pick(0, room)));
    }
    const std::int64_t groups = percent(80) ? 1 : pick(2, 36);
    const std::int64_t most = groups == 1 ? 70 : percent(50) ? 1 : 12;
    image[1] = groups * pick(1, percent(50) ? std::min<std::int64_t>(most, 18) : most);
    const std::int64_t k = groups * pick(1, percent(50) ? std::min<std::int64_t>(most, 18) : most);
    begin.insert(begin.end(), end.begin(), end.end());
    return {.kind = &layers::kConv,
            .attributes = {{"output_channels", k},
                           {"kernel_shape", window},
                           {"strides", strides},
                           {"pads", begin},
                           {"dilations", dilations},
                           {"group", groups},
                           {"has_bias", percent(70) ? std::int64_t{1} : 0}},
            .inputs = {tensor::Shape(image)}};
  }

 private:
  base::RandomStream random_;
  bool is_large_;
};

bool is_valid_and_small(const TestCase& test, std::int64_t max_macs) {
  const graph::Attributes attributes = graph::complete(test.attributes, test.kind->attributes).value();
  const auto signature = test.kind->infer(attributes, test.inputs);
  if (!signature) return false;
  const graph::Work work = test.kind->work(attributes, test.inputs, {signature->outputs, signature->params});
  return work.macs <= max_macs;
}

// Of one seed: the first drawn problem that is a convolution and small enough.
TestCase problem_of(std::uint64_t seed) {
  Draw draw(seed);
  TestCase test;
  do test = draw.conv();
  while (!is_valid_and_small(test, draw.max_macs()));
  test.seed = seed;
  test.data = draw.percent(25) ? TestData::small_integers : TestData::reals;
  test.training = draw.percent(50);
  test.epilogue = draw.percent(40) ? Epilogue::relu : Epilogue::none;
  test.threads = draw.percent(12) ? static_cast<int>(draw.pick(2, 4)) : 1;
  test.family = kLayoutFamilies[draw.pick(0, 3)];
  return test;
}

// The widest vectors of the processor, or AVX2 by turns: to our own kernels that is another processor.
class InstructionSet {
 public:
  explicit InstructionSet(bool narrow) {
    if (!narrow || (hwy::SupportedTargets() & HWY_AVX2) == 0) return;
    hwy::SetSupportedTargetsForTest(HWY_AVX2);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  ~InstructionSet() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  InstructionSet(const InstructionSet&) = delete;
  InstructionSet& operator=(const InstructionSet&) = delete;
};

// Calls served, by entry and pass.
using Served = std::map<std::string, std::map<Pass, std::int64_t>>;

bool is_own(const KernelEntry& entry) {
  return entry.name != "reference" && !entry.name.starts_with("onednn");
}

// Our own entries take the problem in every family that they serve, the library and the reference in one.
void expect_sound(TestCase test, Served& served) {
  const InstructionSet set(test.seed % 4 == 3);
  const LayoutFamily turn = test.family;
  const TestCase forward = test;
  // What is expected of a backward pass holds for both, and for a forward pass without epilogue.
  std::shared_ptr<const Expectation> expectation;
  for (const Pass pass : {Pass::backward_data, Pass::backward_weights, Pass::forward}) {
    test.pass = pass;
    test.epilogue = pass == Pass::forward ? forward.epilogue : Epilogue::none;
    test.training = pass != Pass::forward || forward.training;
    if (test.epilogue == Epilogue::relu) expectation.reset();
    for (const KernelEntry& entry : catalog()) {
      if (entry.op != "Conv" && entry.op != "*") continue;
      for (const LayoutFamily family : kLayoutFamilies) {
        if (!is_own(entry) && family != turn) continue;
        test.family = family;
        if (!entry.supports(test.problem())) continue;
        if (!expectation) expectation = expect(test);
        ++served[std::string(entry.name)][pass];
        const auto fault = find_fault(entry, test, *expectation);
        EXPECT_FALSE(fault) << entry.name << ' ' << test.str() << ": " << fault.value_or("")
                            << "\nrepeat with: CONVOY_TEST_SEED=" << test.seed << " CONVOY_TEST_ROUNDS=1";
      }
    }
  }
}

TEST(ConvRandom, EveryEntryInEveryDirection) {
  const std::uint64_t first = environment("CONVOY_TEST_SEED", 1),
                      rounds = environment("CONVOY_TEST_ROUNDS", kRounds);
  Served served;
  for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
    expect_sound(problem_of(seed), served);
    if (HasFailure()) return;
  }
  std::printf("%llu problems; calls checked\n%-24s %10s %14s %17s\n", static_cast<unsigned long long>(rounds),
              "entry", "forward", "backward_data", "backward_weights");
  std::set<std::string> missing;
  for (const KernelEntry& entry : catalog())
    if (entry.op == "Conv") missing.insert(std::string(entry.name));
  for (auto& [name, passes] : served) {
    missing.erase(name);
    std::printf("%-24s %10lld %14lld %17lld\n", name.c_str(), static_cast<long long>(passes[Pass::forward]),
                static_cast<long long>(passes[Pass::backward_data]),
                static_cast<long long>(passes[Pass::backward_weights]));
  }
  for (const std::string& name : missing) EXPECT_LT(rounds, kRounds) << name << " served no problem";
}

// Random problems must differ, or the property says little.
TEST(ConvRandom, ProblemsAreOfEveryKind) {
  std::set<int> ranks;
  std::int64_t strided = 0, dilated = 0, grouped = 0, depthwise = 0, wide = 0, many = 0, large = 0,
               asymmetric = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const TestCase test = problem_of(seed);
    const Problem problem = test.problem();
    const Ints strides = problem.attributes.integers("strides"), pads = problem.attributes.integers("pads");
    const std::int64_t groups = problem.attributes.integer("group");
    ranks.insert(problem.inputs[0].rank());
    strided += strides[0] > 1;
    dilated += problem.attributes.integers("dilations")[0] > 1;
    grouped += groups > 1;
    depthwise += groups > 1 && groups == problem.inputs[0][1];
    wide += problem.inputs[0][1] > 32 || problem.outputs[0][1] > 32;
    many += problem.inputs[0][0] > 8;
    large += problem.inputs[0][2] > 40;
    asymmetric += pads[0] != pads[pads.size() / 2];
  }
  EXPECT_EQ(ranks, (std::set<int>{3, 4, 5}));
  for (const std::int64_t count : {strided, dilated, grouped, depthwise, wide, many, large, asymmetric})
    EXPECT_GT(count, 8);
}

}  // namespace
}  // namespace convoy::kernels
