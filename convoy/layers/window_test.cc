#include "convoy/layers/window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "convoy/layers/catalog.h"
#include "convoy/layers/layer_case.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using Ints = std::vector<std::int64_t>;
using graph::Attributes;

struct Line {
  std::int64_t input, kernel, stride, begin, end, dilation;
};

Attributes attributes_of(const Line& line, std::int64_t ceil_mode, const std::string& auto_pad) {
  Attributes attributes = {{"kernel_shape", Ints{line.kernel}},
                           {"strides", Ints{line.stride}},
                           {"pads", Ints{line.begin, line.end}},
                           {"dilations", Ints{line.dilation}},
                           {"auto_pad", auto_pad}};
  attributes.set("ceil_mode", ceil_mode);
  return attributes;
}

// Slides the window by hand over the padded line and counts where it may stand.
std::int64_t count_positions(const Line& line, bool ceil_mode) {
  const std::int64_t padded = line.begin + line.input + line.end;
  const auto end_of = [&](std::int64_t start) {
    std::int64_t end = start;
    for (std::int64_t k = 1; k < line.kernel; ++k) end += line.dilation;
    return end + 1;
  };
  std::int64_t count = 0;
  for (std::int64_t start = 0; end_of(start) <= padded; start += line.stride) ++count;
  if (count == 0 || !ceil_mode) return count;
  const std::int64_t next = count * line.stride;
  const bool something_is_left = end_of(next - line.stride) < padded;
  const bool begins_before_end_padding = next < line.begin + line.input;
  return count + (something_is_left && begins_before_end_padding ? 1 : 0);
}

template <class Body>
void for_each_line(Body&& body) {
  for (std::int64_t input = 1; input <= 7; ++input)
    for (std::int64_t kernel = 1; kernel <= 4; ++kernel)
      for (std::int64_t stride = 1; stride <= 4; ++stride)
        for (std::int64_t begin = 0; begin <= 2; ++begin)
          for (std::int64_t end = 0; end <= 2; ++end)
            for (std::int64_t dilation = 1; dilation <= 3; ++dilation)
              body(Line{input, kernel, stride, begin, end, dilation});
}

std::string text(const Line& line) {
  return base::str("input ", line.input, " kernel ", line.kernel, " stride ", line.stride, " pads ",
                   line.begin, "+", line.end, " dilation ", line.dilation);
}

TEST(Window, HasAsManyPositionsAsSlidingByHandFinds) {
  for_each_line([](const Line& line) {
    for (const bool ceil_mode : {false, true}) {
      const auto window = resolve_window(attributes_of(line, ceil_mode, "NOTSET"), {1, 1, line.input});
      const std::int64_t wanted = count_positions(line, ceil_mode);
      ASSERT_EQ(window.ok(), wanted > 0) << text(line);
      if (!window.ok()) continue;
      ASSERT_EQ(window->output[0], wanted) << text(line) << " ceil " << ceil_mode;
    }
  });
}

TEST(Window, SamePaddingIsTheLeastThatGivesCeilOfInputOverStride) {
  for_each_line([](Line line) {
    line.begin = line.end = 0;
    const auto upper = resolve_window(attributes_of(line, 0, "SAME_UPPER"), {1, 1, line.input});
    const auto lower = resolve_window(attributes_of(line, 0, "SAME_LOWER"), {1, 1, line.input});
    ASSERT_TRUE(upper.ok() && lower.ok());
    std::int64_t wanted = 0;
    for (std::int64_t start = 0; start < line.input; start += line.stride) ++wanted;
    ASSERT_EQ(upper->output[0], wanted) << text(line);
    ASSERT_EQ(lower->output[0], wanted) << text(line);
    const std::int64_t total = upper->pads_begin[0] + upper->pads_end[0];
    ASSERT_EQ(lower->pads_begin[0], upper->pads_end[0]);
    ASSERT_EQ(lower->pads_end[0], upper->pads_begin[0]);
    ASSERT_TRUE(upper->pads_end[0] - upper->pads_begin[0] == total % 2) << text(line);
    line.end = total;
    ASSERT_EQ(count_positions(line, false), wanted) << text(line);
    line.end = total - 1;
    if (total == 0) return;
    ASSERT_LT(count_positions(line, false), wanted) << text(line);
  });
}

TEST(Window, TapsMeetTheInputThatThePaddedLineShows) {
  for_each_line([](const Line& line) {
    const auto window = resolve_window(attributes_of(line, 1, "NOTSET"), {1, 1, line.input});
    if (!window.ok()) return;
    Ints padded(static_cast<std::size_t>(line.begin + line.input + line.end + 99), -1);
    std::iota(padded.begin() + line.begin, padded.begin() + line.begin + line.input, 0);
    const Ints taps = tap_offsets(*window);
    bool all_hold_input = true;
    for (std::int64_t o = 0; o < window->output[0]; ++o) {
      bool holds_input = false;
      for (std::int64_t k = 0; k < line.kernel; ++k) {
        const std::int64_t tap = taps[at(o * line.kernel + k)];
        ASSERT_EQ(tap, padded[at(o * line.stride + k * line.dilation)]) << text(line);
        holds_input = holds_input || tap >= 0;
      }
      all_hold_input = all_hold_input && holds_input;
    }
    ASSERT_EQ(check_windows_hold_input(*window).ok(), all_hold_input) << text(line);
  });
}

TEST(Window, CombinesItsDimensionsRowMajor) {
  const Attributes attributes = {{"kernel_shape", Ints{2, 1}},
                                 {"strides", Ints{}},
                                 {"pads", Ints{1, 0, 0, 2}},
                                 {"auto_pad", std::string("NOTSET")}};
  const auto window = resolve_window(attributes, {5, 3, 2, 2});
  ASSERT_TRUE(window.ok());
  EXPECT_EQ(window_output(*window, 5, 3), (tensor::Shape{5, 3, 2, 4}));
  EXPECT_EQ(tap_offsets(*window), (Ints{-1, 0, -1, 1, -1, -1, -1, -1, 0, 2, 1, 3, -1, -1, -1, -1}));
}

// ---- Values against a second way of computing them: every input element is sent to the outputs that see it.

std::vector<double> convolve_by_scattering(const LayerCase& layer) {
  const Window window = resolve_window(layer.attributes, layer.inputs[0].shape()).value();
  const auto x = layer.inputs[0].as<double>(), w = layer.params[0].as<double>();
  const std::int64_t n = layer.inputs[0].shape()[0], channels = layer.inputs[0].shape()[1];
  const std::int64_t outputs = layer.params[0].shape()[0], group_channels = layer.params[0].shape()[1];
  const std::int64_t groups = channels / group_channels, positions = window.output_count();
  std::vector<double> y(at(n * outputs * positions), 0.0);
  Ints i(window.input.size(), 0);
  std::int64_t input_offset = 0;
  do {
    Ints k(window.kernel.size(), 0);
    std::int64_t kernel_offset = 0;
    do {
      std::int64_t o = 0;
      bool seen = true;
      for (std::size_t d = 0; d < k.size() && seen; ++d) {
        const std::int64_t shifted = i[d] + window.pads_begin[d] - k[d] * window.dilations[d];
        seen = shifted >= 0 && shifted % window.strides[d] == 0 &&
               shifted / window.strides[d] < window.output[d];
        o = o * window.output[d] + shifted / window.strides[d];
      }
      for (std::int64_t nc = 0; nc < n * channels && seen; ++nc) {
        const std::int64_t c = nc % channels, group = c / group_channels;
        for (std::int64_t out = group * outputs / groups; out < (group + 1) * outputs / groups; ++out)
          y[at((nc / channels * outputs + out) * positions + o)] +=
              x[at(nc * window.input_count() + input_offset)] *
              w[at((out * group_channels + c % group_channels) * window.kernel_count() + kernel_offset)];
      }
      ++kernel_offset;
    } while (advance(k, window.kernel));
    ++input_offset;
  } while (advance(i, window.input));
  return y;
}

TEST(Conv, EqualsScatteringOnWholeNumbers) {
  for (const graph::LayerSample& sample : kConv.samples()) {
    LayerCase layer(kConv, sample);
    layer.fill_integers(3);
    for (std::size_t i = 1; i < layer.params.size(); ++i) layer.params[i].fill_zero();
    layer.forward();
    const auto y = layer.outputs[0].as<double>();
    EXPECT_EQ(std::vector<double>(y.begin(), y.end()), convolve_by_scattering(layer)) << sample.name;
  }
}

// The first example of ONNX's operator page: 0 … 24 under a kernel of ones.
TEST(Conv, GivesTheExampleOfTheOperatorPage) {
  LayerCase layer(
      kConv,
      {"",
       {{"output_channels", std::int64_t{1}}, {"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}},
       {{1, 1, 5, 5}}});
  const auto x = layer.inputs[0].as<double>(), w = layer.params[0].as<double>();
  std::iota(x.begin(), x.end(), 0.0);
  std::fill(w.begin(), w.end(), 1.0);
  layer.params[1].as<double>()[0] = 0.5;
  layer.forward();
  const std::vector<double> wanted = {12,  21, 27, 33,  24,  33,  54,  63, 72,  51,  63,  99, 108,
                                      117, 81, 93, 144, 153, 162, 111, 72, 111, 117, 123, 84};
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_EQ(layer.outputs[0].as<double>()[i], wanted[i] + 0.5);
}

TEST(Conv, CountsItsWork) {
  const graph::Attributes conv2 =
      LayerCase(kConv,
                {"", {{"output_channels", std::int64_t{16}}, {"kernel_shape", Ints{5, 5}}}, {{1, 6, 14, 14}}})
          .attributes;
  const std::vector<tensor::Shape> input = {{64, 6, 14, 14}};
  const graph::Work work = kConv.work(conv2, input, kConv.infer(conv2, input).value());
  EXPECT_EQ(work.macs, 64 * 240'000);
  EXPECT_EQ(work.macs_backward, 2 * 64 * 240'000);
  EXPECT_EQ(work.other_flops, 64 * 1'600);
  EXPECT_EQ(work.depth, 3 + 3 + 3);  // ceil lg of 6, 5 and 5
}

std::vector<double> run_pool(const graph::LayerKind& kind, const Attributes& attributes,
                             const tensor::Shape& shape) {
  LayerCase layer(kind, {"", attributes, {shape}});
  const auto x = layer.inputs[0].as<double>();
  std::iota(x.begin(), x.end(), 1.0);
  layer.forward();
  const auto y = layer.outputs[0].as<double>();
  return {y.begin(), y.end()};
}

TEST(Pools, GiveWhatAPersonComputes) {
  const graph::AttributeValue one = std::int64_t{1};
  const Attributes two = {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
  const Attributes two_ceil = {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", one}};
  EXPECT_EQ(run_pool(kMaxPool, two, {1, 1, 5}), (std::vector<double>{2, 4}));
  EXPECT_EQ(run_pool(kMaxPool, two_ceil, {1, 1, 5}), (std::vector<double>{2, 4, 5}));
  EXPECT_EQ(run_pool(kAveragePool, two_ceil, {1, 1, 5}), (std::vector<double>{1.5, 3.5, 5}));
  Attributes padded = {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}, {"pads", Ints{1, 1}}};
  EXPECT_EQ(run_pool(kAveragePool, padded, {1, 1, 5}), (std::vector<double>{1.5, 3, 4.5}));
  padded.set("count_include_pad", one);
  EXPECT_EQ(run_pool(kAveragePool, padded, {1, 1, 5}), (std::vector<double>{1, 3, 3}));
  // Beyond input and padding nothing is counted: the last window holds 6 and one padding.
  padded = {{"kernel_shape", Ints{4}},
            {"strides", Ints{5}},
            {"pads", Ints{0, 1}},
            {"ceil_mode", one},
            {"count_include_pad", one}};
  EXPECT_EQ(run_pool(kAveragePool, padded, {1, 1, 6}), (std::vector<double>{2.5, 3}));
  EXPECT_EQ(run_pool(kGlobalAveragePool, {}, {1, 2, 3}), (std::vector<double>{2, 5}));
}

TEST(MaxPool, GivesTheGradientToTheFirstOfEqualElements) {
  LayerCase layer(kMaxPool, {"", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, {{1, 1, 2, 4}}});
  const auto x = layer.inputs[0].as<double>();
  std::fill(x.begin(), x.end(), 7.0);
  x[0] = 6;  // the first window's winner is then its second element
  layer.output_gradients[0].as<double>()[0] = 2;
  layer.output_gradients[0].as<double>()[1] = 3;
  layer.forward();
  layer.backward();
  const auto dx = layer.input_gradients[0].as<double>();
  EXPECT_EQ(std::vector<double>(dx.begin(), dx.end()), (std::vector<double>{0, 2, 3, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace convoy::layers
