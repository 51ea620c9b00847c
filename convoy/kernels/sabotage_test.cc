// The kernel tester is tested: each of these broken kernels must be caught, and for the right reason.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "convoy/kernels/catalog.h"
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
};

// A sound kernel with one fault added behind each call.
template <Fault fault>
class Saboteur final : public Kernel {
 public:
  Saboteur(const Problem& problem, std::unique_ptr<Kernel> sound)
      : sound_(std::move(sound)), out_count_(sound_->traits().outputs[0].storage_count(problem.outputs[0])) {}

  const KernelTraits& traits() const override { return sound_->traits(); }
  std::string implementation() const override { return "sabotage"; }

  void run(const KernelArgs& args) const noexcept override {
    auto* out = static_cast<float*>(args.outputs[0]);
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
  }

 private:
  std::unique_ptr<Kernel> sound_;
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
}

}  // namespace
}  // namespace convoy::kernels
