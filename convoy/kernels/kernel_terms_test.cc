#include "convoy/kernels/kernel_terms.h"

#include <algorithm>
#include <cmath>

#include "convoy/base/check.h"
#include "convoy/base/rng.h"
#include "convoy/tensor/view.h"

namespace convoy::kernels {
namespace {

using tensor::ConstView;
using tensor::DType;
using tensor::View;
using Values = std::vector<std::vector<double>>;

bool is_label(const Problem& problem, std::size_t input) {
  return problem.kind->traits.takes_labels && input + 1 == problem.inputs.size();
}

std::size_t size(const tensor::Shape& shape) { return static_cast<std::size_t>(shape.count()); }

std::vector<double> random_array(const tensor::Shape& shape, TestData data, base::RandomStream& random) {
  std::vector<double> values(size(shape));
  for (double& value : values)
    value = data == TestData::reals ? static_cast<double>(2 * random.uniform() - 1)
                                    : static_cast<double>(random.below(7)) - 3;
  return values;
}

double max_abs(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

double sum_abs(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::abs(value);
  return sum;
}

Values absolute(Values arrays) {
  for (auto& array : arrays)
    for (double& value : array) value = std::abs(value);
  return arrays;
}

Values constant_like(const Values& arrays, double value) {
  Values result = arrays;
  for (auto& array : result) std::fill(array.begin(), array.end(), value);
  return result;
}

// One number for every element of everything written.
TestValues uniform_terms(const TestValues& v, double forward, double backward) {
  TestValues terms;
  terms.outputs = constant_like(v.outputs, forward);
  terms.next_state = constant_like(v.next_state, forward);
  terms.input_gradients = constant_like(v.input_gradients, backward);
  terms.param_gradients = constant_like(v.param_gradients, backward);
  return terms;
}

// y = x s^-beta with s >= bias; both products of dx are bounded by their largest factors.
TestValues lrn_terms(const Problem& problem, const TestValues& v) {
  const auto& a = problem.attributes;
  const double alpha = a.real("alpha"), beta = a.real("beta"), bias = a.real("bias");
  const double x = max_abs(v.inputs[0]), power = std::pow(bias, -beta);
  const double dy = v.output_gradients.empty() ? 0 : max_abs(v.output_gradients[0]);
  return uniform_terms(v, x * power, dy * power * (1 + 2 * alpha * beta * x * x / bias));
}

// With X = max |x|, I = 1/sqrt(least variance + epsilon), S = max |scale|, D = max |dy|, n elements a
// channel: |x^| <= 2 X I; an error e of mean and x moves y by S I e, and of the variance by S x^ (X I)^2 e.
TestValues batch_norm_terms(const Problem& problem, const TestValues& v) {
  const double x = std::max(1.0, max_abs(v.inputs[0]));
  const double i = 1 / std::sqrt(problem.attributes.real("epsilon"));
  const double s = max_abs(v.params[0]), b = max_abs(v.params[1]);
  const double d = v.output_gradients.empty() ? 0 : max_abs(v.output_gradients[0]);
  const tensor::Shape& shape = problem.inputs[0];
  const double n = static_cast<double>(shape.count()) / static_cast<double>(shape[1]);
  // The least variance over the channels bounds I from above far better than epsilon alone.
  double least = INFINITY;
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    double sum = 0, squares = 0;
    for (std::int64_t e = 0; e < shape.count(); ++e) {
      if (e / shape.count_from(2) % shape[1] != c) continue;
      sum += v.inputs[0][static_cast<std::size_t>(e)];
      squares += v.inputs[0][static_cast<std::size_t>(e)] * v.inputs[0][static_cast<std::size_t>(e)];
    }
    least = std::min(least, squares / n - sum / n * (sum / n));
  }
  if (!problem.training) least = *std::min_element(v.params[3].begin(), v.params[3].end());
  const double inverse =
      std::min(i, 1 / std::sqrt(std::max(least, 0.0) + problem.attributes.real("epsilon")));
  const double hat = 2 * x * inverse;
  TestValues terms =
      uniform_terms(v, s * hat * (1 + hat * hat) + b, s * inverse * d * (2 + hat * hat) * (1 + hat * hat));
  terms.next_state = constant_like(v.next_state, 4 * x * x + 4);
  terms.param_gradients = constant_like(v.param_gradients, n * d * (1 + hat) * (1 + hat * hat));
  return terms;
}

// Of operators that the reference alone computes, rounding once.
TestValues result_terms(const Problem& problem, const graph::EvalContext& context, const TestValues& v) {
  TestValues terms = v;
  evaluate_reference(problem, context, terms);
  terms.outputs = absolute(terms.outputs);
  terms.input_gradients = absolute(terms.input_gradients);
  terms.param_gradients = absolute(terms.param_gradients);
  return terms;
}

// The operators that are neither linear nor selections; the derivations stand in docs/numerics.md.
TestValues special_terms(const Problem& problem, const graph::EvalContext& context, const TestValues& v) {
  const std::string_view op = problem.kind->op;
  const double x = max_abs(v.inputs[0]);
  const double dy = v.output_gradients.empty() ? 0 : max_abs(v.output_gradients[0]);
  const double dy_sum = v.output_gradients.empty() ? 0 : sum_abs(v.output_gradients[0]);
  const auto classes = static_cast<double>(problem.inputs[0].count());
  if (op == "Sigmoid" || op == "Tanh") return uniform_terms(v, 1, dy);
  if (op == "Softmax") return uniform_terms(v, 1, 2 * dy);
  if (op == "LogSoftmax") return uniform_terms(v, 2 * x + std::log(classes) + 1, dy + dy_sum);
  if (op == "LRN") return lrn_terms(problem, v);
  if (op == "BatchNormalization") return batch_norm_terms(problem, v);
  const auto batch = static_cast<double>(context.global_batch);
  if (op == "SoftmaxCrossEntropyLoss")
    return uniform_terms(v,
                         static_cast<double>(problem.inputs[0][0]) / batch * (2 * x + std::log(classes) + 1),
                         2 * dy / batch);
  CONVOY_CHECK(false, "no bound is derived for ", op);
  return {};
}

// The result's own absolute value: selections, squares and other sums without cancellation; gradients are
// those of absolute output gradients.
TestValues own_terms(const Problem& problem, const graph::EvalContext& context, const TestValues& v) {
  TestValues terms = v;
  terms.output_gradients = absolute(v.output_gradients);
  evaluate_reference(problem, context, terms);
  terms.outputs = absolute(terms.outputs);
  terms.input_gradients = absolute(terms.input_gradients);
  return terms;
}

// Forward, the outputs; backward, the gradients that the operator itself gets of those of the relu.
void apply_relu(Pass pass, TestValues& v) {
  for (std::size_t i = 0; i < v.outputs.size(); ++i)
    for (std::size_t j = 0; j < v.outputs[i].size(); ++j)
      if (v.outputs[i][j] <= 0) (pass == Pass::forward ? v.outputs : v.output_gradients)[i][j] = 0;
}

enum class Norm { largest, sum };

// Of each map, that is of everything behind the first two dimensions.
std::vector<double> map_norms(const tensor::Shape& shape, const std::vector<double>& values, Norm norm) {
  const std::size_t map = static_cast<std::size_t>(shape.count_from(2));
  std::vector<double> norms(map == 0 ? 0 : values.size() / map);
  for (std::size_t i = 0; i < values.size(); ++i) {
    double& own = norms[i / map];
    own = norm == Norm::sum ? own + std::abs(values[i]) : std::max(own, std::abs(values[i]));
  }
  return norms;
}

// The reverse: every element of a map gets its map's value.
std::vector<double> spread(const tensor::Shape& shape, const std::vector<double>& norms) {
  std::vector<double> values(size(shape));
  const std::size_t map = static_cast<std::size_t>(shape.count_from(2));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = norms[i / map];
  return values;
}

// The formulas of ErrorTerms::whole_maps.
TestValues map_terms(const Problem& problem, const TestValues& v) {
  CONVOY_CHECK(problem.kind->op == "Conv", "terms of whole maps are derived for Conv, not for ",
               problem.kind->op);
  const tensor::Shape &x = problem.inputs[0], &w = problem.params[0].shape, &y = problem.outputs[0];
  const auto x_max = map_norms(x, v.inputs[0], Norm::largest), w_sum = map_norms(w, v.params[0], Norm::sum),
             dy_max = map_norms(y, v.output_gradients[0], Norm::largest),
             dy_sum = map_norms(y, v.output_gradients[0], Norm::sum);
  const std::size_t n_count = static_cast<std::size_t>(x[0]), c_count = static_cast<std::size_t>(x[1]);
  const std::size_t k_count = static_cast<std::size_t>(w[0]), c_per_group = static_cast<std::size_t>(w[1]);
  const std::size_t k_per_group = k_count * c_per_group / c_count;
  std::vector<double> out(n_count * k_count), dx(n_count * c_count), dw(w_sum.size()), db(k_count);
  for (std::size_t n = 0; n < n_count; ++n)
    for (std::size_t k = 0; k < k_count; ++k) {
      const std::size_t first = k / k_per_group * c_per_group;
      db[k] += dy_sum[n * k_count + k];
      if (problem.params.size() > 1) out[n * k_count + k] += std::abs(v.params[1][k]);
      for (std::size_t i = 0; i < c_per_group; ++i) {
        const std::size_t nk = n * k_count + k, nc = n * c_count + first + i, kc = k * c_per_group + i;
        out[nk] += x_max[nc] * w_sum[kc];
        dx[nc] += dy_max[nk] * w_sum[kc];
        dw[kc] += dy_sum[nk] * x_max[nc];
      }
    }
  TestValues terms = v;
  terms.outputs[0] = spread(y, out);
  terms.input_gradients[0] = spread(x, dx);
  terms.param_gradients[0] = spread(w, dw);
  if (problem.params.size() > 1) terms.param_gradients[1] = db;
  return terms;
}

}  // namespace

TestValues draw(const Problem& problem, TestData data, std::uint64_t seed) {
  base::RandomStream random(seed, base::Purpose::test, 1, 0);
  TestValues v;
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    v.inputs.push_back(random_array(problem.inputs[i], data, random));
    if (!is_label(problem, i)) continue;
    const auto classes = static_cast<std::uint64_t>(problem.inputs[0][1]);
    for (double& label : v.inputs.back()) label = static_cast<double>(random.below(classes));
  }
  for (const graph::ParamSpec& param : problem.params) {
    v.params.push_back(random_array(param.shape, data, random));
    if (param.role == tensor::ParamRole::running_var)
      for (double& value : v.params.back())
        value = static_cast<double>(static_cast<float>(std::abs(value) + 0.5));
  }
  for (const tensor::Shape& shape : problem.outputs) {
    v.outputs.emplace_back(size(shape));
    v.output_gradients.push_back(random_array(shape, data, random));
  }
  if (problem.type == DType::bf16)
    for (Values* arrays : {&v.inputs, &v.params, &v.output_gradients})
      for (auto& array : *arrays)
        for (double& value : array) value = tensor::to_f32(tensor::to_bf16(static_cast<float>(value)));
  return v;
}

void evaluate_reference(const Problem& problem, const graph::EvalContext& context, TestValues& v) {
  std::vector<std::vector<std::int32_t>> labels;
  std::vector<ConstView> inputs, params, dy;
  std::vector<View> outputs, state, dx, dw;
  labels.reserve(problem.inputs.size());
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    labels.emplace_back(v.inputs[i].begin(), v.inputs[i].end());
    inputs.push_back(is_label(problem, i) ? ConstView(labels.back().data(), DType::i32, problem.inputs[i])
                                          : ConstView(v.inputs[i].data(), DType::f64, problem.inputs[i]));
  }
  v.next_state.assign(problem.params.size(), {});
  v.input_gradients.assign(problem.inputs.size(), {});
  v.param_gradients.assign(problem.params.size(), {});
  for (std::size_t i = 0; i < problem.params.size(); ++i) {
    const tensor::Shape& shape = problem.params[i].shape;
    params.emplace_back(v.params[i].data(), DType::f64, shape);
    const bool is_state = problem.params[i].kind == tensor::SegmentKind::state;
    v.next_state[i].resize(size(shape));
    v.param_gradients[i].resize(size(shape));
    state.push_back(is_state && problem.training ? View(v.next_state[i].data(), DType::f64, shape) : View());
    dw.push_back(is_state ? View() : View(v.param_gradients[i].data(), DType::f64, shape));
  }
  for (std::size_t i = 0; i < problem.outputs.size(); ++i) {
    outputs.emplace_back(v.outputs[i].data(), DType::f64, problem.outputs[i]);
    dy.emplace_back(v.output_gradients[i].data(), DType::f64, problem.outputs[i]);
  }
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    if (!is_label(problem, i)) v.input_gradients[i].resize(size(problem.inputs[i]));
    dx.push_back(is_label(problem, i) ? View()
                                      : View(v.input_gradients[i].data(), DType::f64, problem.inputs[i]));
  }
  const graph::ReferenceArgs args{.attributes = problem.attributes,
                                  .context = context,
                                  .inputs = inputs,
                                  .params = params,
                                  .outputs = outputs,
                                  .next_state = state,
                                  .output_gradients = dy,
                                  .input_gradients = dx,
                                  .param_gradients = dw};
  problem.kind->forward(args);
  const auto given = v.output_gradients;
  if (problem.epilogue == Epilogue::relu) apply_relu(problem.pass, v);
  if (problem.pass != Pass::forward) problem.kind->backward(args);
  v.output_gradients = given;
}

TestValues absolute_terms(const Problem& problem, const graph::EvalContext& context, const TestValues& v,
                          ErrorTerms which) {
  if (which == ErrorTerms::whole_maps) return map_terms(problem, v);
  const std::string_view op = problem.kind->op;
  for (const std::string_view own :
       {"Relu", "LeakyRelu", "LpPool", "MaxPool", "MeanSquaredError", "Dropout", "Scale"})
    if (op == own) return own_terms(problem, context, v);
  for (const std::string_view alone : {"LocalContrastNormalization", "RadialBasis", "SparsityPenalty"})
    if (op == alone) return result_terms(problem, context, v);
  if (!problem.kind->traits.linear && op != "Mul") return special_terms(problem, context, v);
  TestValues terms = v;
  terms.inputs = absolute(v.inputs);
  terms.params = absolute(v.params);
  terms.output_gradients = absolute(v.output_gradients);
  Problem without_epilogue = problem;
  without_epilogue.epilogue = Epilogue::none;
  evaluate_reference(without_epilogue, context, terms);
  return terms;
}

}  // namespace convoy::kernels
