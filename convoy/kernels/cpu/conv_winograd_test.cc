// What the conformance suite does not reach: blocks of tiles and channels beyond the first, groups of tiles,
// and how exact the variants are.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "convoy/base/threads.h"
#include "convoy/kernels/convert.h"
#include "convoy/kernels/cpu/conv_winograd_plan.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/kernel_terms.h"
#include "convoy/kernels/kernel_tester.h"
#include "convoy/layers/catalog.h"
#include "convoy/tensor/view.h"

namespace convoy::kernels::cpu {
namespace {

using Ints = std::vector<std::int64_t>;
constexpr Pass kPasses[] = {Pass::forward, Pass::backward_data, Pass::backward_weights};

std::vector<KernelEntry> variants() {
  return {conv_winograd_f2_entry(), conv_winograd_f4_entry(), conv_winograd_f6_entry(),
          conv_winograd_f7_entry(), conv_winograd_f2r5_entry()};
}
std::int64_t taps(const KernelEntry& entry) { return entry.name == "winograd:f2r5" ? 5 : 3; }

struct Size {
  std::int64_t n, c, k, h, w;
  Ints pads;
};

TestCase test_case(const KernelEntry& entry, const Size& size, Pass pass) {
  return {.kind = &layers::kConv,
          .attributes = {{"output_channels", size.k},
                         {"kernel_shape", Ints{taps(entry), taps(entry)}},
                         {"pads", size.pads}},
          .inputs = {{size.n, size.c, size.h, size.w}},
          .pass = pass,
          .family = LayoutFamily::blocked,
          .seed = 11};
}

void expect_sound(const KernelEntry& entry, const Size& size) {
  for (const Pass pass : kPasses)
    for (const int threads : {1, 2}) {
      TestCase test = test_case(entry, size, pass);
      test.threads = threads;
      base::set_thread_count(threads);
      ASSERT_TRUE(entry.supports(test.problem()).ok());
      EXPECT_EQ(find_fault(entry, test).value_or("sound"), "sound") << entry.name << ' ' << test.str();
    }
}

// Many tiles and few channels: each thread works through several blocks of tiles, with a remainder.
TEST(ConvWinograd, ManyBlocksOfTiles) {
  on_each_instruction_set([] {
    for (const KernelEntry& entry : variants()) expect_sound(entry, {1, 20, 18, 47, 45, {1, 2, 0, 3}});
  });
}

// Few tiles and many channels: panels and rectangles of filters, sums over several chunks of channels.
TEST(ConvWinograd, ManyPanelsAndChunksOfChannels) {
  on_each_instruction_set([] {
    for (const KernelEntry& entry : variants()) expect_sound(entry, {1, 150, 72, 7, 8, {1, 1, 1, 1}});
  });
}

// Padding larger than the image and the filter: tiles that hold nothing but zeros, negative padding
// backwards.
TEST(ConvWinograd, WidePadding) {
  on_each_instruction_set([] {
    for (const KernelEntry& entry : variants()) expect_sound(entry, {2, 3, 5, 6, 5, {7, 0, 6, 9}});
  });
}

TEST(ConvWinograd, RefusesWhatItCannotServe) {
  on_each_instruction_set([] {
    const Size size{1, 4, 4, 9, 9, {1, 1, 1, 1}};
    const KernelEntry entry = conv_winograd_f4_entry();
    const auto reason = [&](const char* attribute, Ints value) {
      TestCase test = test_case(entry, size, Pass::forward);
      test.attributes.set(attribute, value);
      const base::Verdict verdict = entry.supports(test.problem());
      return verdict.ok() ? std::string() : verdict.reason().text;
    };
    EXPECT_EQ(reason("strides", {2, 1}), "only stride 1, not 2x1");
    EXPECT_EQ(reason("dilations", {1, 2}), "only dilation 1, not 1x2");
    EXPECT_EQ(reason("kernel_shape", {3, 5}), "only filters of 3x3, not 3x5");
  });
}

// Both ways of dividing the work, and several groups of tiles, must occur for real layers.
TEST(ConvWinograd, BlockingFollowsTheSizes) {
  on_each_instruction_set([] {
    const auto shape = [](std::int64_t n, std::int64_t channels, std::int64_t size, Pass pass) {
      const ConvGeometry g{.n = n,
                           .c = channels,
                           .h = size,
                           .w = size,
                           .k = channels,
                           .r = 3,
                           .s = 3,
                           .p = size,
                           .q = size,
                           .pad_top = 1,
                           .pad_left = 1,
                           .pad_bottom = 1,
                           .pad_right = 1};
      return WinogradShape(g, pass, {4, 3});
    };
    EXPECT_FALSE(data_blocking(shape(2, 64, 224, Pass::forward), 2).by_panels);
    EXPECT_TRUE(data_blocking(shape(8, 512, 14, Pass::forward), 2).by_panels);
    const WinogradShape large = shape(64, 512, 28, Pass::forward);
    EXPECT_LT(data_blocking(large, 2).tiles, large.tiles);
    EXPECT_FALSE(weights_blocking(shape(2, 64, 224, Pass::backward_weights), 2).by_filters);
    EXPECT_TRUE(weights_blocking(shape(8, 512, 7, Pass::backward_weights), 2).by_filters);
  });
}

// An array in a layout.
struct Array {
  Array(const tensor::Shape& size, Layout order, const std::vector<double>& values)
      : shape(size), layout(std::move(order)), buffer(layout.storage_bytes(shape, tensor::DType::f32)) {
    std::vector<float> plain(values.begin(), values.end());
    make_reference_converter({shape, tensor::DType::f32, Layout::plain(), layout})->run(plain.data(), data());
  }
  void* data() { return buffer.data(); }
  std::vector<float> values() {
    std::vector<float> plain(static_cast<std::size_t>(shape.count()));
    make_reference_converter({shape, tensor::DType::f32, layout, Layout::plain()})->run(data(), plain.data());
    return plain;
  }
  tensor::Shape shape;
  Layout layout;
  tensor::Buffer buffer;
};

// Root mean square of the errors, relative to that of the right values.
double relative(const std::vector<float>& got, const std::vector<double>& right) {
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    errors += (static_cast<double>(got[i]) - right[i]) * (static_cast<double>(got[i]) - right[i]);
    squares += right[i] * right[i];
  }
  return std::sqrt(errors / squares);
}

// Of a variant on uniform data, 64 to 32 channels.
double relative_error(const KernelEntry& entry, Pass pass) {
  const Problem problem = test_case(entry, {1, 64, 32, 28, 28, Ints(4, taps(entry) / 2)}, pass).problem();
  TestValues values = draw(problem, TestData::reals, 5);
  evaluate_reference(problem, {}, values);
  const auto kernel = entry.make(problem);
  const KernelTraits& traits = kernel->traits();
  const bool forward = pass == Pass::forward, data = pass == Pass::backward_data;
  Array x(problem.inputs[0], traits.inputs[0], values.inputs[0]);
  Array w(problem.params[0].shape, traits.params[0], values.params[0]);
  Array b(problem.params[1].shape, Layout::plain(), values.params[1]);
  Array y(problem.outputs[0], traits.outputs[0], values.output_gradients[0]);
  Array& result = forward ? y : data ? x : w;  // no pass reads what it writes
  tensor::Buffer workspace(traits.workspace_bytes);
  const void* const inputs[] = {x.data()};
  const void* const params[] = {w.data(), b.data()};
  const void* const dy[] = {y.data()};
  void* const outputs[] = {result.data()};
  void* const filters[] = {result.data(), b.data()};
  kernel->run({.inputs = inputs,
               .params = params,
               .outputs = outputs,
               .output_gradients = dy,
               .input_gradients = outputs,
               .param_gradients = filters,
               .workspace = workspace.data()});
  return relative(result.values(), forward ? values.outputs[0]
                                   : data  ? values.input_gradients[0]
                                           : values.param_gradients[0]);
}

// The order of the literature (Lavin and Gray 2016; Barabasz et al. 2020): F(2x2) as exact as direct sums,
// which err by 2e-7 here, F(4x4) an order above, then F(6x6) and F(7x7). docs/numerics.md has the figures.
TEST(ConvWinograd, ErrorsGrowWithTheTile) {
  on_each_instruction_set([] {
    base::set_thread_count(1);
    for (const Pass pass : kPasses) {
      const double f2 = relative_error(conv_winograd_f2_entry(), pass),
                   f4 = relative_error(conv_winograd_f4_entry(), pass),
                   f6 = relative_error(conv_winograd_f6_entry(), pass),
                   f7 = relative_error(conv_winograd_f7_entry(), pass);
      SCOPED_TRACE(name(pass));
      EXPECT_LT(f2, 1e-6);
      EXPECT_LT(f2, f4);
      EXPECT_LT(f4, 4e-6);
      EXPECT_LT(f4, f6);
      EXPECT_LT(f6, 6e-6);
      EXPECT_LT(f6, f7);
      EXPECT_LT(f7, 2e-5);
      EXPECT_LT(relative_error(conv_winograd_f2r5_entry(), pass), 1e-5);
    }
  });
}

}  // namespace
}  // namespace convoy::kernels::cpu
