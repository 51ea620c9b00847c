// Mul of arrays of one shape by oneDNN.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

using Kind = Source::Kind;

Desc data_desc(const Problem& problem) { return activation_desc(problem, problem.outputs[0]); }

dnnl::binary::primitive_desc describe(const Problem& problem, const Engine& engine) {
  const Desc data = data_desc(problem);
  return {{dnnl::algorithm::binary_mul, data, data, data}, attributes(), engine.engine};
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {.bf16 = true}); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"Mul has no parameters"};
  for (const tensor::Shape& input : problem.inputs)
    if (input != problem.outputs[0])
      return base::Reason{base::str("inputs of one shape only, not ", input.str(), " repeated to ",
                                    problem.outputs[0].str())};
  const Engine engine;
  return try_to([&] { static_cast<void>(describe(problem, engine)); });
}

void add_product(Recipe& recipe, const Problem& problem, Engine& engine, const Source sources[3]) {
  const auto d = describe(problem, engine);
  const Desc data = data_desc(problem);
  recipe.implementation = d.impl_info_str();
  Call call(engine, dnnl::binary(d));
  call.add(DNNL_ARG_SRC_0, data, sources[0])
      .add(DNNL_ARG_SRC_1, data, sources[1])
      .add(DNNL_ARG_DST, data, sources[2]);
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  Recipe recipe{plain_traits(problem), {}, {}};
  const Layout layout = activation_layout(problem.outputs[0], problem.family);
  recipe.traits.inputs = {layout, layout};
  recipe.traits.outputs[0] = layout;
  if (problem.pass == Pass::forward) {
    const Source sources[] = {
        {.kind = Kind::input}, {.kind = Kind::input, .index = 1}, {.kind = Kind::output}};
    add_product(recipe, problem, engine, sources);
    return make_kernel(std::move(recipe));
  }
  for (const std::size_t i : {0, 1}) {
    if (!problem.wanted[i]) continue;
    const Source sources[] = {{.kind = Kind::output_gradient},
                              {.kind = Kind::input, .index = 1 - i},
                              {.kind = Kind::input_gradient, .index = i}};
    recipe.traits.reads_inputs[1 - i] = true;
    add_product(recipe, problem, engine, sources);
  }
  return make_kernel(std::move(recipe));
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.5);
}

double error_growth(const Problem&) { return sum_error_growth(1); }

}  // namespace

KernelEntry binary_product_entry() {
  return {.name = "onednn",
          .op = "Mul",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace convoy::kernels::onednn
