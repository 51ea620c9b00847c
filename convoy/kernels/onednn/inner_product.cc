// Fully connected layers by oneDNN's inner product: plain weights through GEMM, or weights in the library's
// own blocks ("blocked"), which its batch-reduce GEMM reads without copying.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

using dnnl::prop_kind;
using Kind = Source::Kind;
using Forward = dnnl::inner_product_forward;
using BackwardData = dnnl::inner_product_backward_data;
using BackwardWeights = dnnl::inner_product_backward_weights;

struct Descs {
  explicit Descs(const Problem& problem)
      : has_bias(problem.params.size() > 1),
        input(desc(problem.inputs[0], Layout::plain(), problem.type)),
        weight(weight_desc(problem, problem.type)),
        weight_gradient(weight_desc(problem, tensor::DType::f32)),
        output(desc(problem.outputs[0], Layout::plain(), problem.type)) {
    if (has_bias) bias = desc(problem.params[1].shape);
  }

  static Desc weight_desc(const Problem& problem, tensor::DType type) {
    const tensor::Shape& shape = problem.params[0].shape;
    return problem.family == LayoutFamily::blocked ? any_desc(dims(shape), type)
                                                   : desc(shape, Layout::plain(), type);
  }

  bool has_bias;
  Desc input, weight, weight_gradient, output, bias;
};

Forward::primitive_desc describe_forward(const Problem& problem, const Descs& d, const Engine& engine) {
  const auto kind = problem.pass == Pass::forward && !problem.training ? prop_kind::forward_inference
                                                                       : prop_kind::forward_training;
  const auto description = d.has_bias ? Forward::desc(kind, d.input, d.weight, d.bias, d.output)
                                      : Forward::desc(kind, d.input, d.weight, d.output);
  const Epilogue epilogue = problem.pass == Pass::forward ? problem.epilogue : Epilogue::none;
  return {description, attributes(epilogue), engine.engine};
}

BackwardData::primitive_desc describe_data(const Problem& problem, const Descs& d, const Engine& engine) {
  return {{d.input, d.weight, d.output}, attributes(), engine.engine, describe_forward(problem, d, engine)};
}

BackwardWeights::primitive_desc describe_weights(const Problem& problem, const Descs& d,
                                                 const Engine& engine) {
  const auto description = d.has_bias ? BackwardWeights::desc(d.input, d.weight_gradient, d.bias, d.output)
                                      : BackwardWeights::desc(d.input, d.weight_gradient, d.output);
  return {description, attributes(), engine.engine, describe_forward(problem, d, engine)};
}

base::Verdict check_weight(const Problem& problem, const Desc& weight) {
  if (layout_of(problem.params[0].shape, weight)) return {};
  return base::Reason{"oneDNN wants weights in an order that no layout tag can state"};
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {.relu_epilogue = true, .bf16 = true}); !verdict) return verdict;
  if (problem.pass == Pass::backward) return base::Reason{"inner products have two separate backward passes"};
  const Descs d(problem);
  const Engine engine;
  base::Verdict expressible;
  const base::Verdict described = try_to([&] {
    switch (problem.pass) {
      case Pass::forward:
        expressible = check_weight(problem, describe_forward(problem, d, engine).weights_desc());
        break;
      case Pass::backward_data:
        expressible = check_weight(problem, describe_data(problem, d, engine).weights_desc());
        break;
      default:
        expressible = check_weight(problem, describe_weights(problem, d, engine).diff_weights_desc());
    }
  });
  return described ? expressible : described;
}

Recipe start_recipe(const Problem& problem, const Desc& weight, const char* implementation) {
  Recipe recipe{plain_traits(problem), implementation, {}};
  recipe.traits.params[0] = layout_of(problem.params[0].shape, weight).value();
  recipe.traits.param_types = weight_read_as(problem);
  return recipe;
}

Recipe forward_recipe(const Problem& problem, const Descs& d, Engine& engine) {
  const auto p = describe_forward(problem, d, engine);
  Recipe recipe = start_recipe(problem, p.weights_desc(), p.impl_info_str());
  Call call(engine, Forward(p));
  call.add(DNNL_ARG_SRC, p.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_WEIGHTS, p.weights_desc(), {.kind = Kind::param})
      .add(DNNL_ARG_DST, p.dst_desc(), {.kind = Kind::output});
  if (d.has_bias) call.add(DNNL_ARG_BIAS, p.bias_desc(), {.kind = Kind::param, .index = 1});
  add_scratchpad(recipe, call, p.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return recipe;
}

Recipe backward_data_recipe(const Problem& problem, const Descs& d, Engine& engine) {
  const auto p = describe_data(problem, d, engine);
  Recipe recipe = start_recipe(problem, p.weights_desc(), p.impl_info_str());
  Call call(engine, BackwardData(p));
  call.add(DNNL_ARG_DIFF_SRC, p.diff_src_desc(), {.kind = Kind::input_gradient})
      .add(DNNL_ARG_WEIGHTS, p.weights_desc(), {.kind = Kind::param})
      .add(DNNL_ARG_DIFF_DST, p.diff_dst_desc(), {.kind = Kind::output_gradient});
  add_scratchpad(recipe, call, p.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return recipe;
}

Recipe backward_weights_recipe(const Problem& problem, const Descs& d, Engine& engine) {
  const auto p = describe_weights(problem, d, engine);
  Recipe recipe = start_recipe(problem, p.diff_weights_desc(), p.impl_info_str());
  recipe.traits.reads_inputs[0] = true;
  Call call(engine, BackwardWeights(p));
  call.add(DNNL_ARG_SRC, p.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_DIFF_WEIGHTS, p.diff_weights_desc(), {.kind = Kind::param_gradient})
      .add(DNNL_ARG_DIFF_DST, p.diff_dst_desc(), {.kind = Kind::output_gradient});
  if (d.has_bias)
    call.add(DNNL_ARG_DIFF_BIAS, p.diff_bias_desc(), {.kind = Kind::param_gradient, .index = 1});
  add_scratchpad(recipe, call, p.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return recipe;
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  const Descs d(problem);
  Engine engine;
  if (problem.pass == Pass::forward) return make_kernel(forward_recipe(problem, d, engine));
  if (problem.pass == Pass::backward_data) return make_kernel(backward_data_recipe(problem, d, engine));
  return make_kernel(backward_weights_recipe(problem, d, engine));
}

// Measured on 784-1024-1024-10: plain weights cost the forward pass a transposition in GEMM.
double seconds(const Problem& problem, const machine::Machine& machine) {
  const bool transposes = problem.family != LayoutFamily::blocked && problem.pass == Pass::forward;
  const double products = problem.type == tensor::DType::bf16 ? 1.7 : 1;  // a second
  return roofline_seconds(problem, machine, products * (transposes ? 0.6 : 0.9));
}

double error_growth(const Problem& problem) {
  const tensor::Shape& weight = problem.params[0].shape;
  if (problem.pass == Pass::forward) return sum_error_growth(static_cast<double>(weight[1]) + 1);
  if (problem.pass == Pass::backward_data) return sum_error_growth(static_cast<double>(weight[0]));
  return sum_error_growth(static_cast<double>(problem.inputs[0][0]));
}

}  // namespace

KernelEntry inner_product_entry() {
  return {.name = "onednn",
          .op = "Gemm",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace convoy::kernels::onednn
