// Concat by oneDNN; its gradient is a copy out of a part of the output's gradient for each input.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"
#include "convoy/layers/support.h"

namespace convoy::kernels::onednn {
namespace {

using Kind = Source::Kind;

int axis_of(const Problem& problem) {
  return layers::sample_axis(problem.attributes.integer("axis"), problem.outputs[0].rank()).value();
}

dnnl::concat::primitive_desc describe_forward(const Problem& problem, const Engine& engine) {
  std::vector<Desc> sources;
  for (const tensor::Shape& input : problem.inputs) sources.push_back(activation_desc(problem, input));
  return {activation_desc(problem, problem.outputs[0]), axis_of(problem), sources, engine.engine,
          attributes()};
}

// The part of the output that is input i, as a descriptor of the whole output's memory.
Desc part_of_output(const Problem& problem, std::size_t i) {
  const int axis = axis_of(problem);
  dnnl::memory::dims offsets(static_cast<std::size_t>(problem.outputs[0].rank()), 0);
  for (std::size_t before = 0; before < i; ++before)
    offsets[static_cast<std::size_t>(axis)] += problem.inputs[before][axis];
  return activation_desc(problem, problem.outputs[0]).submemory_desc(dims(problem.inputs[i]), offsets);
}

dnnl::reorder::primitive_desc describe_copy(const Problem& problem, std::size_t i, const Engine& engine) {
  return {engine.engine, part_of_output(problem, i), engine.engine,
          activation_desc(problem, problem.inputs[i]), attributes()};
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {.bf16 = true}); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"Concat has no parameters"};
  if (problem.family == LayoutFamily::blocked && problem.outputs[0].rank() > 2 && axis_of(problem) == 1)
    for (std::size_t i = 0; i + 1 < problem.inputs.size(); ++i)
      if (problem.inputs[i][1] % family_block() != 0)
        return base::Reason{base::str("what stands behind the ", problem.inputs[i][1], " channels of input ",
                                      i, " does not begin at a block of ", family_block())};
  const Engine engine;
  return try_to([&] {
    if (problem.pass == Pass::forward) return static_cast<void>(describe_forward(problem, engine));
    for (std::size_t i = 0; i < problem.inputs.size(); ++i)
      static_cast<void>(describe_copy(problem, i, engine));
  });
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  Recipe recipe{plain_traits(problem), {}, {}};
  for (std::size_t i = 0; i < problem.inputs.size(); ++i)
    recipe.traits.inputs[i] = activation_layout(problem.inputs[i], problem.family);
  recipe.traits.outputs[0] = activation_layout(problem.outputs[0], problem.family);
  if (problem.pass == Pass::forward) {
    const auto d = describe_forward(problem, engine);
    recipe.implementation = d.impl_info_str();
    Call call(engine, dnnl::concat(d));
    for (std::size_t i = 0; i < problem.inputs.size(); ++i)
      call.add(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), activation_desc(problem, problem.inputs[i]),
               {.kind = Kind::input, .index = i});
    call.add(DNNL_ARG_DST, activation_desc(problem, problem.outputs[0]), {.kind = Kind::output});
    add_scratchpad(recipe, call, d.scratchpad_desc());
    recipe.calls.push_back(std::move(call));
    return make_kernel(std::move(recipe));
  }
  for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
    if (!problem.wanted[i]) continue;
    const auto d = describe_copy(problem, i, engine);
    recipe.implementation = d.impl_info_str();
    Call call(engine, dnnl::reorder(d));
    call.add(DNNL_ARG_FROM, part_of_output(problem, i), {.kind = Kind::output_gradient})
        .add(DNNL_ARG_TO, activation_desc(problem, problem.inputs[i]),
             {.kind = Kind::input_gradient, .index = i});
    add_scratchpad(recipe, call, d.scratchpad_desc());
    recipe.calls.push_back(std::move(call));
  }
  return make_kernel(std::move(recipe));
}

}  // namespace

KernelEntry concat_entry() {
  return {.name = "onednn",
          .op = "Concat",
          .supports = supports,
          .make = make,
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.5); },
          .error_growth = [](const Problem&) { return 0.0; }};
}

}  // namespace convoy::kernels::onednn
