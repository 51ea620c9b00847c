// LocallyConnected: a convolution whose filters differ from place to place (untied weights).
//
//   y[n,k,p] = b[k,p] + sum over c, r of  w[p,k,c,r] * x[n, c, p*stride - pad + r]
//
// x {N, C, H, W…} and zero outside its bounds, w {P·Q…, K, C·R·S…}, b {K, P·Q…}, y {N, K, P, Q…}. ONNX has no
// such operator. Source: Coates et al. 2013, see local_fields.h.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/local_fields.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;
using Ints = std::vector<std::int64_t>;

const graph::AttributeSpec kAttributes[] = {
    {"output_channels", std::int64_t{0}, true},
    {"kernel_shape", Ints{}, true},
    {"strides", Ints{}},
    {"pads", Ints{}},
    {"auto_pad", std::string("NOTSET")},
    {"has_bias", std::int64_t{1}},
    {"initialiser", std::string("he")},
    {"bias_value", 0.0},
};

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const base::Result<Window> window = resolve_window(attributes, inputs[0]);
  if (!window) return window.reason();
  const std::int64_t maps = attributes.integer("output_channels");
  const auto weight = local_weights(*window, inputs[0][1], maps);
  if (!weight) return weight.reason();
  const tensor::Shape output = window_output(*window, inputs[0][0], maps);
  const std::int64_t terms = (*weight)[2];
  if (const auto verdict = check_work(output, terms); !verdict) return verdict.reason();
  const auto initialiser =
      parse_initialiser(attributes.text("initialiser"), {.in = terms, .out = maps * window->kernel_count()});
  if (!initialiser) return initialiser.reason();
  graph::Signature signature{.outputs = {output}, .params = {}};
  signature.params.push_back({.name = "weight", .shape = *weight, .initialiser = *initialiser});
  if (attributes.integer("has_bias") != 0)
    signature.params.push_back({.name = "bias",
                                .shape = {maps, window->output_count()},
                                .role = tensor::ParamRole::bias,
                                .initialiser = {.value = attributes.real("bias_value")}});
  return signature;
}

// Trees over input channels and taps forward, over maps and the places that see a pixel for the input, over
// samples for the weights and the bias, whose places do not add up.
graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  const Window window = resolve_window(attributes, inputs[0]).value();
  const tensor::Shape& y = signature.outputs[0];
  const std::int64_t macs = y.count() * signature.params[0].shape[2];
  const std::int64_t biases = signature.params.size() > 1 ? y.count() : 0;
  return {.macs = macs,
          .macs_backward = 2 * macs,
          .other_flops = biases,
          .other_flops_backward = biases,
          .depth = ceil_log2(inputs[0][1]) + window_depth(window),
          .depth_backward_data = ceil_log2(y[1]) + overlap_depth(window),
          .depth_backward_weights = ceil_log2(y[0])};
}

LocalFields fields_of(const ReferenceArgs& args) {
  const tensor::Shape& x = args.inputs[0].shape();
  return {resolve_window(args.attributes, x).value(), x[1], args.attributes.integer("output_channels")};
}

void forward(const ReferenceArgs& args) {
  const LocalFields fields = fields_of(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]);
  const auto y = f64(args.outputs[0]);
  const std::size_t image = fields.image_count(), code = fields.code_count();
  const bool has_bias = args.params.size() > 1;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = has_bias ? f64(args.params[1])[i % code] : 0.0;
  for (std::size_t n = 0; n < y.size() / code; ++n)
    fields.encode(x.subspan(n * image, image), w, y.subspan(n * code, code));
}

void backward(const ReferenceArgs& args) {
  const LocalFields fields = fields_of(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]), dw = wanted(args.param_gradients[0]);
  const std::size_t image = fields.image_count(), code = fields.code_count();
  std::fill(dx.begin(), dx.end(), 0.0);
  std::fill(dw.begin(), dw.end(), 0.0);
  for (std::size_t n = 0; n < dy.size() / code; ++n) {
    const auto dcode = dy.subspan(n * code, code);
    if (!dx.empty()) fields.decode(dcode, w, dx.subspan(n * image, image));
    if (!dw.empty()) fields.weigh(x.subspan(n * image, image), dcode, dw);
  }
  if (args.params.size() < 2) return;
  const auto db = wanted(args.param_gradients[1]);
  std::fill(db.begin(), db.end(), 0.0);
  if (!db.empty())
    for (std::size_t i = 0; i < dy.size(); ++i) db[i % code] += dy[i];
}

std::vector<graph::LayerSample> samples() {
  const auto k = [](std::int64_t channels) { return graph::AttributeValue(channels); };
  return {{"3x3", {{"output_channels", k(4)}, {"kernel_shape", Ints{3, 3}}}, {{2, 2, 5, 6}}},
          {"strided, padded, no bias",
           {{"output_channels", k(2)},
            {"kernel_shape", Ints{3, 2}},
            {"strides", Ints{2, 1}},
            {"pads", Ints{1, 0, 1, 1}},
            {"has_bias", k(0)}},
           {{2, 3, 5, 4}}},
          {"same, batch 1",
           {{"output_channels", k(3)}, {"kernel_shape", Ints{3, 3}}, {"auto_pad", std::string("SAME_UPPER")}},
           {{1, 1, 4, 4}}},
          {"batch of more than a vector",
           {{"output_channels", k(3)}, {"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 2}}},
           {{37, 3, 5, 4}}},
          {"1-D", {{"output_channels", k(2)}, {"kernel_shape", Ints{3}}}, {{2, 2, 7}}},
          {"3-D", {{"output_channels", k(2)}, {"kernel_shape", Ints{2, 1, 2}}}, {{2, 2, 3, 2, 3}}}};
}

}  // namespace

const graph::LayerKind kLocallyConnected = {
    .op = "LocallyConnected",
    .description = "convolution with filters of its own at each place",
    .attributes = kAttributes,
    .infer = infer,
    .work = work,
    .forward = forward,
    .backward = backward,
    .samples = samples,
    .traits = {.linear = true}};

}  // namespace convoy::layers
