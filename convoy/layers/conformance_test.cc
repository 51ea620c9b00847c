// What every layer of the catalog must keep, over its own samples. The checkers return what is wrong, empty
// for nothing, so that the sabotage tests at the end can see them fail.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <set>

#include "convoy/layers/catalog.h"
#include "convoy/layers/layer_case.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using graph::LayerKind;
using graph::LayerSample;
using tensor::Tensor;

constexpr std::uint64_t kSeed = 2;

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double dot_magnitude(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] * b[i]);
  return sum;
}

bool has_nan(const Tensor& tensor) {
  for (const double value : tensor.as<double>())
    if (std::isnan(value)) return true;
  return false;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto x = a.as<double>(), y = b.as<double>();
  for (std::size_t i = 0; i < x.size(); ++i)
    if (std::bit_cast<std::uint64_t>(x[i]) != std::bit_cast<std::uint64_t>(y[i])) return false;
  return true;
}

// A differentiable array of a case and its gradient.
struct Variable {
  std::string name;
  Tensor* value = nullptr;
  Tensor* gradient = nullptr;
  std::size_t flag = 0;  // of LayerCase::backward
};

std::vector<Variable> variables(LayerCase& layer) {
  std::vector<Variable> all;
  for (std::size_t i = 0; i < layer.inputs.size(); ++i)
    if (!layer.is_label(i))
      all.push_back({base::str("input ", i), &layer.inputs[i], &layer.input_gradients[i], i});
  for (std::size_t i = 0; i < layer.params.size(); ++i)
    if (!layer.is_state(i))
      all.push_back({layer.signature.params[i].name, &layer.params[i], &layer.param_gradients[i],
                     layer.inputs.size() + i});
  return all;
}

// Everything wanted is written, nothing else is, twice the same bits; the parts alone equal the whole.
std::string check_writes(LayerCase layer) {
  layer.fill_random(kSeed);
  layer.poison();
  layer.forward();
  if (has_nan(layer.outputs[0])) return "forward leaves outputs unwritten";
  for (std::size_t i = 0; i < layer.params.size(); ++i)
    if (layer.is_state(i) && has_nan(layer.next_state[i])) return "forward leaves state unwritten";
  const Tensor output = layer.outputs[0].clone();
  layer.backward();
  for (const Variable& variable : variables(layer))
    if (has_nan(*variable.gradient)) return "backward leaves the gradient of " + variable.name + " unwritten";
  if (!same_bits(output, layer.outputs[0])) return "backward writes outputs";
  std::vector<Tensor> first;
  for (const Variable& variable : variables(layer)) first.push_back(variable.gradient->clone());

  for (std::size_t alone = 0; alone < first.size(); ++alone) {
    layer.poison();
    layer.forward();
    std::vector<bool> wanted(layer.inputs.size() + layer.params.size(), false);
    wanted[variables(layer)[alone].flag] = true;
    layer.backward(wanted);
    if (!same_bits(output, layer.outputs[0])) return "forward differs from run to run";
    if (!same_bits(first[alone], *variables(layer)[alone].gradient))
      return "the gradient of " + variables(layer)[alone].name + " alone differs";
  }
  return "";
}

// Directional derivatives of L = <y, g> against differences, along three random directions a variable.
//   D(h) = (L(v + h d) - L(v - h d)) / 2h,  R = (4 D(h/2) - D(h)) / 3
// R's truncation error is O(h^4): with h = 2^-10 below 1e-12 times the fifth derivative; its rounding error
// some 2^-52 / h = 3e-13 times the terms of L. The tolerance leaves four decades to both and stays five
// below the sabotage of one in a thousand. Elements move by less than 6 h < LayerCase::kGrid / 4, so no kink
// is crossed.
std::string check_gradient(LayerCase layer) {
  constexpr double h = 0x1p-10;
  layer.fill_random(kSeed);
  layer.poison();
  layer.forward();
  layer.backward();
  const auto g = layer.output_gradients[0].as<double>();
  const double rounding = 1e-9 * dot_magnitude(layer.outputs[0].as<double>(), g);
  std::uint64_t stream_index = 0;
  for (const Variable& variable : variables(layer)) {
    const auto value = variable.value->as<double>();
    const Tensor original = variable.value->clone();
    for (int repeat = 0; repeat < 3; ++repeat) {
      base::RandomStream stream(kSeed, base::Purpose::test, 2, stream_index++);
      std::vector<double> d(value.size());
      for (double& element : d) element = std::clamp(stream.normal(), -6.0, 6.0);
      const auto loss = [&](double step) {
        for (std::size_t i = 0; i < d.size(); ++i) value[i] = original.as<double>()[i] + step * d[i];
        layer.forward();
        for (std::size_t i = 0; i < d.size(); ++i) value[i] = original.as<double>()[i];
        return dot(layer.outputs[0].as<double>(), g);
      };
      const double coarse = (loss(h) - loss(-h)) / (2 * h), fine = (loss(h / 2) - loss(-h / 2)) / h;
      const double numeric = (4 * fine - coarse) / 3, analytic = dot(variable.gradient->as<double>(), d);
      const double tolerance = 1e-8 * dot_magnitude(variable.gradient->as<double>(), d) + rounding;
      if (!(std::abs(numeric - analytic) <= tolerance))
        return base::str("gradient of ", variable.name, ": ", analytic, ", differences give ", numeric);
    }
  }
  return "";
}

bool is_whole(const Tensor& tensor) {
  for (const double value : tensor.as<double>())
    if (value != std::nearbyint(value)) return false;
  return true;
}

// <A x, g> = <x, A^T g> for the linear part A of f. With `exact`, on whole numbers and to the bit: every sum
// is exact, and a result that is wrong in its last bit is no whole number. Not for an f that divides.
std::string check_adjoint(LayerCase layer, bool exact) {
  if (exact)
    layer.fill_integers(kSeed);
  else
    layer.fill_random(kSeed);
  layer.poison();
  layer.forward();
  layer.backward();
  if (exact && !is_whole(layer.outputs[0])) return "the output is not whole";
  const auto g = layer.output_gradients[0].as<double>();
  double left = dot(layer.outputs[0].as<double>(), g), right = 0, magnitude = std::abs(left);
  for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
    right += dot(layer.inputs[i].as<double>(), layer.input_gradients[i].as<double>());
    magnitude += dot_magnitude(layer.inputs[i].as<double>(), layer.input_gradients[i].as<double>());
    if (exact && !is_whole(layer.input_gradients[i]))
      return base::str("gradient of input ", i, " is not whole");
    for (double& x : layer.inputs[i].as<double>()) x = 0;
  }
  layer.forward();
  left -= dot(layer.outputs[0].as<double>(), g);  // f(0)
  const double tolerance = exact ? 0 : 1e-13 * magnitude;
  if (!(std::abs(left - right) <= tolerance)) return base::str("<Ax, g> = ", left, ", <x, A'g> = ", right);
  return "";
}

// Attributes survive their text; shapes and parameters do not depend on the batch, work grows with it.
std::string check_description(const LayerKind& kind, const LayerSample& sample) {
  const LayerCase layer(kind, sample);
  const auto parsed = graph::Attributes::parse(layer.attributes.str());
  if (!parsed.ok() || *parsed != layer.attributes) return "attributes do not parse back";
  LayerSample twice = sample;
  for (tensor::Shape& shape : twice.inputs) shape = shape.with(0, 2 * shape[0]);
  const LayerCase larger(kind, twice);
  for (std::size_t i = 0; i < layer.params.size(); ++i)
    if (layer.params[i].shape() != larger.params[i].shape()) return "parameters depend on the batch";
  const tensor::Shape& output = layer.outputs[0].shape();
  const tensor::Shape wanted = output.rank() == 0 ? output : output.with(0, 2 * output[0]);
  if (larger.outputs[0].shape() != wanted) return "the output is not uniform in the batch";
  const graph::Work work = kind.work(layer.attributes, sample.inputs, layer.signature);
  const graph::Work more = kind.work(larger.attributes, twice.inputs, larger.signature);
  if (work.macs < 0 || work.macs_backward < work.macs || work.other_flops < 0 ||
      work.other_flops_backward < 0 || work.depth < 0 || work.depth_backward_data < 0 ||
      work.depth_backward_weights < 0)
    return "work is negative";
  if (more.macs != 2 * work.macs || more.macs_backward != 2 * work.macs_backward ||
      more.other_flops != 2 * work.other_flops ||
      more.other_flops_backward != 2 * work.other_flops_backward || more.depth < work.depth ||
      more.depth_backward_data < work.depth_backward_data ||
      more.depth_backward_weights < work.depth_backward_weights)
    return "work does not grow with the batch";
  return "";
}

// What Traits promise to planners.
std::string check_traits(LayerCase layer) {
  const LayerKind::Traits& traits = layer.kind.traits;
  layer.fill_random(kSeed);
  layer.forward();
  const auto x = layer.inputs[0].as<double>(), y = layer.outputs[0].as<double>();
  if (traits.is_loss && layer.outputs[0].shape().rank() != 0) return "a loss that is no scalar";
  if (traits.is_view && !std::equal(x.begin(), x.end(), y.begin(), y.end()))
    return "a view that changes elements";
  if (traits.elementwise) {
    if (layer.outputs[0].shape() != layer.inputs[0].shape()) return "elementwise with another shape";
    const Tensor before = layer.outputs[0].clone();
    x[0] += 1;
    layer.forward();
    for (std::size_t i = 1; i < y.size(); ++i)
      if (y[i] != before.as<double>()[i]) return "elementwise, but another element changes";
  }
  const Tensor before = layer.outputs[0].clone();
  layer.context.key.step += 1;
  layer.forward();
  if (!traits.random && !same_bits(before, layer.outputs[0])) return "draws, but is not random";
  return "";
}

void for_each_sample(const std::function<void(const LayerKind&, const LayerSample&)>& body) {
  for (const LayerKind* kind : catalog())
    for (const LayerSample& sample : kind->samples()) {
      SCOPED_TRACE(base::str(kind->op, ", ", sample.name));
      body(*kind, sample);
    }
}

bool divides(const LayerKind& kind) {
  return &kind == &kAveragePool || &kind == &kGlobalAveragePool || &kind == &kDropout || &kind == &kScale;
}

TEST(Catalog, IsSortedNamedAndFound) {
  for (std::size_t i = 0; i < catalog().size(); ++i) {
    const LayerKind& kind = *catalog()[i];
    EXPECT_TRUE(i == 0 || catalog()[i - 1]->op < kind.op) << kind.op;
    EXPECT_EQ(find(kind.op), &kind);
    EXPECT_FALSE(kind.description.empty());
    std::set<std::string> names;
    for (const LayerSample& sample : kind.samples()) names.insert(sample.name);
    EXPECT_GE(names.size(), 3u) << kind.op;
    EXPECT_EQ(names.size(), kind.samples().size()) << kind.op;
  }
  EXPECT_EQ(catalog().size(), 32u);
  EXPECT_EQ(find("conv"), nullptr);
}

TEST(Layers, WriteAllThatIsWantedAndNothingElse) {
  for_each_sample([](const auto& kind, const auto& sample) { EXPECT_EQ(check_writes({kind, sample}), ""); });
}

TEST(Layers, HaveTheGradientOfTheirForward) {
  for_each_sample([](const auto& kind, const auto& sample) {
    EXPECT_EQ(check_gradient({kind, sample}), "");
  });
}

TEST(Layers, HaveTheGradientOfTheirInference) {
  for_each_sample([](const auto& kind, const auto& sample) {
    LayerCase layer(kind, sample);
    layer.context.training = false;
    EXPECT_EQ(check_gradient(std::move(layer)), "");
  });
}

TEST(Layers, ThatAreLinearKeepTheAdjointIdentity) {
  for_each_sample([](const auto& kind, const auto& sample) {
    if (!kind.traits.linear) return;
    EXPECT_EQ(check_adjoint({kind, sample}, false), "");
    if (divides(kind)) return;
    EXPECT_EQ(check_adjoint({kind, sample}, true), "");
  });
}

TEST(Layers, DescribeThemselvesUniformlyInTheBatch) {
  for_each_sample(
      [](const auto& kind, const auto& sample) { EXPECT_EQ(check_description(kind, sample), ""); });
}

TEST(Layers, KeepTheirTraits) {
  for_each_sample([](const auto& kind, const auto& sample) { EXPECT_EQ(check_traits({kind, sample}), ""); });
}

// ---- The checkers themselves: each must see the fault that it is for.

const LayerSample& first_sample(const LayerKind& kind) {
  static std::vector<LayerSample> keep;
  keep = kind.samples();
  return keep[0];
}

template <auto& kOriginal, int kWhich>
void scaled_backward(const graph::ReferenceArgs& args) {
  kOriginal.backward(args);
  const auto& views = kWhich < 0 ? args.input_gradients : args.param_gradients;
  for (double& gradient : wanted(views[kWhich < 0 ? 0 : kWhich])) gradient *= 1.001;
}

void bit_flipped_backward(const graph::ReferenceArgs& args) {
  kConv.backward(args);
  for (double& gradient : wanted(args.input_gradients[0])) {
    if (gradient == 0) continue;
    gradient = std::bit_cast<double>(std::bit_cast<std::uint64_t>(gradient) ^ 1);
    return;
  }
}

void shy_backward(const graph::ReferenceArgs& args) {
  const double before = wanted(args.param_gradients[0]).empty() ? 0 : wanted(args.param_gradients[0])[0];
  kConv.backward(args);
  if (!wanted(args.param_gradients[0]).empty()) wanted(args.param_gradients[0])[0] = before;
}

TEST(Sabotage, AGradientWrongByAThousandthIsSeen) {
  LayerKind conv_data = kConv, conv_bias = kConv, norm = kBatchNormalization, relu = kRelu,
            loss = kSoftmaxCrossEntropyLoss;
  conv_data.backward = scaled_backward<kConv, -1>;
  conv_bias.backward = scaled_backward<kConv, 1>;
  norm.backward = scaled_backward<kBatchNormalization, 0>;
  relu.backward = scaled_backward<kRelu, -1>;
  loss.backward = scaled_backward<kSoftmaxCrossEntropyLoss, -1>;
  for (const LayerKind* kind : {&conv_data, &conv_bias, &norm, &relu, &loss})
    EXPECT_NE(check_gradient({*kind, first_sample(*kind)}), "") << kind->op;
  EXPECT_NE(check_adjoint({conv_data, first_sample(conv_data)}, false), "");
}

TEST(Sabotage, AGradientWrongByTheLastBitIsSeen) {
  LayerKind kind = kConv;
  kind.backward = bit_flipped_backward;
  EXPECT_NE(check_adjoint({kind, first_sample(kind)}, true), "");
}

TEST(Sabotage, AnElementLeftUnwrittenIsSeen) {
  LayerKind kind = kConv;
  kind.backward = shy_backward;
  EXPECT_NE(check_writes({kind, first_sample(kind)}).find("gradient of weight unwritten"), std::string::npos);
  kind = kRelu;
  kind.forward = [](const graph::ReferenceArgs& args) {
    const double before = f64(args.outputs[0])[0];
    kRelu.forward(args);
    f64(args.outputs[0])[0] = before;
  };
  EXPECT_EQ(check_writes({kind, first_sample(kind)}), "forward leaves outputs unwritten");
}

TEST(Sabotage, WrongTraitsAndWorkAreSeen) {
  LayerKind kind = kDropout;
  kind.traits.random = false;
  EXPECT_EQ(check_traits({kind, first_sample(kind)}), "draws, but is not random");
  kind = kTanh;
  kind.traits.is_view = true;
  EXPECT_EQ(check_traits({kind, first_sample(kind)}), "a view that changes elements");
  kind = kBatchNormalization;
  kind.traits.elementwise = true;
  EXPECT_EQ(check_traits({kind, first_sample(kind)}), "elementwise, but another element changes");
  kind = kGemm;
  kind.work = [](const graph::Attributes&, std::span<const tensor::Shape>,
                 const graph::Signature& signature) {
    return graph::Work{.macs = signature.params[0].shape.count(), .macs_backward = 1 << 20};
  };
  EXPECT_EQ(check_description(kind, first_sample(kind)), "work does not grow with the batch");
}

}  // namespace
}  // namespace convoy::layers
