// LpPool: the p-norm of the input elements under each window.
//
//   y[n,c,o] = (sum over taps r of |x[n, c, o*stride - pad + r]|^p)^(1/p)
//   dx = sum over the windows of dy * sign(x) |x|^(p-1) * y^(1-p),  0 where y is 0
//
// Taps outside the input count as 0. x {N, C, H, W…}, y {N, C, P, Q…}. p = 2 makes a unit invariant to what
// moves energy within its window. Source: ONNX operator LpPool-11.
#include <algorithm>
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"
#include "convoy/layers/window.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;
using Ints = std::vector<std::int64_t>;

const graph::AttributeSpec kAttributes[] = {{"kernel_shape", Ints{}, true},
                                            {"strides", Ints{}},
                                            {"pads", Ints{}},
                                            {"auto_pad", std::string("NOTSET")},
                                            {"p", std::int64_t{2}}};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  if (attributes.integer("p") < 1 || attributes.integer("p") > 64)
    return base::Reason{base::str("p is ", attributes.integer("p"), "; 1 to 64 are wanted")};
  const base::Result<Window> window = resolve_window(attributes, inputs[0]);
  if (!window) return window.reason();
  if (const auto verdict = check_windows_hold_input(*window); !verdict) return verdict.reason();
  const tensor::Shape output = window_output(*window, inputs[0][0], inputs[0][1]);
  if (const auto verdict = check_work(output, 4 * window->kernel_count()); !verdict) return verdict.reason();
  return graph::Signature{.outputs = {output}, .params = {}};
}

// A power and an addition a tap, a root a window; backward, with y kept, a quotient, a power, a product and
// an addition a tap.
graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  const Window window = resolve_window(attributes, inputs[0]).value();
  const std::int64_t outputs = signature.outputs[0].count(), taps = outputs * window.kernel_count();
  return {.other_flops = 2 * taps + outputs,
          .other_flops_backward = 4 * taps,
          .depth = window_depth(window) + 2,
          .depth_backward_data = overlap_depth(window) + 3};
}

// Calls visit(output index, input index) for every tap inside the input.
template <class Visit>
void for_each_tap(const ReferenceArgs& args, Visit&& visit) {
  const tensor::Shape& x = args.inputs[0].shape();
  const Window window = resolve_window(args.attributes, x).value();
  const std::vector<std::int64_t> taps = tap_offsets(window);
  const std::size_t kernel = at(window.kernel_count());
  for (std::int64_t plane = 0; plane < x[0] * x[1]; ++plane)
    for (std::size_t i = 0; i < taps.size(); ++i)
      if (taps[i] >= 0)
        visit(at(plane * window.output_count()) + i / kernel, at(plane * window.input_count() + taps[i]));
}

// |x|^p; the squares of most pools are worth a case of their own.
double power(double x, std::int64_t p) {
  return p == 2 ? x * x : std::pow(std::abs(x), static_cast<double>(p));
}

std::vector<double> norms(const ReferenceArgs& args, std::size_t count) {
  const auto x = f64(args.inputs[0]);
  const std::int64_t p = args.attributes.integer("p");
  std::vector<double> y(count, 0.0);
  for_each_tap(args, [&](std::size_t o, std::size_t i) { y[o] += power(x[i], p); });
  for (double& norm : y) norm = p == 2 ? std::sqrt(norm) : std::pow(norm, 1 / static_cast<double>(p));
  return y;
}

void forward(const ReferenceArgs& args) {
  const auto y = f64(args.outputs[0]);
  const std::vector<double> all = norms(args, y.size());
  std::copy(all.begin(), all.end(), y.begin());
}

void backward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  const std::int64_t p = args.attributes.integer("p");
  const std::vector<double> y = norms(args, dy.size());
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_tap(args, [&](std::size_t o, std::size_t i) {
    if (x[i] == 0 || y[o] == 0) return;
    dx[i] += dy[o] * std::copysign(p == 2 ? std::abs(x[i]) / y[o] : power(x[i] / y[o], p - 1), x[i]);
  });
}

std::vector<graph::LayerSample> samples() {
  const auto p = [](std::int64_t value) { return graph::AttributeValue(value); };
  return {{"2x2", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, {{2, 3, 6, 4}}},
          {"overlapping 3x3", {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{1, 1}}}, {{1, 2, 5, 5}}},
          {"padding", {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}, {{2, 1, 4, 5}}},
          {"sums of magnitudes", {{"kernel_shape", Ints{2, 3}}, {"p", p(1)}}, {{2, 2, 4, 4}}},
          {"1-D, cubes", {{"kernel_shape", Ints{4}}, {"strides", Ints{2}}, {"p", p(3)}}, {{2, 2, 10}}}};
}

}  // namespace

const graph::LayerKind kLpPool = {.op = "LpPool",
                                  .description = "p-norm of the elements under a sliding window",
                                  .attributes = kAttributes,
                                  .infer = infer,
                                  .work = work,
                                  .forward = forward,
                                  .backward = backward,
                                  .samples = samples,
                                  .traits = {.has_kinks = true}};

}  // namespace convoy::layers
