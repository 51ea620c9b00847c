// AveragePool: the mean of the input elements under each window.
//
//   y[n,c,p] = 1/d(p) * sum over taps r of  x[n, c, p*stride - pad + r]
//
// The divisor d(p) is the number of taps inside the input, or with count_include_pad the number inside the
// input and its padding (taps that ceil_mode puts beyond the padding never count).
// x {N, C, H, W…}, y {N, C, P, Q…}.
// Source: ONNX operator AveragePool-11.
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
    {"ceil_mode", std::int64_t{0}},
    {"auto_pad", std::string("NOTSET")},
    {"count_include_pad", std::int64_t{0}},
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
  const std::int64_t outputs = signature.outputs[0].count(), taps = outputs * window.kernel_count();
  return {.other_flops = taps,
          .other_flops_backward = taps + outputs,
          .depth = window_depth(window) + 1,
          .depth_backward_data = overlap_depth(window) + 1};
}

// Taps inside input and padding, for each output position.
std::vector<double> padded_counts(const Window& window) {
  std::vector<double> counts;
  Ints o(window.output.size(), 0);
  do {
    std::int64_t count = 1;
    for (std::size_t d = 0; d < o.size(); ++d) {
      const std::int64_t first = o[d] * window.strides[d] - window.pads_begin[d];
      count *= std::min(first + window.kernel[d], window.input[d] + window.pads_end[d]) - first;
    }
    counts.push_back(static_cast<double>(count));
  } while (advance(o, window.output));
  return counts;
}

std::vector<double> divisors(const Window& window, std::span<const std::int64_t> taps, bool include_pad) {
  if (include_pad) return padded_counts(window);
  std::vector<double> counts(at(window.output_count()), 0.0);
  for (std::size_t i = 0; i < taps.size(); ++i) counts[i / at(window.kernel_count())] += taps[i] >= 0 ? 1 : 0;
  return counts;
}

// Calls visit(output index, input index, 1 / divisor) for every tap inside the input.
template <class Visit>
void for_each_tap(const ReferenceArgs& args, Visit&& visit) {
  const Window window = resolve_window(args.attributes, args.inputs[0].shape()).value();
  const std::vector<std::int64_t> taps = tap_offsets(window);
  const std::vector<double> counts =
      divisors(window, taps, args.attributes.integer("count_include_pad") != 0);
  const std::int64_t planes = args.inputs[0].shape()[0] * args.inputs[0].shape()[1];
  const std::size_t kernel = at(window.kernel_count());
  for (std::int64_t plane = 0; plane < planes; ++plane)
    for (std::size_t i = 0; i < taps.size(); ++i)
      if (taps[i] >= 0)
        visit(at(plane) * counts.size() + i / kernel, at(plane * window.input_count() + taps[i]),
              1 / counts[i / kernel]);
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  std::fill(y.begin(), y.end(), 0.0);
  for_each_tap(args, [&](std::size_t o, std::size_t i, double scale) { y[o] += x[i] * scale; });
}

void backward(const ReferenceArgs& args) {
  const auto dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_tap(args, [&](std::size_t o, std::size_t i, double scale) { dx[i] += dy[o] * scale; });
}

std::vector<graph::LayerSample> samples() {
  const graph::AttributeValue one = std::int64_t{1};
  return {
      {"2x2", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, {{2, 3, 6, 4}}},
      {"padding left out", {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}, {{2, 1, 4, 3}}},
      {"padding counted",
       {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}, {"count_include_pad", one}},
       {{2, 2, 4, 3}}},
      {"ceil_mode beyond the padding",
       {{"kernel_shape", Ints{3, 3}},
        {"strides", Ints{2, 2}},
        {"pads", Ints{1, 0, 0, 1}},
        {"ceil_mode", one},
        {"count_include_pad", one}},
       {{1, 2, 5, 6}}},
      {"ceil_mode",
       {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 2}}, {"ceil_mode", one}},
       {{1, 2, 6, 5}}},
      {"same",
       {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}},
       {{2, 2, 5, 6}}},
      {"stride above kernel", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{3, 4}}}, {{1, 1, 5, 7}}},
      {"1-D", {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}}, {{2, 2, 9}}},
      {"3-D", {{"kernel_shape", Ints{2, 2, 2}}}, {{1, 2, 3, 3, 3}}},
  };
}

}  // namespace

const graph::LayerKind kAveragePool = {.op = "AveragePool",
                                       .description = "mean of the elements under a sliding window",
                                       .attributes = kAttributes,
                                       .infer = infer,
                                       .work = work,
                                       .forward = forward,
                                       .backward = backward,
                                       .samples = samples,
                                       .traits = {.linear = true}};

}  // namespace convoy::layers
