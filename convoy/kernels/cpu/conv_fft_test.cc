// What the conformance suite's small problems do not reach: tiles in both axes, chunks of images and of
// filters, and groups of blocks.
#include "convoy/kernels/cpu/conv_fft.h"

#include <gtest/gtest.h>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_fft_plan.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/fft.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"

namespace convoy::kernels::cpu {
namespace {

using Ints = std::vector<std::int64_t>;
constexpr Pass kPasses[] = {Pass::forward, Pass::backward_data, Pass::backward_weights};

TestCase conv(tensor::Shape image, std::int64_t outputs, Ints filter, Ints pads) {
  return {.kind = &layers::kConv,
          .attributes = {{"output_channels", outputs}, {"kernel_shape", filter}, {"pads", pads}},
          .inputs = {image},
          .family = LayoutFamily::blocked};
}

void expect_sound(const KernelEntry& entry, TestCase test) {
  for (const Pass pass : kPasses)
    for (const int threads : {1, 2}) {
      test.pass = pass;
      test.threads = threads;
      test.training = threads == 1;
      test.epilogue = pass == Pass::forward && threads == 2 ? Epilogue::relu : Epilogue::none;
      base::set_thread_count(threads);
      const base::Verdict verdict = entry.supports(test.problem());
      ASSERT_TRUE(verdict.ok()) << verdict.reason().text;
      const auto fault = find_fault(entry, test);
      EXPECT_FALSE(fault.has_value()) << entry.name << ' ' << test.str() << ": " << fault.value_or("");
    }
}

TEST(ConvFft, ManyTilesAndWholeBlocks) {
  on_each_instruction_set([] {
    const TestCase test = conv({1, 3, 90, 75}, 5, {5, 3}, {2, 0, 1, 2});
    expect_sound(conv_fft_entry(), test);
    expect_sound(conv_fft_lean_entry(), test);
  });
}

TEST(ConvFft, LargeFiltersAndPaddingsBeyondThem) {
  on_each_instruction_set([] {
    expect_sound(conv_fft_entry(), conv({2, 3, 20, 18}, 5, {15, 13}, {7, 6, 7, 6}));
    expect_sound(conv_fft_entry(), conv({1, 2, 9, 12}, 3, {3, 4}, {5, 6, 4, 7}));
  });
}

constexpr std::int64_t kTiny_bytes = 440 << 10;

KernelEntry tiny_entry() {
  return {.name = "fft:tiny",
          .op = "Conv",
          .supports = [](const Problem& problem) { return supports_conv_fft(problem, kTiny_bytes); },
          .make = [](const Problem& problem) { return make_conv_fft(problem, kTiny_bytes); },
          .seconds =
              [](const Problem& problem, const machine::Machine& machine) {
                return conv_fft_seconds(problem, machine, kTiny_bytes);
              },
          .error_growth = [](const Problem& problem) { return conv_fft_error_growth(problem, kTiny_bytes); },
          .error_terms = ErrorTerms::whole_maps,
          .exact_on_integers = false};
}

// A limit so low that images and filters come in parts.
TEST(ConvFft, ChunksOfImagesAndFiltersAreWithinTheLimit) {
  on_each_instruction_set([] {
    const TestCase test = conv({8, 36, 12, 12}, 36, {5, 5}, {2, 2, 2, 2});
    int image_chunks = 0, block_chunks = 0;
    for (const Pass pass : kPasses) {
      TestCase of_pass = test;
      of_pass.pass = pass;
      const ConvGeometry g = ConvGeometry::of(of_pass.problem()).value();
      const auto whole = plan_conv_fft(g, pass, simd_lanes(), 1, std::int64_t{1} << 30);
      const auto tiny = plan_conv_fft(g, pass, simd_lanes(), 1, kTiny_bytes);
      ASSERT_TRUE(whole && tiny);
      EXPECT_EQ(whole->chunk_images, 8);
      EXPECT_EQ(whole->chunk_blocks, whole->out_blocks);
      EXPECT_LT(tiny->chunk_images * tiny->chunk_blocks, 8 * tiny->out_blocks);
      image_chunks += pass == Pass::backward_weights && tiny->chunk_images < 8;
      block_chunks += tiny->chunk_blocks < tiny->out_blocks;
      EXPECT_LE(tiny->workspace_bytes(), kTiny_bytes);
      EXPECT_FALSE(plan_conv_fft(g, pass, simd_lanes(), 1, 1 << 16));
    }
    EXPECT_EQ(image_chunks, 1);
    EXPECT_GE(block_chunks, 1);
    expect_sound(tiny_entry(), test);
  });
}

// Many input channels: not all output blocks of a chunk fit into the caches at once.
TEST(ConvFft, GroupsOfBlocks) {
  on_each_instruction_set([] {
    const TestCase wide = conv({1, 800, 6, 6}, 48, {3, 3}, {1, 1, 1, 1});
    const ConvGeometry g = ConvGeometry::of(wide.problem()).value();
    const auto plan = plan_conv_fft(g, Pass::forward, simd_lanes(), 1, std::int64_t{1} << 30);
    EXPECT_LT(plan->group_blocks, plan->chunk_blocks);
    base::set_thread_count(1);
    EXPECT_EQ(find_fault(conv_fft_entry(), wide), std::nullopt);
  });
}

// One tile with zeros on both sides: what wraps around meets zeros, and fewer points than inputs and filter
// suffice.
TEST(ConvFft, ATileMayWrapAroundItsPadding) {
  on_each_instruction_set([] {
    const TestCase test = conv({1, 2, 24, 22}, 3, {17, 15}, {8, 7, 8, 7});
    const ConvGeometry g = ConvGeometry::of(test.problem()).value();
    const auto plan = plan_conv_fft(g, Pass::forward, simd_lanes(), 1, std::int64_t{1} << 30);
    EXPECT_EQ(plan->shape.rows.points, 32);
    EXPECT_EQ(plan->shape.columns.points, 30);
    expect_sound(conv_fft_entry(), test);
  });
}

TEST(ConvFft, TilesCoverTheOutputsOnce) {
  on_each_instruction_set([] {
    for (const std::int64_t pad : {-2, 0, 3, 9})
      for (const std::int64_t filter : {3, 8}) {
        FftAxis axis{
            .input = 41, .output = 41 + 2 * pad - filter + 1, .filter = filter, .pad = pad, .points = 16};
        axis.tile = 16 - filter + 1;
        axis.tiles = (axis.output + axis.tile - 1) / axis.tile;
        std::int64_t outputs = 0;
        for (std::int64_t i = 0; i < axis.tiles; ++i) {
          const FftAxis::Range out = axis.outputs(i), in = axis.inputs(i);
          EXPECT_EQ(out.source, outputs);
          EXPECT_EQ(out.first, 0);
          outputs += out.count;
          EXPECT_LE(in.first + in.count, 16);
          EXPECT_LE(in.count, axis.max_inputs());
          if (in.count > 0) {
            EXPECT_EQ(in.source - in.first, i * axis.tile - pad);
            EXPECT_LE(in.source + in.count, 41);
          }
        }
        EXPECT_EQ(outputs, axis.output);
      }
  });
}

TEST(ConvFft, RefusesWhatItDoesNotServe) {
  on_each_instruction_set([] {
    const auto refusal = [](TestCase test,
                            const std::vector<std::pair<std::string, graph::AttributeValue>>& more) {
      for (const auto& [name, value] : more) test.attributes.set(name, value);
      const base::Verdict verdict = conv_fft_entry().supports(test.problem());
      return verdict ? std::string() : verdict.reason().text;
    };
    const TestCase test = conv({1, 4, 20, 20}, 4, {5, 5}, {0, 0, 0, 0});
    EXPECT_EQ(refusal(test, {}), "");
    EXPECT_NE(refusal(test, {{"strides", Ints{2, 1}}}).find("stride 1"), std::string::npos);
    EXPECT_NE(refusal(test, {{"dilations", Ints{1, 2}}}).find("dilation 1"), std::string::npos);
    EXPECT_NE(refusal(test, {{"group", std::int64_t{2}}}).find("group"), std::string::npos);
    EXPECT_NE(refusal(test, {{"kernel_shape", Ints{2, 5}}}).find("3x3"), std::string::npos);
    TestCase plain = test;
    plain.family = LayoutFamily::plain;
    EXPECT_NE(refusal(plain, {}).find("blocked"), std::string::npos);
    EXPECT_NE(refusal(conv({1, 1, 120, 120}, 1, {99, 99}, {0, 0, 0, 0}), {}).find("96 points"),
              std::string::npos);
  });
}

}  // namespace
}  // namespace convoy::kernels::cpu
