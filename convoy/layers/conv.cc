// Conv, over any number of spatial dimensions p, with taps r:
//
//   y[n,k,p] = b[k] + sum over c, r of  w[k,c,r] * x[n, g*C/G + c, p*stride - pad + r*dilation]
//
// where g = floor(k / (K/G)) is the group of output channel k and x is zero outside its bounds.
// x {N, C, H, W…}, w {K, C/G, R, S…}, b {K}, y {N, K, P, Q…}.
// Source: ONNX operator Conv-11. Unlike there, weights are parameters of the layer and no inputs, so the
// number of output channels and the bias are attributes.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"
#include "convoy/layers/window.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {
    {"output_channels", std::int64_t{0}, true}, {"kernel_shape", std::vector<std::int64_t>{}, true},
    {"strides", std::vector<std::int64_t>{}},   {"pads", std::vector<std::int64_t>{}},
    {"dilations", std::vector<std::int64_t>{}}, {"group", std::int64_t{1}},
    {"auto_pad", std::string("NOTSET")},        {"has_bias", std::int64_t{1}},
    {"initialiser", std::string("he")},         {"bias_value", 0.0},
};

base::Verdict check_channels(const graph::Attributes& attributes, std::int64_t channels, std::int64_t taps) {
  const std::int64_t outputs = attributes.integer("output_channels"), groups = attributes.integer("group");
  if (outputs < 1 || outputs > (std::int64_t{1} << 31))
    return base::Reason{base::str("output_channels is ", outputs, "; at least 1 is wanted")};
  if (groups < 1 || channels % groups != 0 || outputs % groups != 0)
    return base::Reason{base::str("group ", groups, " does not divide ", channels, " input and ", outputs,
                                  " output channels")};
  if (std::max(channels, outputs) / groups > (std::int64_t{1} << 62) / taps)
    return base::Reason{"the weight is too large"};
  return {};
}

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const base::Result<Window> window = resolve_window(attributes, inputs[0]);
  if (!window) return window.reason();
  const std::int64_t taps = window->kernel_count();
  if (const auto verdict = check_channels(attributes, inputs[0][1], taps); !verdict) return verdict.reason();
  const std::int64_t outputs = attributes.integer("output_channels"), groups = attributes.integer("group");
  std::vector<std::int64_t> weight = {outputs, inputs[0][1] / groups};
  weight.insert(weight.end(), window->kernel.begin(), window->kernel.end());
  const auto initialiser = parse_initialiser(attributes.text("initialiser"),
                                             {.in = weight[1] * taps, .out = outputs / groups * taps});
  if (!initialiser) return initialiser.reason();

  graph::Signature signature;
  signature.outputs = {window_output(*window, inputs[0][0], outputs)};
  if (const auto verdict = check_work(signature.outputs[0], inputs[0][1] / groups * taps); !verdict)
    return verdict.reason();
  signature.params.push_back(
      {.name = "weight", .shape = tensor::Shape(std::move(weight)), .initialiser = *initialiser});
  if (attributes.integer("has_bias") != 0)
    signature.params.push_back({.name = "bias",
                                .shape = {outputs},
                                .role = tensor::ParamRole::bias,
                                .initialiser = {.value = attributes.real("bias_value")}});
  return signature;
}

// Trees over input channels and taps forward, output channels and taps for the input, samples and output
// positions for the weights and the bias.
graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape>,
                 const graph::Signature& signature) {
  const tensor::Shape &weight = signature.params[0].shape, &y = signature.outputs[0];
  const std::int64_t macs = y.count() * weight.count_from(1);
  graph::Work work{.macs = macs,
                   .macs_backward = 2 * macs,
                   .depth = ceil_log2(weight[1]),
                   .depth_backward_data = ceil_log2(weight[0] / attributes.integer("group")),
                   .depth_backward_weights = ceil_log2(y[0])};
  for (int d = 2; d < weight.rank(); ++d) {
    work.depth += ceil_log2(weight[d]);
    work.depth_backward_data += ceil_log2(weight[d]);
    work.depth_backward_weights += ceil_log2(y[d]);
  }
  if (signature.params.size() > 1) work.other_flops = work.other_flops_backward = y.count();
  return work;
}

// Sizes and the tap table of one call.
struct Problem {
  explicit Problem(const ReferenceArgs& args)
      : window(resolve_window(args.attributes, args.inputs[0].shape()).value()),
        taps(tap_offsets(window)),
        n(args.inputs[0].shape()[0]),
        channels(args.inputs[0].shape()[1]),
        outputs(args.attributes.integer("output_channels")),
        group_channels(channels / args.attributes.integer("group")),
        group_outputs(outputs / args.attributes.integer("group")),
        input_count(window.input_count()),
        output_count(window.output_count()),
        kernel_count(window.kernel_count()) {}

  Window window;
  std::vector<std::int64_t> taps;
  std::int64_t n, channels, outputs, group_channels, group_outputs;
  std::int64_t input_count, output_count, kernel_count;
};

// Calls visit(y index, products) for every output; products(f) calls f(x index, w index) for each product of
// its sum. All in a fixed order.
template <class Visit>
void for_each_output(const Problem& p, Visit&& visit) {
  for (std::int64_t nk = 0; nk < p.n * p.outputs; ++nk) {
    const std::int64_t n = nk / p.outputs, k = nk % p.outputs;
    const std::int64_t first_channel = k / p.group_outputs * p.group_channels;
    for (std::int64_t o = 0; o < p.output_count; ++o) {
      const std::int64_t* taps = p.taps.data() + o * p.kernel_count;
      visit(at(nk * p.output_count + o), [&](auto&& product) {
        for (std::int64_t c = 0; c < p.group_channels; ++c) {
          const std::int64_t x = (n * p.channels + first_channel + c) * p.input_count;
          const std::int64_t w = (k * p.group_channels + c) * p.kernel_count;
          for (std::int64_t r = 0; r < p.kernel_count; ++r)
            if (taps[r] >= 0) product(at(x + taps[r]), at(w + r));
        }
      });
    }
  }
}

// Calls visit(y index, x index, w index) for every product of the definition, in that order.
template <class Visit>
void for_each_product(const Problem& p, Visit&& visit) {
  for_each_output(p, [&](std::size_t iy, const auto& products) {
    products([&](std::size_t ix, std::size_t iw) { visit(iy, ix, iw); });
  });
}

void forward(const ReferenceArgs& args) {
  const Problem p(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]);
  const auto y = f64(args.outputs[0]);
  const bool has_bias = args.params.size() > 1;
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = has_bias ? f64(args.params[1])[i / at(p.output_count) % at(p.outputs)] : 0.0;
  for_each_output(p, [&](std::size_t iy, const auto& products) {
    double sum = y[iy];  // in a register: a sum in memory takes twice as long
    products([&](std::size_t ix, std::size_t iw) { sum += x[ix] * w[iw]; });
    y[iy] = sum;
  });
}

void backward(const ReferenceArgs& args) {
  const Problem p(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]), dw = wanted(args.param_gradients[0]);
  std::fill(dx.begin(), dx.end(), 0.0);
  std::fill(dw.begin(), dw.end(), 0.0);
  if (!dx.empty())
    for_each_product(p, [&](std::size_t iy, std::size_t ix, std::size_t iw) { dx[ix] += dy[iy] * w[iw]; });
  if (!dw.empty())
    for_each_product(p, [&](std::size_t iy, std::size_t ix, std::size_t iw) { dw[iw] += dy[iy] * x[ix]; });
  if (args.params.size() < 2) return;
  const auto db = wanted(args.param_gradients[1]);
  std::fill(db.begin(), db.end(), 0.0);
  if (!db.empty())
    for (std::size_t i = 0; i < dy.size(); ++i) db[i / at(p.output_count) % at(p.outputs)] += dy[i];
}

using Ints = std::vector<std::int64_t>;

std::vector<graph::LayerSample> samples() {
  const auto k = [](std::int64_t channels) { return graph::AttributeValue(channels); };
  const graph::AttributeValue one = std::int64_t{1}, none = std::int64_t{0};
  return {
      {"lenet5 conv1",
       {{"output_channels", k(6)}, {"kernel_shape", Ints{5, 5}}, {"pads", Ints{2, 2, 2, 2}}},
       {{2, 1, 12, 12}}},
      {"1x1", {{"output_channels", k(4)}, {"kernel_shape", Ints{1, 1}}}, {{3, 3, 4, 5}}},
      {"batch 1, no bias",
       {{"output_channels", k(3)}, {"kernel_shape", Ints{3, 3}}, {"has_bias", none}},
       {{1, 2, 5, 5}}},
      {"stride above kernel",
       {{"output_channels", k(2)}, {"kernel_shape", Ints{2, 2}}, {"strides", Ints{3, 3}}},
       {{2, 2, 8, 9}}},
      {"asymmetric pads, odd sizes",
       {{"output_channels", k(3)},
        {"kernel_shape", Ints{3, 2}},
        {"pads", Ints{0, 1, 2, 0}},
        {"strides", Ints{2, 1}}},
       {{2, 2, 7, 5}}},
      {"dilations",
       {{"output_channels", k(2)},
        {"kernel_shape", Ints{3, 3}},
        {"dilations", Ints{2, 3}},
        {"pads", Ints{2, 3, 2, 3}}},
       {{2, 2, 6, 7}}},
      {"groups", {{"output_channels", k(6)}, {"kernel_shape", Ints{3, 3}}, {"group", k(2)}}, {{2, 4, 5, 5}}},
      {"depthwise",
       {{"output_channels", k(4)},
        {"kernel_shape", Ints{3, 3}},
        {"group", k(4)},
        {"auto_pad", std::string("SAME_UPPER")}},
       {{2, 4, 5, 6}}},
      {"depthwise, two outputs a channel",
       {{"output_channels", k(6)},
        {"kernel_shape", Ints{2, 2}},
        {"group", k(3)},
        {"auto_pad", std::string("SAME_LOWER")}},
       {{1, 3, 5, 5}}},
      {"same, strided",
       {{"output_channels", k(2)},
        {"kernel_shape", Ints{3, 3}},
        {"strides", Ints{2, 2}},
        {"auto_pad", std::string("SAME_LOWER")}},
       {{2, 2, 6, 7}}},
      {"valid",
       {{"output_channels", k(2)}, {"kernel_shape", Ints{2, 3}}, {"auto_pad", std::string("VALID")}},
       {{1, 1, 4, 4}}},
      {"whole input", {{"output_channels", k(5)}, {"kernel_shape", Ints{4, 4}}}, {{2, 3, 4, 4}}},
      {"1-D", {{"output_channels", k(3)}, {"kernel_shape", Ints{3}}, {"pads", Ints{1, 1}}}, {{2, 2, 9}}},
      {"3-D",
       {{"output_channels", k(2)}, {"kernel_shape", Ints{2, 2, 2}}, {"strides", Ints{1, 2, 1}}},
       {{1, 2, 3, 4, 3}}},
      {"single output channel",
       {{"output_channels", one}, {"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}},
       {{1, 1, 3, 3}}},
  };
}

}  // namespace

const graph::LayerKind kConv = {.op = "Conv",
                                .description = "convolution with groups, strides, padding and dilations",
                                .attributes = kAttributes,
                                .infer = infer,
                                .work = work,
                                .forward = forward,
                                .backward = backward,
                                .samples = samples,
                                .traits = {.linear = true}};

}  // namespace convoy::layers
