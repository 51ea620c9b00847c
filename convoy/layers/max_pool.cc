// MaxPool: the largest input element under each window; padding never wins.
//
//   y[n,c,p] = max over taps r of  x[n, c, p*stride - pad + r*dilation]
//
// The gradient goes to the first largest tap in row-major order. With NaN under a window the result is
// unspecified. x {N, C, H, W…}, y {N, C, P, Q…}.
// Source: ONNX operator MaxPool-12, without storage_order and the second output.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"
#include "convoy/layers/window.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;
using Ints = std::vector<std::int64_t>;

const graph::AttributeSpec kAttributes[] = {
    {"kernel_shape", Ints{}, true},
    {"strides", Ints{}},
    {"pads", Ints{}},
    {"dilations", Ints{}},
    {"ceil_mode", std::int64_t{0}},
    {"auto_pad", std::string("NOTSET")},
};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const base::Result<Window> window = resolve_window(attributes, inputs[0]);
  if (!window) return window.reason();
  if (const auto verdict = check_windows_hold_input(*window); !verdict) return verdict.reason();
  const tensor::Shape output = window_output(*window, inputs[0][0], inputs[0][1]);
  if (const auto verdict = check_work(output, window->kernel_count()); !verdict) return verdict.reason();
  return graph::Signature{.outputs = {output}, .params = {}};
}

graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  const Window window = resolve_window(attributes, inputs[0]).value();
  // Backward, an input takes the gradient of each window that chose it.
  const std::int64_t taps = signature.outputs[0].count() * window.kernel_count();
  return {.other_flops = taps,
          .other_flops_backward = taps,
          .depth = window_depth(window),
          .depth_backward_data = overlap_depth(window) + 1};
}

// Calls visit(output index, index of the winning input element).
template <class Visit>
void for_each_winner(const ReferenceArgs& args, Visit&& visit) {
  const Window window = resolve_window(args.attributes, args.inputs[0].shape()).value();
  const std::vector<std::int64_t> taps = tap_offsets(window);
  const auto x = f64(args.inputs[0]);
  const std::int64_t planes = args.inputs[0].shape()[0] * args.inputs[0].shape()[1];
  const std::int64_t outputs = window.output_count(), kernel = window.kernel_count();
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t o = 0; o < outputs; ++o) {
      std::int64_t winner = -1;
      for (std::int64_t r = 0; r < kernel; ++r) {
        const std::int64_t tap = taps[at(o * kernel + r)];
        if (tap < 0) continue;
        const std::int64_t i = plane * window.input_count() + tap;
        if (winner < 0 || x[at(i)] > x[at(winner)]) winner = i;
      }
      visit(at(plane * outputs + o), at(winner));
    }
  }
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  for_each_winner(args, [&](std::size_t o, std::size_t i) { y[o] = x[i]; });
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_winner(args, [&](std::size_t o, std::size_t i) { dx[i] += dy[o]; });
}

std::vector<graph::LayerSample> samples() {
  const graph::AttributeValue one = std::int64_t{1};
  return {
      {"2x2", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, {{2, 3, 6, 4}}},
      {"overlapping", {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}}, {{2, 2, 7, 7}}},
      {"remainder dropped", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, {{1, 2, 5, 7}}},
      {"ceil_mode",
       {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", one}},
       {{1, 2, 6, 8}}},
      {"ceil_mode, last window dropped",
       {{"kernel_shape", Ints{2, 2}},
        {"strides", Ints{3, 3}},
        {"pads", Ints{0, 0, 1, 1}},
        {"ceil_mode", one}},
       {{1, 1, 3, 6}}},
      {"padded", {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}, {{2, 1, 4, 3}}},
      {"asymmetric pads",
       {{"kernel_shape", Ints{3, 2}}, {"pads", Ints{0, 1, 2, 0}}, {"strides", Ints{2, 1}}},
       {{1, 2, 5, 4}}},
      {"dilations", {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 3}}}, {{1, 2, 5, 6}}},
      {"same",
       {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}},
       {{2, 2, 5, 6}}},
      {"stride above kernel", {{"kernel_shape", Ints{1, 2}}, {"strides", Ints{2, 3}}}, {{1, 1, 5, 8}}},
      {"1-D", {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}}, {{2, 2, 9}}},
      {"3-D", {{"kernel_shape", Ints{2, 2, 2}}}, {{1, 2, 3, 3, 3}}},
  };
}

}  // namespace

const graph::LayerKind kMaxPool = {.op = "MaxPool",
                                   .description = "largest element under a sliding window",
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .work = work,
                                   .forward = forward,
                                   .backward = backward,
                                   .samples = samples,
                                   .traits = {.has_kinks = true}};

}  // namespace convoy::layers
