#include "convoy/plan/verify.h"

#include <gtest/gtest.h>

#include <functional>

#include "convoy/plan/order.h"
#include "tests/support/hand_program.h"

namespace convoy::plan {
namespace {

using kernels::Layout;
using kernels::Pass;
using testing::HandProgram;
using testing::slot_named;
using testing::slot_of;
using testing::step_named;
using testing::step_of;
using testing::two_layer_program;

Program planned() {
  Program program = two_layer_program();
  plan_memory(program, true);
  return program;
}

Program separate() {
  Program program = two_layer_program();
  plan_memory(program, false);
  return program;
}

// Applies one mistake to a Program that holds, and expects the reason that names it.
void expect_refused(Program program, const std::function<void(Program&)>& sabotage, const std::string& why) {
  const base::Verdict before = verify(program);
  ASSERT_TRUE(before.ok()) << before.reason().text;
  sabotage(program);
  const base::Verdict after = verify(program);
  ASSERT_FALSE(after.ok()) << "accepted; expected: " << why;
  EXPECT_NE(after.reason().text.find(why), std::string::npos) << after.reason().text;
  EXPECT_EQ(after.reason().text.find('\n'), std::string::npos);
}

void erase_step(Program& program, const std::string& label, StepKind kind) {
  for (std::size_t i = 0; i < program.steps.size(); ++i)
    if (program.steps[i].label == label && program.steps[i].kind == kind) {
      program.steps.erase(program.steps.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  FAIL() << "no step " << label;
}

void swap_steps(Program& program, int a, int b) {
  std::swap(program.steps[static_cast<std::size_t>(a)], program.steps[static_cast<std::size_t>(b)]);
}

KernelCall& kernel_of(Program& program, const char* label) {
  return program.kernels[static_cast<std::size_t>(step_of(program, label).kernel)];
}

TEST(Verify, AcceptsASoundProgram) {
  for (const Program& program : {planned(), separate()}) {
    const base::Verdict verdict = verify(program);
    EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
  }
}

// --- slots ------------------------------------------------------------------------------------------------

TEST(VerifySlots, UnalignedOffset) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").offset += 4; }, "is not aligned to 64 bytes");
}
TEST(VerifySlots, NegativeOffset) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").offset = -64; }, "is not aligned");
}
TEST(VerifySlots, BeyondTheArena) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").offset = p.arena_bytes; }, "leave the arena");
}
TEST(VerifySlots, HugeSizesDoNotOverflow) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").bytes = INT64_MAX; }, "leave the arena");
}
TEST(VerifySlots, TooFewBytes) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").bytes = 28; }, "28 bytes are too few for 2x4 f32");
}
TEST(VerifySlots, TooFewBytesForTheLayoutsPadding) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").layout = Layout::parse("aB16b", 2).value(); },
      "32 bytes are too few for 2x4 f32 in aB16b");
}
TEST(VerifySlots, LayoutOfAnotherRank) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").layout = Layout::parse("acb", 3).value(); },
      "layout \"acb\" of rank 2");
}
TEST(VerifySlots, GroupsThatDoNotDivide) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").layout = Layout::parse("g3:acb", 2).value(); },
      "3 groups do not divide 2");
}
TEST(VerifySlots, UnknownSegment) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "fc1.weight").segment = 2; }, "segment 2 does not exist");
}
TEST(VerifySlots, SegmentOfAnotherSize) {
  expect_refused(
      separate(), [](Program& p) { p.layout.segments[0].count = 15; }, "fc1.weight has 15 of f32");
}
TEST(VerifySlots, SegmentOfAnotherType) {
  expect_refused(
      separate(), [](Program& p) { p.layout.type = tensor::DType::f16; }, "has 16 of f16");
}
TEST(VerifySlots, SegmentInAnotherLayout) {
  expect_refused(
      separate(), [](Program& p) { p.layout.segments[0].layout_tag = "ba"; }, "that of fc1.weight is ba");
}
TEST(VerifySlots, GradientOfState) {
  expect_refused(
      separate(), [](Program& p) { p.layout.segments[0].kind = tensor::SegmentKind::state; },
      "which is state");
}
TEST(VerifySlots, NextStateOfAParameter) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "fc1.weight.gradient").region = Region::next_state; },
      "which is a parameter");
}
TEST(VerifySlots, TwoGradientSlotsOfOneSegment) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "fc1.weight.gradient").segment = 1; },
      "it is the same memory as slot");
}
TEST(VerifySlots, SecondInput) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "h").region = Region::input; }, "not the Program's input slot");
}
TEST(VerifySlots, InputThatIsNone) {
  expect_refused(
      separate(), [](Program& p) { p.input_slot = -1; }, "not the Program's input slot");
}
TEST(VerifySlots, MissingOutput) {
  expect_refused(
      separate(), [](Program& p) { p.output_slot = -1; }, "the Program has no output slot");
}
TEST(VerifySlots, MissingLoss) {
  expect_refused(
      separate(), [](Program& p) { p.loss_slot = -1; }, "the Program has no loss slot");
}
TEST(VerifySlots, LossOfManyElements) {
  expect_refused(
      separate(), [](Program& p) { p.loss_slot = slot_named(p, "h"); }, "the loss is no single number");
}
TEST(VerifySlots, UnknownOutput) {
  expect_refused(
      separate(), [](Program& p) { p.output_slot = 99; }, "the output slot 99 does not exist");
}

// --- operands ---------------------------------------------------------------------------------------------

TEST(VerifyOperands, UnknownSlot) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "relu forward").operands.inputs[0] = 99; },
      "slot 99 does not exist");
}
TEST(VerifyOperands, UnknownKernel) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "relu forward").kernel = 99; }, "kernel 99 does not exist");
}
TEST(VerifyOperands, UnknownFillTarget) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "fill").to = -1; }, "slot -1 does not exist");
}
TEST(VerifyOperands, AbsentInput) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "fc2 forward").operands.inputs[0] = -1; }, "input 0 is absent");
}
TEST(VerifyOperands, AbsentParameter) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "fc2 forward").operands.params.clear(); },
      "parameter 0 is absent");
}
TEST(VerifyOperands, AbsentForwardArray) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "relu backward").operands.outputs[0] = -1; },
      "output 0 is absent");
}
TEST(VerifyOperands, AbsentParameterGradient) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "fc2 backward_weights").operands.param_gradients[0] = -1; },
      "parameter gradient 0 is absent");
}
TEST(VerifyOperands, TooManyInputs) {
  expect_refused(
      separate(),
      [](Program& p) { step_of(p, "relu forward").operands.inputs.push_back(slot_named(p, "h")); },
      "2 operands for 1 inputs");
}
TEST(VerifyOperands, AGradientThatTheKernelDoesNotWrite) {
  expect_refused(
      separate(), [](Program& p) { kernel_of(p, "relu backward").problem.wanted[0] = false; },
      "does not write");
}
TEST(VerifyOperands, AForwardPassWithGradients) {
  expect_refused(
      separate(),
      [](Program& p) {
        step_of(p, "fc2 forward").operands.param_gradients = {slot_named(p, "fc2.weight.gradient")};
      },
      "does not write");
}
TEST(VerifyOperands, AnotherShape) {
  expect_refused(
      separate(),
      [](Program& p) {
        kernel_of(p, "relu forward").problem.inputs[0] = {2, 5};
      },
      "of shape 2x4; 2x5 is wanted");
}
TEST(VerifyOperands, AnotherType) {
  expect_refused(
      separate(), [](Program& p) { kernel_of(p, "relu forward").problem.type = tensor::DType::f16; },
      "of f32; f16 is wanted");
  expect_refused(
      separate(),
      [](Program& p) { kernel_of(p, "fc1 forward").traits.param_types.assign(2, tensor::DType::bf16); },
      "of f32; bf16 is wanted");
}
TEST(VerifyOperands, AnotherLayout) {
  expect_refused(
      separate(),
      [](Program& p) { kernel_of(p, "relu forward").traits.inputs[0] = Layout::parse("ba", 2).value(); },
      "in layout plain; ba is wanted: a convert misses");
}
TEST(VerifyOperands, TraitsOfAnotherProblem) {
  expect_refused(
      separate(), [](Program& p) { kernel_of(p, "relu forward").traits.inputs.clear(); },
      "layouts for other operands");
}
TEST(VerifyOperands, AViewsOtherShapeIsTheSameArray) {
  Program program = separate();
  slot_of(program, "h").shape = {2, 2, 2};
  const base::Verdict verdict = verify(program);
  EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
}
TEST(VerifyOperands, WorkspaceTooSmall) {
  expect_refused(
      separate(), [](Program& p) { kernel_of(p, "fc2 backward_weights").traits.workspace_bytes = 301; },
      "has 300 bytes; 301 are wanted");
}
TEST(VerifyOperands, WorkspaceAbsent) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "fc2 backward_weights").operands.workspace = -1; },
      "it needs a workspace of 300 bytes and has none");
}
TEST(VerifyOperands, SavedAbsent) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "loss backward").operands.saved = -1; },
      "it needs a saved array of 100 bytes and has none");
}
TEST(VerifyOperands, SavedByAnotherEntry) {
  expect_refused(
      separate(), [](Program& p) { kernel_of(p, "loss backward").entry = "onednn"; },
      "onednn/plain cannot read what reference/plain saved");
}
TEST(VerifyOperands, WritesToTheBatch) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "fill").to = slot_named(p, "x"); },
      "the input region is read-only");
}
TEST(VerifyOperands, WritesToParameters) {
  expect_refused(
      separate(), [](Program& p) { step_of(p, "fill").to = slot_named(p, "fc1.weight"); },
      "the parameter region is read-only");
}

Program moving(StepKind kind, const std::function<void(Program&)>& change) {
  HandProgram hand(StepConfig::Mode::predict);
  const int x = hand.program.input_slot = hand.slot("x", {2, 4}, Region::input);
  const int y = hand.program.output_slot = hand.slot("y", {2, 4});
  hand.fill(y, 0);
  hand.move(kind, x, y);
  change(hand.program);
  plan_memory(hand.program, true);
  return std::move(hand.program);
}

TEST(VerifyOperands, ConvertAndReduce) {
  const auto nothing = [](Program&) {};
  const auto other_count = [](Program& p) { slot_of(p, "x").shape = {2, 3}; };
  const auto other_type = [](Program& p) { slot_of(p, "x").type = tensor::DType::i32; };
  const auto transposed = [](Program& p) { slot_of(p, "x").layout = Layout::parse("ba", 2).value(); };
  EXPECT_TRUE(verify(moving(StepKind::convert, nothing)).ok());
  EXPECT_TRUE(verify(moving(StepKind::convert, transposed)).ok());
  EXPECT_TRUE(verify(moving(StepKind::reduce_into, nothing)).ok());
  for (const StepKind kind : {StepKind::convert, StepKind::reduce_into}) {
    EXPECT_FALSE(verify(moving(kind, other_count)).ok());
    EXPECT_FALSE(verify(moving(kind, other_type)).ok());
  }
  const auto narrow = [](Program& p) { slot_of(p, "y").type = tensor::DType::bf16; };
  EXPECT_TRUE(verify(moving(StepKind::convert, narrow)).ok());
  EXPECT_FALSE(verify(moving(StepKind::reduce_into, narrow)).ok());
  const base::Verdict verdict = verify(moving(StepKind::reduce_into, transposed));
  ASSERT_FALSE(verdict.ok());
  EXPECT_NE(verdict.reason().text.find("in layout ba is added to one in plain"), std::string::npos);
}

TEST(VerifyOperands, AddsAnArrayToItself) {
  expect_refused(
      moving(StepKind::reduce_into, [](Program&) {}), [](Program& p) { step_of(p, "move").from = 1; },
      "which it reads and may not overwrite");
}

// --- values -----------------------------------------------------------------------------------------------

TEST(VerifyValues, ReadBeforeWrite) {
  expect_refused(
      separate(), [](Program& p) { erase_step(p, "fc1 forward", StepKind::compute); },
      "reads slot 2 'h' before it is written whole");
}
TEST(VerifyValues, SwappedSteps) {
  expect_refused(
      separate(),
      [](Program& p) { swap_steps(p, step_named(p, "fc1 forward"), step_named(p, "relu forward")); },
      "before it is written whole");
}
TEST(VerifyValues, OverlappingLiveSlots) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y").offset = slot_of(p, "r").offset; }, "may not overwrite");
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "y.gradient").offset = slot_of(p, "r").offset; },
      "whose place holds slot");
}
TEST(VerifyValues, PartialOverlap) {
  // The saved array begins one line into the 320 bytes of workspace: still live? No: dead by then.
  Program sound = separate();
  slot_of(sound, "loss.saved").offset = slot_of(sound, "fc2.workspace").offset + 64;
  EXPECT_TRUE(verify(sound).ok());
  // r, which relu's backward reads, within the workspace of fc2's.
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "r").offset = slot_of(p, "fc2.workspace").offset + 128; },
      "fc2.workspace' over slot 3 'r'");
}
TEST(VerifyValues, WorkspaceOverALiveArray) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "loss").offset = slot_of(p, "fc2.workspace").offset + 64; },
      "the loss is slot 7 'loss', whose place was used as workspace since");
}
TEST(VerifyValues, OutputOverwritten) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "h.gradient").offset = slot_of(p, "y").offset; },
      "the output is slot 5 'y', whose place holds slot");
}
TEST(VerifyValues, OutputNeverWritten) {
  expect_refused(
      separate(),
      [](Program& p) {
        p.slots.push_back(slot_of(p, "y"));
        p.output_slot = static_cast<int>(p.slots.size()) - 1;
      },
      "the output is slot");
}
TEST(VerifyValues, InPlaceWithoutTheKernelsConsent) {
  Program program = planned();
  ASSERT_EQ(slot_of(program, "h").offset, slot_of(program, "r").offset);
  expect_refused(
      program, [](Program& p) { kernel_of(p, "relu forward").traits.in_place = false; }, "may not overwrite");
}
TEST(VerifyValues, InPlaceButShifted) {
  Program program = separate();
  slot_of(program, "h").bytes = slot_of(program, "r").bytes = 128;
  slot_of(program, "h").offset = 0;
  slot_of(program, "r").offset = 64;
  for (const char* name : {"y", "loss.saved", "loss", "loss.gradient", "y.gradient", "fc2.workspace",
                           "r.gradient", "h.gradient"})
    slot_of(program, name).offset += 128;
  program.arena_bytes += 128;
  const base::Verdict verdict = verify(program);
  ASSERT_FALSE(verdict.ok());
  EXPECT_NE(verdict.reason().text.find("may not overwrite"), std::string::npos) << verdict.reason().text;
}
TEST(VerifyValues, TwoResultsInOnePlace) {
  expect_refused(
      separate(), [](Program& p) { slot_of(p, "loss.saved").offset = slot_of(p, "loss").offset; },
      "in one place");
}
TEST(VerifyValues, SavedNeverSaved) {
  expect_refused(
      separate(),
      [](Program& p) {
        step_of(p, "loss backward").operands.saved = slot_named(p, "fc2.workspace");
        p.steps.insert(p.steps.begin() + step_named(p, "loss backward"), Step());
        p.steps[static_cast<std::size_t>(step_named(p, "loss backward")) - 1] = {
            .kind = StepKind::fill, .label = "zero", .to = slot_named(p, "fc2.workspace")};
      },
      "was saved by no forward pass");
}

// --- segments ---------------------------------------------------------------------------------------------

TEST(VerifySegments, MissingAcquire) {
  expect_refused(
      planned(), [](Program& p) { erase_step(p, "fc1.weight", StepKind::acquire); }, "before it is acquired");
}
// The gradient of the layer's weights leaves in pieces.
void give_in_pieces(Program& program, const char* label) {
  step_of(program, label).operands.in_pieces = true;
  kernel_of(program, label).traits.in_pieces = true;
}

Program in_pieces() {
  Program program = planned();
  give_in_pieces(program, "fc1 backward_weights");
  return program;
}

TEST(VerifySegments, PiecesOfAKernelThatGivesNone) {
  expect_refused(
      in_pieces(), [](Program& p) { kernel_of(p, "fc1 backward_weights").traits.in_pieces = false; },
      "its kernel gives no gradient in pieces");
}

TEST(VerifySegments, PiecesOfNoSegment) {
  expect_refused(
      in_pieces(), [](Program& p) { step_of(p, "fc1 forward").operands.in_pieces = true; },
      "it gives a gradient in pieces that is no segment's");
}

// The hand-written Program reads the second layer's weights once more behind their gradient.
TEST(VerifySegments, PiecesChangeAParameterThatIsStillRead) {
  expect_refused(
      in_pieces(), [](Program& p) { give_in_pieces(p, "fc2 backward_weights"); },
      "its pieces change a parameter before");
}

TEST(VerifySegments, AcquireOfAnotherSegment) {
  expect_refused(
      planned(), [](Program& p) { step_of(p, "fc1.weight").segment = 1; },
      "no parameter slot of that segment");
}
TEST(VerifySegments, AcquireIntoTheArena) {
  expect_refused(
      planned(), [](Program& p) { step_of(p, "fc1.weight").to = slot_named(p, "h"); },
      "no parameter slot of that segment");
}
TEST(VerifySegments, TwoPhasesInOneSlot) {
  expect_refused(
      planned(),
      [](Program& p) {
        for (Step& step : p.steps)
          if (step.kind == StepKind::acquire && step.backward) step.to = slot_named(p, "fc2.weight");
      },
      "before it is acquired");
  expect_refused(
      planned(),
      [](Program& p) {
        p.steps.insert(p.steps.begin() + 2, p.steps[1]);
        p.steps[2].backward = true;
      },
      "is bound already by step 1");
}
TEST(VerifySegments, AcquiredTwiceForOnePhase) {
  expect_refused(
      planned(),
      [](Program& p) {
        for (Step& step : p.steps) step.backward = false;
      },
      "is acquired already for forward");
}
TEST(VerifySegments, ReadsTheOtherPhasesParameters) {
  expect_refused(
      planned(),
      [](Program& p) { step_of(p, "fc2 backward_data").operands.params[0] = slot_named(p, "fc2.weight"); },
      "which is acquired for forward");
}
TEST(VerifySegments, MissingReady) {
  expect_refused(
      planned(), [](Program& p) { erase_step(p, "fc1.weight", StepKind::ready); },
      "fc1.weight: its gradient is announced 0 times");
}
TEST(VerifySegments, TwoReadies) {
  expect_refused(
      planned(), [](Program& p) { p.steps.push_back(p.steps[p.steps.size() - 2]); }, "is announced 2 times");
}
TEST(VerifySegments, ReadyBeforeTheLastWrite) {
  expect_refused(
      planned(),
      [](Program& p) {
        const int write = step_named(p, "fc1 backward_weights");
        swap_steps(p, write, write + 1);
      },
      "(ready fc1.weight): reads slot 15 'fc1.weight.gradient'");
}
TEST(VerifySegments, ReadyOfAnotherGradient) {
  expect_refused(
      planned(), [](Program& p) { p.steps[p.steps.size() - 2].from = slot_named(p, "fc2.weight.gradient"); },
      "it announces slot 10 'fc2.weight.gradient', which is no gradient of segment 0");
}
TEST(VerifySegments, TwoGradientsInOnePlaceAtOnce) {
  expect_refused(
      planned(),
      [](Program& p) {  // fc2's waits until fc1's is there, in the same place
        const auto ready = std::find_if(p.steps.begin(), p.steps.end(),
                                        [](const Step& step) { return step.kind == StepKind::ready; });
        std::rotate(ready, ready + 1, p.steps.end());
      },
      "(ready fc2.weight): reads slot 10 'fc2.weight.gradient', whose place holds slot 15");
}
TEST(VerifySegments, GradientWithoutAPlace) {
  expect_refused(
      planned(), [](Program& p) { slot_of(p, "fc1.weight.gradient").offset = -1; }, "offset -1");
  expect_refused(
      planned(), [](Program& p) { p.gradient_bytes = 32; }, "leave the arena of 32");
}
TEST(VerifySegments, ReadyBeforeTheLastReadOfTheParameter) {
  expect_refused(
      planned(),
      [](Program& p) {
        const int read = step_named(p, "fc2 backward_data");
        swap_steps(p, read, read + 1);
      },
      "uses the parameter");
}
TEST(VerifySegments, GradientReadAfterReady) {
  expect_refused(
      planned(),
      [](Program& p) {
        Step late;
        late.kind = StepKind::convert;
        late.label = "late";
        late.from = slot_named(p, "fc1.weight.gradient");
        p.slots.push_back(slot_of(p, "h"));
        p.slots.back().shape = {4, 4};
        p.slots.back().bytes = 64;
        p.slots.back().offset = p.arena_bytes;
        p.arena_bytes += 64;
        late.to = static_cast<int>(p.slots.size()) - 1;
        p.steps.push_back(late);
      },
      "reads the gradient");
}
TEST(VerifySegments, GradientNeverWritten) {
  expect_refused(
      planned(), [](Program& p) { erase_step(p, "fc1 backward_weights", StepKind::compute); },
      "(ready fc1.weight): reads slot 15 'fc1.weight.gradient'");
}
TEST(VerifySegments, ReadyOfWhatIsNoParameter) {
  expect_refused(
      planned(), [](Program& p) { p.steps[p.steps.size() - 2].segment = 7; }, "segment 7 does not exist");
}
TEST(VerifySegments, ReadyInAnotherMode) {
  HandProgram hand(StepConfig::Mode::predict);
  hand.program.layout.append_replicated("w", {4}, tensor::SegmentKind::parameter, tensor::ParamRole::weight);
  hand.program.output_slot = hand.slot("y", {4});
  hand.fill(hand.program.output_slot, 0);
  plan_memory(hand.program, true);
  expect_refused(
      std::move(hand.program),
      [](Program& p) { p.steps.push_back({.kind = StepKind::ready, .label = "w", .segment = 0}); },
      "announces a gradient in mode predict");
}

// A step of batch normalisation: one state segment.
Program with_state(StepConfig::Mode mode) {
  HandProgram hand(mode);
  Program& p = hand.program;
  p.layout.append_replicated("bn.mean", {4}, tensor::SegmentKind::state, tensor::ParamRole::running_mean);
  const int x = p.input_slot = hand.slot("x", {2, 4}, Region::input);
  const int mean = hand.slot("bn.mean", {4}, Region::parameter, 0);
  const int next = hand.slot("bn.mean.next_state", {4}, Region::next_state, 0);
  const int y = p.output_slot = hand.slot("y", {2, 4});
  const int loss = p.loss_slot = hand.slot("loss", {});
  hand.acquire(0, mean, false);
  const bool training = mode == StepConfig::Mode::gradient;
  hand.compute("bn forward", layers::kBatchNormalization, Pass::forward,
               {.inputs = {x}, .params = {mean}, .outputs = {y}, .next_state = {training ? next : -1}});
  p.kernels[0].problem.params[0].kind = tensor::SegmentKind::state;
  hand.fill(loss, 0);
  plan_memory(p, true);
  return std::move(p);
}

TEST(VerifySegments, StateIsWrittenOnceWhenTraining) {
  const auto forget = [](Program& p) {
    p.kernels[0].problem.params[0].kind = tensor::SegmentKind::parameter;
    p.steps[1].operands.next_state.clear();
  };
  const auto twice = [](Program& p) {
    p.steps.push_back({.kind = StepKind::fill, .label = "again", .to = slot_named(p, "bn.mean.next_state")});
  };
  const StepConfig::Mode gradient = StepConfig::Mode::gradient, loss = StepConfig::Mode::loss;
  expect_refused(with_state(gradient), forget, "state bn.mean: 0 steps write its next value");
  expect_refused(with_state(gradient), twice, "state bn.mean: 2 steps write its next value");
  expect_refused(with_state(loss), twice, "in mode loss");
}
TEST(VerifySegments, AbsentNextState) {
  expect_refused(
      with_state(StepConfig::Mode::gradient), [](Program& p) { p.steps[1].operands.next_state[0] = -1; },
      "next state 0 is absent");
}

// --- several queues ---------------------------------------------------------------------------------------

// The weights' gradients move to queue 1, with tokens that make it sound:
//   queue 0: … loss backward (signals 1) … fc2 backward_data, relu backward (signals 2), …
//   queue 1: fc2 backward_weights (waits 1), fc1 backward_weights (waits 2)
//   queue 0: ready fc2, ready fc1, end, each after the token of its gradient.
Program two_queues() {
  Program p = separate();
  Step ready2 = p.steps[static_cast<std::size_t>(step_named(p, "relu backward")) - 1];
  p.steps.erase(p.steps.begin() + step_named(p, "relu backward") - 1);
  p.steps.insert(p.steps.begin() + step_named(p, "fc1 backward_weights") + 1, ready2);
  step_of(p, "loss backward").signals = 1;
  step_of(p, "relu backward").signals = 2;
  Step& fc2 = step_of(p, "fc2 backward_weights");
  Step& fc1 = step_of(p, "fc1 backward_weights");
  fc2.queue = fc1.queue = 1;
  fc2.waits = {1};
  fc2.signals = 3;
  fc1.waits = {2};
  fc1.signals = 4;
  for (Step& step : p.steps)
    if (step.kind == StepKind::ready) step.waits = {step.segment == 1 ? 3 : 4};
  return p;
}

TEST(VerifyQueues, AcceptsASoundProgram) {
  const base::Verdict verdict = verify(two_queues());
  EXPECT_TRUE(verdict.ok()) << verdict.reason().text;
}
TEST(VerifyQueues, DroppedWaitIsARace) {
  expect_refused(
      two_queues(), [](Program& p) { step_of(p, "fc1 backward_weights").waits.clear(); }, "race: ");
}
TEST(VerifyQueues, SharedMemoryAcrossQueuesIsARace) {
  // h.gradient over y.gradient: sound in order, but fc2 backward_weights may still be reading.
  Program on_one_queue = separate();
  slot_of(on_one_queue, "h.gradient").offset = slot_of(on_one_queue, "y.gradient").offset;
  EXPECT_TRUE(verify(on_one_queue).ok());
  expect_refused(
      two_queues(), [](Program& p) { slot_of(p, "h.gradient").offset = slot_of(p, "y.gradient").offset; },
      "race: ");
}
TEST(VerifyQueues, ReadyThatDoesNotWaitForItsGradient) {
  expect_refused(
      two_queues(),
      [](Program& p) {
        for (Step& step : p.steps)
          if (step.kind == StepKind::ready && step.segment == 0) step.waits.clear();
      },
      "race: step 14 (compute fc1 backward_weights) writes slot 15 'fc1.weight.gradient' and step 16");
}
TEST(VerifyQueues, TokenNobodySignals) {
  expect_refused(
      two_queues(), [](Program& p) { step_of(p, "loss backward").signals = -1; },
      "waits for token 1, which nothing signals");
}
TEST(VerifyQueues, TokenSignalledTwice) {
  expect_refused(
      two_queues(), [](Program& p) { step_of(p, "relu backward").signals = 1; },
      "is signalled already by step");
}
TEST(VerifyQueues, NegativeToken) {
  expect_refused(
      two_queues(), [](Program& p) { step_of(p, "fill").signals = -5; }, "token -5 is negative");
}
TEST(VerifyQueues, CycleIsADeadlock) {
  expect_refused(
      two_queues(), [](Program& p) { step_of(p, "loss backward").waits = {3}; }, "deadlock: step");
}
TEST(VerifyQueues, WaitingForOneselfIsADeadlock) {
  expect_refused(
      two_queues(), [](Program& p) { step_of(p, "loss backward").waits = {1}; }, "waits for itself");
}
TEST(VerifyQueues, WaitingForALaterStepOfTheSameQueueIsADeadlock) {
  expect_refused(
      two_queues(), [](Program& p) { step_of(p, "fill").waits = {2}; }, "deadlock: ");
}

TEST(OrderTest, FollowsQueuesAndTokens) {
  const Program program = two_queues();
  const auto order = Order::of(program);
  ASSERT_TRUE(order.ok());
  const auto at = [&](const char* label) { return step_named(program, label); };
  EXPECT_TRUE(order->before(at("loss backward"), at("fc2 backward_weights")));
  EXPECT_TRUE(order->before(at("forward"), at("fc1 backward_weights")));
  EXPECT_TRUE(order->before(at("fc2 backward_weights"), at("fc1 backward_weights")));
  EXPECT_TRUE(order->before(at("fc1 backward_weights"), at("end")));
  EXPECT_FALSE(order->before(at("fc1 backward_weights"), at("relu backward")));
  EXPECT_FALSE(order->ordered(at("fc2 backward_weights"), at("relu backward")));
  EXPECT_FALSE(order->before(at("end"), at("end")));
  EXPECT_EQ(order->sequence().size(), program.steps.size());
}

}  // namespace
}  // namespace convoy::plan
