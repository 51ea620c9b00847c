// BatchNormalization: each channel is shifted and scaled to mean `bias` and deviation `scale`.
//
//   y[n,c,p] = scale[c] * (x[n,c,p] - m[c]) / sqrt(v[c] + epsilon) + bias[c]
//
// In training, m and v are mean and variance (divided by the count: biased) of the channel over a group of
// samples: those whose global index, divided by statistics_samples, is the same; 0 stands for the whole
// global minibatch. With x^ = (x - m) / sqrt(v + epsilon) and means E over the group:
//
//   dx = scale / sqrt(v + epsilon) * (dy - E[dy] - x^ * E[dy * x^]),  dscale = sum dy * x^,  dbias = sum dy
//
// The state follows as running = momentum * running + (1 - momentum) * s, where s is the mean over the
// groups, weighted by their samples, of m, and of v: one commit a step, in any order of the groups. v is
// ONNX's population variance; PyTorch feeds count/(count-1) times it into running_var. In inference, m and v
// are the state, and the layer is affine. x, y {N, C, spatial…}; all parameters {C}. `scale_value` is what
// scale starts at: 0 in the last layer of a residual block makes the block start as the identity. Source:
// ONNX operator BatchNormalization-15; Ioffe and Szegedy 2015, algorithm 1.
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;

const graph::AttributeSpec kAttributes[] = {
    {"epsilon", 1e-5},
    {"momentum", 0.9},
    {"statistics_samples", std::int64_t{0}},
    {"scale_value", 1.0},
};

enum Param { kScale, kBias, kMean, kVariance };

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  if (inputs[0].rank() < 2)
    return base::Reason{base::str("the input has ", inputs[0].rank(), " dimensions; {N, C, ...} is wanted")};
  if (!(attributes.real("epsilon") > 0)) return base::Reason{"epsilon must be positive"};
  if (!(attributes.real("momentum") >= 0 && attributes.real("momentum") <= 1))
    return base::Reason{base::str("momentum is ", attributes.real("momentum"), ", not in [0, 1]")};
  if (attributes.integer("statistics_samples") < 0)
    return base::Reason{"statistics_samples must not be negative; 0 is the whole minibatch"};
  using tensor::ParamRole;
  using tensor::SegmentKind;
  const tensor::Shape channels = {inputs[0][1]};
  graph::Signature signature{.outputs = {inputs[0]}, .params = {}};
  signature.params = {{.name = "scale",
                       .shape = channels,
                       .role = ParamRole::scale,
                       .initialiser = {.value = attributes.real("scale_value")}},
                      {.name = "bias", .shape = channels, .role = ParamRole::shift, .initialiser = {}},
                      {.name = "running_mean",
                       .shape = channels,
                       .kind = SegmentKind::state,
                       .role = ParamRole::running_mean,
                       .initialiser = {}},
                      {.name = "running_var",
                       .shape = channels,
                       .kind = SegmentKind::state,
                       .role = ParamRole::running_var,
                       .initialiser = {.value = 1}}};
  return signature;
}

graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature&) {
  const std::int64_t group = attributes.integer("statistics_samples");
  const std::int64_t samples = group == 0 ? inputs[0][0] : std::min(group, inputs[0][0]);
  const std::int64_t positions = inputs[0].count_from(2), tree = ceil_log2(samples * positions);
  // An element: 1 for the mean, 3 for the variance, 2 to normalise. The chain: sum, divide; subtract, square,
  // sum, divide; add epsilon, invert the root, scale; multiply, shift. Backward, with x^ made again: 2 for
  // it, 1 and 2 for the sums of dy and dy x^, 4 for dx; the chain: subtract, multiply; multiply, sum, divide;
  // multiply, subtract, multiply. The parameters' gradients sum over all samples.
  graph::Work work = elementwise_work(inputs, 6, 2 * tree + 9, {.flops = 9, .depth = tree + 7});
  work.depth_backward_weights = ceil_log2(inputs[0][0] * positions) + 3;
  return work;
}

// One channel of one group of samples.
struct Block {
  std::int64_t first_sample = 0;
  std::int64_t samples = 0;
  std::int64_t channel = 0;
  std::int64_t channels = 0;
  std::int64_t positions = 0;

  double count() const { return static_cast<double>(samples * positions); }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::int64_t n = first_sample; n < first_sample + samples; ++n)
      for (std::int64_t i = 0; i < positions; ++i) visit(at((n * channels + channel) * positions + i));
  }
};

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments moments(const Block& block, std::span<const double> x) {
  Moments m;
  block.for_each([&](std::size_t i) { m.mean += x[i]; });
  m.mean /= block.count();
  block.for_each([&](std::size_t i) { m.variance += (x[i] - m.mean) * (x[i] - m.mean); });
  m.variance /= block.count();
  return m;
}

// The groups of consecutive samples, cut where the global index crosses a multiple of statistics_samples.
template <class Visit>
void for_each_block(const ReferenceArgs& args, std::int64_t channel, Visit&& visit) {
  const tensor::Shape& shape = args.inputs[0].shape();
  const std::int64_t group = args.attributes.integer("statistics_samples");
  for (std::int64_t n = 0; n < shape[0];) {
    const std::int64_t left = shape[0] - n;
    const std::int64_t samples =
        group == 0 ? left : std::min(left, group - (args.context.key.first_sample + n) % group);
    visit(Block{.first_sample = n,
                .samples = samples,
                .channel = channel,
                .channels = shape[1],
                .positions = shape.count_from(2)});
    n += samples;
  }
}

Moments statistics(const ReferenceArgs& args, const Block& block) {
  if (args.context.training) return moments(block, f64(args.inputs[0]));
  return {f64(args.params[kMean])[at(block.channel)], f64(args.params[kVariance])[at(block.channel)]};
}

void commit_state(const ReferenceArgs& args, std::int64_t channel, const Moments& batch) {
  const double momentum = args.attributes.real("momentum");
  const auto blend = [&](Param param, double value) {
    f64(args.next_state[param])[at(channel)] =
        momentum * f64(args.params[param])[at(channel)] + (1 - momentum) * value;
  };
  blend(kMean, batch.mean);
  blend(kVariance, batch.variance);
}

void forward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  const double epsilon = args.attributes.real("epsilon");
  for (std::int64_t c = 0; c < args.inputs[0].shape()[1]; ++c) {
    Moments batch;
    for_each_block(args, c, [&](const Block& block) {
      const Moments m = statistics(args, block);
      const double share =
          static_cast<double>(block.samples) / static_cast<double>(args.inputs[0].shape()[0]);
      batch.mean += share * m.mean;
      batch.variance += share * m.variance;
      const double factor = f64(args.params[kScale])[at(c)] / std::sqrt(m.variance + epsilon);
      const double shift = f64(args.params[kBias])[at(c)];
      block.for_each([&](std::size_t i) { y[i] = (x[i] - m.mean) * factor + shift; });
    });
    if (args.context.training) commit_state(args, c, batch);
  }
}

struct Sums {
  double dy = 0;
  double dy_x = 0;  // with the normalised x
};

void backward(const ReferenceArgs& args) {
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  const auto dx = wanted(args.input_gradients[0]);
  const auto dscale = wanted(args.param_gradients[kScale]), dbias = wanted(args.param_gradients[kBias]);
  const double epsilon = args.attributes.real("epsilon");
  for (std::int64_t c = 0; c < args.inputs[0].shape()[1]; ++c) {
    Sums total;
    for_each_block(args, c, [&](const Block& block) {
      const Moments m = statistics(args, block);
      const double inverse = 1 / std::sqrt(m.variance + epsilon);
      Sums sums;
      block.for_each([&](std::size_t i) {
        sums.dy += dy[i];
        sums.dy_x += dy[i] * (x[i] - m.mean) * inverse;
      });
      total.dy += sums.dy;
      total.dy_x += sums.dy_x;
      if (dx.empty()) return;
      const double factor = f64(args.params[kScale])[at(c)] * inverse;
      const double through = args.context.training ? 1 / block.count() : 0;  // state does not depend on x
      block.for_each([&](std::size_t i) {
        const double normalised = (x[i] - m.mean) * inverse;
        dx[i] = factor * (dy[i] - through * (sums.dy + normalised * sums.dy_x));
      });
    });
    if (!dscale.empty()) dscale[at(c)] = total.dy_x;
    if (!dbias.empty()) dbias[at(c)] = total.dy;
  }
}

std::vector<graph::LayerSample> samples() {
  const auto group = [](std::int64_t n) { return graph::AttributeValue(n); };
  return {{"image", {}, {{4, 3, 5, 4}}},
          {"matrix", {{"momentum", 0.5}}, {{8, 5}}},
          {"groups of two", {{"statistics_samples", group(2)}}, {{6, 2, 3, 3}}},
          {"groups and a rest", {{"statistics_samples", group(3)}, {"epsilon", 1e-3}}, {{8, 2, 3}}},
          {"batch 1", {}, {{1, 2, 4, 4}}},
          {"3-D", {}, {{2, 2, 2, 3, 2}}}};
}

}  // namespace

const graph::LayerKind kBatchNormalization = {
    .op = "BatchNormalization",
    .description = "channels normalised by the statistics of the minibatch, or in inference of the past",
    .attributes = kAttributes,
    .infer = infer,
    .work = work,
    .forward = forward,
    .backward = backward,
    .samples = samples,
    .traits = {.joint_backward = true}};

}  // namespace convoy::layers
