// LocallyConnectedAutoencoder: local receptive fields around each pixel, and what their transpose makes of
// their code: encoder and decoder share (tie) the weights.
//
//   code[n,k,p] = sum over c, r of  w[p,k,c,r] * x[n, c, p - pad + r]
//   back[n,c,q] = sum over k, p, r with p - pad + r = q of  w[p,k,c,r] * code[n,k,p]
//   y = [code, back]
//
// x {N, C, H, W…} and zero outside its bounds, padded as ONNX's SAME_UPPER, w {H·W…, K, C·R·S…},
// y {N, K + C, H, W…}: channels 0 to K-1 are the code, the C behind them the reconstruction, which Gather
// takes apart. With dcode, dback the parts of dy and e = dcode + W dback:
//
//   dx = W' e,   dw[p,k,c,r] = sum over n of  e[n,k,p] x[n,c,p-pad+r] + code[n,k,p] dback[n,c,p-pad+r]
//
// ONNX has no such operator. Source: Coates et al. 2013, section 3, equation 1: |W' W x - x|^2; see
// local_fields.h.
#include <algorithm>

#include "convoy/layers/catalog.h"
#include "convoy/layers/local_fields.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;
using Ints = std::vector<std::int64_t>;

const graph::AttributeSpec kAttributes[] = {{"output_channels", std::int64_t{0}, true},  // of the code
                                            {"kernel_shape", Ints{}, true},
                                            {"initialiser", std::string("he")}};

base::Result<Window> window_of(const graph::Attributes& attributes, const tensor::Shape& input) {
  return resolve_window({{"kernel_shape", attributes.integers("kernel_shape")},
                         {"strides", Ints{}},
                         {"pads", Ints{}},
                         {"auto_pad", std::string("SAME_UPPER")}},
                        input);
}

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const base::Result<Window> window = window_of(attributes, inputs[0]);
  if (!window) return window.reason();
  const std::int64_t maps = attributes.integer("output_channels"), channels = inputs[0][1];
  const auto weight = local_weights(*window, channels, maps);
  if (!weight) return weight.reason();
  const tensor::Shape output = window_output(*window, inputs[0][0], maps + channels);
  if (const auto verdict = check_work(output, 2 * (*weight)[2]); !verdict) return verdict.reason();
  const auto initialiser = parse_initialiser(attributes.text("initialiser"),
                                             {.in = (*weight)[2], .out = maps * window->kernel_count()});
  if (!initialiser) return initialiser.reason();
  graph::Signature signature{.outputs = {output}, .params = {}};
  signature.params.push_back({.name = "weight", .shape = *weight, .initialiser = *initialiser});
  return signature;
}

// Two products forward; four backward, half of them for x: e, W' e, and the weights' two.
graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature& signature) {
  const Window window = window_of(attributes, inputs[0]).value();
  const tensor::Shape& x = inputs[0];
  const std::int64_t maps = attributes.integer("output_channels");
  const std::int64_t codes = x[0] * maps * window.output_count();
  const std::int64_t product = codes * signature.params[0].shape[2];
  const std::int64_t encode = ceil_log2(x[1]) + window_depth(window);
  const std::int64_t decode = ceil_log2(maps) + overlap_depth(window);
  return {.macs = 2 * product,
          .macs_backward = 4 * product,
          .other_flops_backward = codes,
          .depth = encode + decode,
          .depth_backward_data = encode + 1 + decode,
          .depth_backward_weights = encode + 1 + 1 + ceil_log2(x[0])};
}

// The fields, and the parts of one sample of y.
struct Parts {
  explicit Parts(const ReferenceArgs& args)
      : fields(window_of(args.attributes, args.inputs[0].shape()).value(), args.inputs[0].shape()[1],
               args.attributes.integer("output_channels")),
        samples(at(args.inputs[0].shape()[0])),
        image(fields.image_count()),
        code(fields.code_count()) {}

  template <class T>
  std::span<T> image_of(std::span<T> x, std::size_t n) const {
    return x.subspan(n * image, image);
  }
  template <class T>
  std::span<T> code_of(std::span<T> y, std::size_t n) const {
    return y.subspan(n * (code + image), code);
  }
  template <class T>
  std::span<T> reconstruction_of(std::span<T> y, std::size_t n) const {
    return y.subspan(n * (code + image) + code, image);
  }

  LocalFields fields;
  std::size_t samples, image, code;
};

void forward(const ReferenceArgs& args) {
  const Parts parts(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]);
  const auto y = f64(args.outputs[0]);
  std::fill(y.begin(), y.end(), 0.0);
  for (std::size_t n = 0; n < parts.samples; ++n) {
    parts.fields.encode(parts.image_of(x, n), w, parts.code_of(y, n));
    parts.fields.decode(parts.code_of(y, n), w, parts.reconstruction_of(y, n));
  }
}

void backward(const ReferenceArgs& args) {
  const Parts parts(args);
  const auto x = f64(args.inputs[0]), w = f64(args.params[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]), dw = wanted(args.param_gradients[0]);
  std::fill(dx.begin(), dx.end(), 0.0);
  std::fill(dw.begin(), dw.end(), 0.0);
  for (std::size_t n = 0; n < parts.samples; ++n) {
    const auto dcode = parts.code_of(dy, n), dback = parts.reconstruction_of(dy, n);
    std::vector<double> error(dcode.begin(), dcode.end());
    parts.fields.encode(dback, w, error);
    if (!dx.empty()) parts.fields.decode(error, w, parts.image_of(dx, n));
    if (dw.empty()) continue;
    std::vector<double> code(parts.code, 0.0);
    parts.fields.encode(parts.image_of(x, n), w, code);
    parts.fields.weigh(parts.image_of(x, n), error, dw);
    parts.fields.weigh(dback, code, dw);
  }
}

std::vector<graph::LayerSample> samples() {
  const auto k = [](std::int64_t channels) { return graph::AttributeValue(channels); };
  return {
      {"3x3", {{"output_channels", k(3)}, {"kernel_shape", Ints{3, 3}}}, {{2, 2, 4, 5}}},
      {"even field, batch 1", {{"output_channels", k(1)}, {"kernel_shape", Ints{2, 4}}}, {{1, 3, 3, 4}}},
      {"field beyond the image", {{"output_channels", k(2)}, {"kernel_shape", Ints{5, 5}}}, {{2, 1, 2, 2}}},
      {"1-D", {{"output_channels", k(2)}, {"kernel_shape", Ints{3}}}, {{3, 2, 6}}}};
}

}  // namespace

const graph::LayerKind kLocallyConnectedAutoencoder = {
    .op = "LocallyConnectedAutoencoder",
    .description = "code of local fields, and its reconstruction by the same weights",
    .attributes = kAttributes,
    .infer = infer,
    .work = work,
    .forward = forward,
    .backward = backward,
    .samples = samples,
    .traits = {.linear = true, .joint_backward = true}};

}  // namespace convoy::layers
