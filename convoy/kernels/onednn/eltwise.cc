// Element-wise functions by oneDNN. Backward reads the outputs alone, so that forward may work in place.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

using dnnl::algorithm;
using Kind = Source::Kind;

struct Function {
  std::string_view op;
  algorithm kind;
  const char* parameter;  // the attribute that is the library's alpha, or null
};

constexpr Function kFunctions[] = {
    {"Relu", algorithm::eltwise_relu_use_dst_for_bwd, nullptr},
    {"LeakyRelu", algorithm::eltwise_relu_use_dst_for_bwd, "alpha"},
    {"Sigmoid", algorithm::eltwise_logistic_use_dst_for_bwd, nullptr},
    {"Tanh", algorithm::eltwise_tanh_use_dst_for_bwd, nullptr},
};

const Function& function_of(const Problem& problem) {
  for (const Function& function : kFunctions)
    if (function.op == problem.kind->op) return function;
  CONVOY_CHECK(false, problem.kind->op);
  return kFunctions[0];
}

float alpha(const Problem& problem, const Function& function) {
  return function.parameter == nullptr ? 0.0F
                                       : static_cast<float>(problem.attributes.real(function.parameter));
}

dnnl::eltwise_forward::primitive_desc describe_forward(const Problem& problem, const Engine& engine) {
  const Function& function = function_of(problem);
  const Desc data = activation_desc(problem, problem.inputs[0]);
  const auto kind = problem.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return {{kind, function.kind, data, alpha(problem, function), 0.0F}, attributes(), engine.engine};
}

dnnl::eltwise_backward::primitive_desc describe_backward(const Problem& problem, const Engine& engine) {
  const Function& function = function_of(problem);
  const Desc data = activation_desc(problem, problem.inputs[0]);
  return {{function.kind, data, data, alpha(problem, function), 0.0F},
          attributes(),
          engine.engine,
          describe_forward(problem, engine)};
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {.bf16 = true}); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"an element-wise function has no parameters"};
  if (alpha(problem, function_of(problem)) < 0)
    return base::Reason{"with a negative slope the output does not tell the input's sign"};
  const Engine engine;
  return try_to([&] {
    problem.pass == Pass::forward ? static_cast<void>(describe_forward(problem, engine))
                                  : static_cast<void>(describe_backward(problem, engine));
  });
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  const Layout layout = activation_layout(problem.inputs[0], problem.family);
  Recipe recipe{plain_traits(problem), {}, {}};
  recipe.traits.inputs[0] = recipe.traits.outputs[0] = layout;
  recipe.traits.in_place = true;
  if (problem.pass == Pass::forward) {
    const auto d = describe_forward(problem, engine);
    recipe.implementation = d.impl_info_str();
    Call call(engine, dnnl::eltwise_forward(d));
    call.add(DNNL_ARG_SRC, d.src_desc(), {.kind = Kind::input})
        .add(DNNL_ARG_DST, d.dst_desc(), {.kind = Kind::output});
    add_scratchpad(recipe, call, d.scratchpad_desc());
    recipe.calls.push_back(std::move(call));
    return make_kernel(std::move(recipe));
  }
  const auto d = describe_backward(problem, engine);
  recipe.implementation = d.impl_info_str();
  recipe.traits.reads_outputs[0] = true;
  Call call(engine, dnnl::eltwise_backward(d));
  call.add(DNNL_ARG_DST, d.dst_desc(), {.kind = Kind::output})
      .add(DNNL_ARG_DIFF_DST, d.diff_dst_desc(), {.kind = Kind::output_gradient})
      .add(DNNL_ARG_DIFF_SRC, d.diff_src_desc(), {.kind = Kind::input_gradient});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return make_kernel(std::move(recipe));
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.5);
}

// Relu only selects. The exponential's polynomial and a division stay within a few units in the last place
// of 1, the largest value; backward multiplies three such numbers.
double error_growth(const Problem& problem) {
  if (problem.kind->op == "Relu") return 0;
  if (problem.kind->op == "LeakyRelu") return 1;
  // Backward takes y as forward has stored it: half a unit of bf16 in y is at most twice that in the
  // derivative.
  const bool reads_rounded = problem.type == tensor::DType::bf16 && problem.pass != Pass::forward;
  constexpr double kBf16Epsilon = 65536;  // in those of float32
  return 8 + (reads_rounded ? kBf16Epsilon : 0);
}

}  // namespace

std::vector<KernelEntry> eltwise_entries() {
  std::vector<KernelEntry> entries;
  for (const Function& function : kFunctions)
    entries.push_back({.name = "onednn",
                       .op = function.op,
                       .supports = supports,
                       .make = make,
                       .seconds = seconds,
                       .error_growth = error_growth});
  return entries;
}

}  // namespace convoy::kernels::onednn
