#include "convoy/plan/print.h"

#include <gtest/gtest.h>

#include "tests/support/hand_program.h"

namespace convoy::plan {
namespace {

using testing::step_of;
using testing::two_layer_program;

Program planned() {
  Program program = two_layer_program();
  plan_memory(program, true);
  return program;
}

constexpr const char* kGolden = R"(program hand gradient batch 2 f32
steps
   0 mark forward
   1 acquire fc1.weight forward segment=0 to=fc1.weight[1]
   2 compute fc1 forward reference/plain in=x[0] params=fc1.weight[1] out=h[2]
   3 compute relu forward reference/plain in-place in=h[2] out=r[3]
   4 acquire fc2.weight forward segment=1 to=fc2.weight[4]
   5 compute fc2 forward reference/plain in=r[3] params=fc2.weight[4] out=y[5]
   6 compute loss forward reference/plain in=y[5] out=loss[7] saved=loss.saved[6]
   7 mark backward
   8 fill fill to=loss.gradient[8] value=1
   9 compute loss backward reference/plain in=y[5] dout=loss.gradient[8] din=y.gradient[9] saved=loss.saved[6]
  10 compute fc2 backward_weights reference/plain in=r[3] dout=y.gradient[9] dparams=fc2.weight.gradient[10] workspace=fc2.workspace[11]
  11 acquire fc2.weight backward segment=1 to=fc2.weight[12]
  12 compute fc2 backward_data reference/plain params=fc2.weight[12] dout=y.gradient[9] din=r.gradient[13]
  13 ready fc2.weight segment=1 from=fc2.weight.gradient[10]
  14 compute relu backward reference/plain in-place out=r[3] dout=r.gradient[13] din=h.gradient[14]
  15 compute fc1 backward_weights reference/plain in=x[0] dout=h.gradient[14] dparams=fc1.weight.gradient[15]
  16 ready fc1.weight segment=0 from=fc1.weight.gradient[15]
  17 mark end
slots
   0 x input 2x4 f32 plain bytes=32 steps 2..15
   1 fc1.weight parameter 4x4 f32 plain segment=0 bytes=64 steps 1..2
   2 h arena 2x4 f32 plain offset=320 bytes=32 steps 2..3
   3 r arena 2x4 f32 plain offset=320 bytes=32 steps 3..14
   4 fc2.weight parameter 4x4 f32 plain segment=1 bytes=64 steps 4..5
   5 y arena 2x4 f32 plain offset=384 bytes=32 steps 5..9
   6 loss.saved arena 100 u8 plain offset=0 bytes=100 steps 6..9
   7 loss arena scalar f32 plain offset=448 bytes=4 steps 6..6
   8 loss.gradient arena scalar f32 plain offset=128 bytes=4 steps 8..9
   9 y.gradient arena 2x4 f32 plain offset=512 bytes=32 steps 9..12
  10 fc2.weight.gradient gradient 4x4 f32 plain offset=0 segment=1 bytes=64 steps 10..13
  11 fc2.workspace arena 300 u8 plain offset=0 bytes=300 steps 10..10
  12 fc2.weight parameter 4x4 f32 plain segment=1 bytes=64 steps 11..12
  13 r.gradient arena 2x4 f32 plain offset=0 bytes=32 steps 12..14
  14 h.gradient arena 2x4 f32 plain offset=0 bytes=32 steps 14..15
  15 fc1.weight.gradient gradient 4x4 f32 plain offset=0 segment=0 bytes=64 steps 15..16
input=x[0] labels=- output=y[5] loss=loss[7]
steps=18 kernels=9 slots=16 segments=2 parameters=32
arena_bytes=576 unshared=960 bound=576 gradient_bytes=64
)";

TEST(Print, IsTheGoldenText) { EXPECT_EQ(print(planned(), false), kGolden); }

TEST(Print, EqualProgramsHaveEqualTexts) { EXPECT_EQ(print(planned(), true), print(planned(), true)); }

TEST(Print, ImplementationsOnRequest) {
  EXPECT_EQ(print(planned(), false).find("by hand"), std::string::npos);
  EXPECT_NE(print(planned(), true).find("relu forward reference/plain in-place (by hand) in=h[2] out=r[3]"),
            std::string::npos);
}

TEST(Print, ShowsQueuesTokensAndEpilogues) {
  Program program = planned();
  Step& step = step_of(program, "fc1 forward");
  step.queue = 2;
  step.waits = {4, 5};
  step.signals = 6;
  program.kernels[static_cast<std::size_t>(step.kernel)].problem.epilogue = kernels::Epilogue::relu;
  EXPECT_NE(
      print(program, false)
          .find("compute fc1 forward reference/plain+relu in=x[0] params=fc1.weight[1] out=h[2] queue=2 "
                "waits=4,5 signals=6\n"),
      std::string::npos)
      << print(program, false);
}

TEST(Print, EveryFieldThatMattersShows) {
  const std::string text = print(planned(), false);
  const auto differs = [&](auto change) {
    Program program = planned();
    change(program);
    return print(program, false) != text;
  };
  EXPECT_TRUE(differs([](Program& p) { p.config.batch = 3; }));
  EXPECT_TRUE(differs([](Program& p) { p.slots[2].offset += 64; }));
  EXPECT_TRUE(differs([](Program& p) { p.slots[2].layout = kernels::Layout::parse("ba", 2).value(); }));
  EXPECT_TRUE(differs([](Program& p) { step_of(p, "fill").value = 0.1; }));
  EXPECT_TRUE(differs([](Program& p) { step_of(p, "fill").to = 2; }));
  EXPECT_TRUE(differs([](Program& p) { p.steps[1].backward = true; }));
  EXPECT_TRUE(differs([](Program& p) { p.kernels[0].entry = "onednn"; }));
  EXPECT_TRUE(differs([](Program& p) { p.output_slot = 3; }));
}

}  // namespace
}  // namespace convoy::plan
