// Add, Sum and Mul of arrays of one shape by oneDNN. The gradient of a sum is a copy for each term.
#include <algorithm>

#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

using Kind = Source::Kind;

Desc data_desc(const Problem& problem) {
  return desc(problem.outputs[0], family_layout(problem.outputs[0].rank(), problem.family));
}

bool multiplies(const Problem& problem) { return problem.kind->op == "Mul"; }

dnnl::binary::primitive_desc describe_product(const Problem& problem, const Engine& engine) {
  const Desc data = data_desc(problem);
  return {{dnnl::algorithm::binary_mul, data, data, data}, attributes(), engine.engine};
}

dnnl::sum::primitive_desc describe_sum(const Problem& problem, const Engine& engine) {
  const std::vector<Desc> sources(problem.inputs.size(), data_desc(problem));
  return {data_desc(problem), std::vector<float>(problem.inputs.size(), 1.0F), sources, engine.engine,
          attributes()};
}

dnnl::reorder::primitive_desc describe_copy(const Problem& problem, const Engine& engine) {
  const Desc data = data_desc(problem);
  return {engine.engine, data, engine.engine, data, attributes()};
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, false); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{base::str(problem.kind->op, " has no parameters")};
  for (const tensor::Shape& input : problem.inputs)
    if (input != problem.outputs[0])
      return base::Reason{base::str("inputs of one shape only, not ", input.str(), " repeated to ",
                                    problem.outputs[0].str())};
  const Engine engine;
  return try_to([&] {
    if (multiplies(problem))
      static_cast<void>(describe_product(problem, engine));
    else if (problem.pass == Pass::forward)
      static_cast<void>(describe_sum(problem, engine));
    else
      static_cast<void>(describe_copy(problem, engine));
  });
}

void add_product(Recipe& recipe, const Problem& problem, Engine& engine, const Source sources[3]) {
  const auto d = describe_product(problem, engine);
  const Desc data = data_desc(problem);
  recipe.implementation = d.impl_info_str();
  Call call(engine, dnnl::binary(d));
  call.add(DNNL_ARG_SRC_0, data, sources[0])
      .add(DNNL_ARG_SRC_1, data, sources[1])
      .add(DNNL_ARG_DST, data, sources[2]);
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
}

void add_sum(Recipe& recipe, const Problem& problem, Engine& engine) {
  const auto d = describe_sum(problem, engine);
  const Desc data = data_desc(problem);
  recipe.implementation = d.impl_info_str();
  Call call(engine, dnnl::sum(d));
  for (std::size_t i = 0; i < problem.inputs.size(); ++i)
    call.add(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), data, {.kind = Kind::input, .index = i});
  call.add(DNNL_ARG_DST, data, {.kind = Kind::output});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
}

void add_copy(Recipe& recipe, const Problem& problem, Engine& engine, std::size_t input) {
  const auto d = describe_copy(problem, engine);
  const Desc data = data_desc(problem);
  recipe.implementation = d.impl_info_str();
  Call call(engine, dnnl::reorder(d));
  call.add(DNNL_ARG_FROM, data, {.kind = Kind::output_gradient})
      .add(DNNL_ARG_TO, data, {.kind = Kind::input_gradient, .index = input});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  Recipe recipe{plain_traits(problem), {}, {}};
  const Layout layout = activation_layout(problem.outputs[0], problem.family);
  std::fill(recipe.traits.inputs.begin(), recipe.traits.inputs.end(), layout);
  recipe.traits.outputs[0] = layout;
  if (problem.pass == Pass::forward) {
    const Source product[] = {
        {.kind = Kind::input}, {.kind = Kind::input, .index = 1}, {.kind = Kind::output}};
    multiplies(problem) ? add_product(recipe, problem, engine, product) : add_sum(recipe, problem, engine);
    return make_kernel(std::move(recipe));
  }
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    if (!problem.wanted[i]) continue;
    const std::size_t other = 1 - std::min<std::size_t>(i, 1);
    const Source product[] = {{.kind = Kind::output_gradient},
                              {.kind = Kind::input, .index = other},
                              {.kind = Kind::input_gradient, .index = i}};
    if (multiplies(problem)) recipe.traits.reads_inputs[other] = true;
    multiplies(problem) ? add_product(recipe, problem, engine, product)
                        : add_copy(recipe, problem, engine, i);
  }
  return make_kernel(std::move(recipe));
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.5);
}

double error_growth(const Problem& problem) {
  return sum_error_growth(multiplies(problem) ? 1.0 : static_cast<double>(problem.inputs.size()));
}

}  // namespace

std::vector<KernelEntry> binary_sum_entries() {
  std::vector<KernelEntry> entries;
  for (const std::string_view op : {"Add", "Sum", "Mul"})
    entries.push_back({.name = "onednn",
                       .op = op,
                       .supports = supports,
                       .make = make,
                       .seconds = seconds,
                       .error_growth = error_growth});
  return entries;
}

}  // namespace convoy::kernels::onednn
