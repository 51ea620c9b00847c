// The kernel tester is tested: each of these broken kernels must be caught, and for the right reason.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "convoy/kernels/catalog.h"
#include "convoy/kernels/kernel_terms.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"

namespace convoy::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

enum class Fault {
  none,
  out_of_bounds,
  unwritten,
  wrong_by_a_bit,
  relative_error,
  dirty_padding,
  workspace_overrun,
  saved_overrun,
  writes_its_input,
  forgets_in_place,
  changes_from_run_to_run,
  other_weights_from_run_to_run,
  none_in_what_it_derives,
  derived_overrun,
  derives_nothing,
  derives_nothing_but_uses_it_when_valid,
  derives_from_inputs,
};

// A sound kernel with one fault added behind each call.
template <Fault fault>
class Saboteur final : public Kernel {
 public:
  Saboteur(const Problem& problem, std::unique_ptr<Kernel> sound)
      : sound_(std::move(sound)),
        traits_(sound_->traits()),
        out_count_(traits_.outputs[0].storage_count(problem.outputs[0])) {
    if (fault >= Fault::none_in_what_it_derives) traits_.derived_bytes = 64;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "sabotage"; }

  void run(const KernelArgs& args) const noexcept override {
    auto* out = static_cast<float*>(args.outputs[0] == nullptr ? args.param_gradients[0] : args.outputs[0]);
    const float before = out[1];
    const bool in_place = args.outputs[0] == args.inputs[0];
    sound_->run(args);
    ++runs_;
    if (fault == Fault::out_of_bounds) out[out_count_] = 1;
    if (fault == Fault::unwritten) out[1] = before;
    if (fault == Fault::wrong_by_a_bit)
      out[1] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(out[1]) ^ 1U);
    if (fault == Fault::relative_error) out[1] *= 1.0001F;
    if (fault == Fault::dirty_padding) out[15] = 1;
    if (fault == Fault::workspace_overrun) static_cast<char*>(args.workspace)[traits().workspace_bytes] = 0;
    if (fault == Fault::saved_overrun) static_cast<char*>(args.saved)[traits().saved_bytes] = 0;
    if (fault == Fault::writes_its_input && !in_place)
      static_cast<float*>(const_cast<void*>(args.inputs[0]))[0] += 1;
    if (fault == Fault::forgets_in_place && in_place) out[1] += 1;
    if (fault == Fault::changes_from_run_to_run && runs_ == 2) out[1] = std::nextafter(out[1], 9.0F);
    if (fault >= Fault::none_in_what_it_derives) use_derived(args, out);
  }

  // What is derived is a factor of 1, or the first input.
  void use_derived(const KernelArgs& args, float* out) const {
    auto* derived = static_cast<float*>(args.derived);
    const float first_input = static_cast<const float*>(args.inputs[0])[0];
    if (fault == Fault::none_in_what_it_derives && !args.derived_valid) derived[0] = 1;
    if (fault == Fault::derives_from_inputs && !args.derived_valid) derived[0] = first_input;
    if (fault == Fault::none_in_what_it_derives || fault == Fault::derives_nothing) out[1] *= derived[0];
    if (fault == Fault::derives_nothing_but_uses_it_when_valid && args.derived_valid) out[1] *= derived[0];
    if (fault == Fault::derives_from_inputs) out[1] += derived[0] - first_input;
    if (fault == Fault::derived_overrun) static_cast<char*>(args.derived)[traits_.derived_bytes] = 0;
  }

 private:
  std::unique_ptr<Kernel> sound_;
  KernelTraits traits_;
  std::int64_t out_count_;
  mutable int runs_ = 0;
};

template <Fault fault>
std::unique_ptr<Kernel> make_faulty(const Problem& problem) {
  for (const KernelEntry& entry : catalog())
    if (entry.op == problem.kind->op && entry.supports(problem))
      return std::make_unique<Saboteur<fault>>(problem, entry.make(problem));
  return nullptr;
}

template <Fault fault>
std::string caught(const TestCase& test) {
  KernelEntry entry = catalog().front();
  for (const KernelEntry& sound : catalog())
    if (sound.op == test.kind->op && sound.supports(test.problem())) {
      entry = sound;
      break;
    }
  entry.make = make_faulty<fault>;
  return find_fault(entry, test).value_or("nothing");
}

TestCase relu() { return {.kind = &layers::kRelu, .attributes = {}, .inputs = {{2, 3, 5, 4}}}; }
TestCase blocked_relu() {
  TestCase test = relu();
  test.family = LayoutFamily::blocked;
  return test;
}
TestCase gemm(TestData data) {
  return {.kind = &layers::kGemm,
          .attributes = {{"output_features", std::int64_t{7}}},
          .inputs = {{4, 9}},
          .data = data};
}
TestCase loss() {
  return {.kind = &layers::kSoftmaxCrossEntropyLoss, .attributes = {}, .inputs = {{4, 10}, {4}}};
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST(Sabotage, SoundKernelsPass) {
  EXPECT_EQ(caught<Fault::none>(relu()), "nothing");
  EXPECT_EQ(caught<Fault::none>(blocked_relu()), "nothing");
  EXPECT_EQ(caught<Fault::none>(gemm(TestData::reals)), "nothing");
  EXPECT_EQ(caught<Fault::none>(loss()), "nothing");
}

TEST(Sabotage, AWriteBehindTheOutputIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::out_of_bounds>(relu()), "wrote outside an output"));
}

TEST(Sabotage, AnUnwrittenElementIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::unwritten>(relu()), "nan"));
  EXPECT_TRUE(contains(caught<Fault::unwritten>(gemm(TestData::reals)), "nan"));
}

TEST(Sabotage, ABitOnIntegerDataIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::wrong_by_a_bit>(gemm(TestData::small_integers)), "bound 0"));
  // The same bit on reals lies within the bound: that is what the integers are for.
  EXPECT_EQ(caught<Fault::wrong_by_a_bit>(gemm(TestData::reals)), "nothing");
}

TEST(Sabotage, AnErrorOfATenThousandthIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::relative_error>(gemm(TestData::reals)), "reference"));
}

TEST(Sabotage, DirtyPaddingIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::dirty_padding>(blocked_relu()), "padding is not zero"));
}

TEST(Sabotage, OverrunsOfWorkspaceAndSavedAreCaught) {
  EXPECT_TRUE(contains(caught<Fault::workspace_overrun>(loss()), "outside the workspace"));
  EXPECT_TRUE(contains(caught<Fault::saved_overrun>(loss()), "outside the saved array"));
}

TEST(Sabotage, AWriteToAnInputIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::writes_its_input>(relu()), "changed input 0"));
}

TEST(Sabotage, AFalsePromiseToWorkInPlaceIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::forgets_in_place>(relu()), "other bits in place"));
}

TEST(Sabotage, AResultThatChangesIsCaught) {
  EXPECT_TRUE(contains(caught<Fault::changes_from_run_to_run>(relu()), "other bits in a second run"));
  TestCase weights = gemm(TestData::reals);
  weights.pass = Pass::backward_weights;
  EXPECT_EQ(caught<Fault::none>(weights), "nothing");
  EXPECT_TRUE(contains(caught<Fault::changes_from_run_to_run>(weights), "other bits in a second run"));
}

TEST(Sabotage, MisuseOfWhatAKernelDerivesIsCaught) {
  const TestCase test = gemm(TestData::reals);
  EXPECT_EQ(caught<Fault::none_in_what_it_derives>(test), "nothing");
  EXPECT_TRUE(contains(caught<Fault::derived_overrun>(test), "outside the derived array"));
  EXPECT_TRUE(contains(caught<Fault::derives_nothing>(test), "reference"));
  EXPECT_TRUE(contains(caught<Fault::derives_nothing_but_uses_it_when_valid>(test), "in a second run"));
  EXPECT_TRUE(contains(caught<Fault::derives_from_inputs>(test), "in a second run"));
}

// What is not exact is held to its bound on integers too, and to nothing less.
TEST(Sabotage, IntegersOfInexactEntriesAreHeldToTheBound) {
  const auto fault = [](auto make) {
    KernelEntry entry = *find(catalog(), "Gemm", "onednn");
    entry.make = make;
    entry.exact_on_integers = false;
    return find_fault(entry, gemm(TestData::small_integers)).value_or("nothing");
  };
  EXPECT_EQ(fault(make_faulty<Fault::wrong_by_a_bit>), "nothing");
  EXPECT_TRUE(contains(fault(make_faulty<Fault::relative_error>), "reference"));
}

TestCase conv(Pass pass) {
  return {.kind = &layers::kConv,
          .attributes = {{"output_channels", std::int64_t{4}},
                         {"kernel_shape", Ints{2, 3}},
                         {"pads", Ints{1, 0, 1, 1}},
                         {"strides", Ints{2, 1}},
                         {"group", std::int64_t{2}}},
          .inputs = {{2, 6, 5, 4}},
          .pass = pass};
}

TEST(Terms, OfWholeMapsAreNoSmallerThanAnElementsOwn) {
  for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
    const Problem problem = conv(pass).problem();
    TestValues values = draw(problem, TestData::reals, 3);
    const graph::EvalContext context;
    evaluate_reference(problem, context, values);
    const TestValues own = absolute_terms(problem, context, values),
                     maps = absolute_terms(problem, context, values, ErrorTerms::whole_maps);
    std::int64_t compared = 0;
    const auto expect_covered = [&](const auto& small, const auto& large) {
      for (std::size_t i = 0; i < small.size(); ++i) {
        ASSERT_EQ(small[i].size(), large[i].size());
        for (std::size_t e = 0; e < small[i].size(); ++e, ++compared)
          EXPECT_LE(small[i][e], large[i][e] * (1 + 1e-12))
              << name(pass) << " array " << i << " element " << e;
      }
    };
    if (pass == Pass::forward) expect_covered(own.outputs, maps.outputs);
    if (pass == Pass::backward_data) expect_covered(own.input_gradients, maps.input_gradients);
    if (pass == Pass::backward_weights) expect_covered(own.param_gradients, maps.param_gradients);
    EXPECT_GT(compared, 70);
  }
}

// One channel, one filter, one image: the formulas by hand.
TEST(Terms, OfWholeMapsFollowTheirFormulas) {
  TestCase test = conv(Pass::backward_weights);
  test.attributes = {{"output_channels", std::int64_t{1}}, {"kernel_shape", Ints{1, 2}}};
  test.inputs = {{1, 1, 1, 3}};
  const Problem problem = test.problem();
  TestValues values = draw(problem, TestData::reals, 1);
  values.inputs[0] = {1, -4, 2};
  values.params = {{3, -5}, {-7}};
  values.output_gradients[0] = {2, -9};
  evaluate_reference(problem, {}, values);
  const TestValues terms = absolute_terms(problem, {}, values, ErrorTerms::whole_maps);
  EXPECT_EQ(terms.outputs[0], (std::vector<double>{39, 39}));              // 4 (3 + 5) + 7
  EXPECT_EQ(terms.input_gradients[0], (std::vector<double>{72, 72, 72}));  // 9 (3 + 5)
  EXPECT_EQ(terms.param_gradients[0], (std::vector<double>{44, 44}));      // (2 + 9) 4
  EXPECT_EQ(terms.param_gradients[1], std::vector<double>{11});
}

// The growth with which the error of Fault::relative_error is too large for the element's own terms and small
// enough for its map's.
double growth_between(const Problem& problem) {
  TestValues values = draw(problem, TestData::reals, 1);
  evaluate_reference(problem, {}, values);
  const double own = absolute_terms(problem, {}, values).outputs[0][1],
               maps = absolute_terms(problem, {}, values, ErrorTerms::whole_maps).outputs[0][1];
  return 1e-4 * std::abs(values.outputs[0][1]) / std::numeric_limits<float>::epsilon() /
         std::sqrt(own * maps);
}

TEST(Sabotage, OnlyEntriesOfWholeMapsMayErrByThem) {
  KernelEntry entry = *find(catalog(), "Conv", "onednn");
  entry.make = make_faulty<Fault::relative_error>;
  entry.error_growth = growth_between;
  EXPECT_GT(growth_between(conv(Pass::forward).problem()), 50);
  EXPECT_TRUE(contains(find_fault(entry, conv(Pass::forward)).value_or("nothing"), "output 0 element 1 "));
  entry.error_terms = ErrorTerms::whole_maps;
  EXPECT_EQ(find_fault(entry, conv(Pass::forward)).value_or("nothing"), "nothing");
}

}  // namespace
}  // namespace convoy::kernels
