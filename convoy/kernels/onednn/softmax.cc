// Softmax and LogSoftmax along an axis by oneDNN. Backward reads the outputs alone.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"
#include "convoy/layers/support.h"

namespace convoy::kernels::onednn {
namespace {

using Kind = Source::Kind;

int axis_of(const Problem& problem) {
  return layers::sample_axis(problem.attributes.integer("axis"), problem.inputs[0].rank()).value();
}

Desc data_desc(const Problem& problem) { return activation_desc(problem, problem.inputs[0]); }

template <class Forward>
typename Forward::primitive_desc describe_forward(const Problem& problem, const Engine& engine) {
  const auto kind = problem.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return {{kind, data_desc(problem), axis_of(problem)}, attributes(), engine.engine};
}

template <class Forward, class Backward>
typename Backward::primitive_desc describe_backward(const Problem& problem, const Engine& engine) {
  const Desc data = data_desc(problem);
  return {{data, data, axis_of(problem)},
          attributes(),
          engine.engine,
          describe_forward<Forward>(problem, engine)};
}

template <class Forward, class Backward>
base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {}); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"softmax has no parameters"};
  const Engine engine;
  return try_to([&] {
    problem.pass == Pass::forward ? static_cast<void>(describe_forward<Forward>(problem, engine))
                                  : static_cast<void>(describe_backward<Forward, Backward>(problem, engine));
  });
}

template <class Forward, class Backward>
std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  const Desc data = data_desc(problem);
  Recipe recipe{plain_traits(problem), {}, {}};
  recipe.traits.inputs[0] = recipe.traits.outputs[0] = activation_layout(problem.inputs[0], problem.family);
  recipe.traits.in_place = true;
  if (problem.pass == Pass::forward) {
    const auto d = describe_forward<Forward>(problem, engine);
    recipe.implementation = d.impl_info_str();
    Call call(engine, Forward(d));
    call.add(DNNL_ARG_SRC, data, {.kind = Kind::input}).add(DNNL_ARG_DST, data, {.kind = Kind::output});
    add_scratchpad(recipe, call, d.scratchpad_desc());
    recipe.calls.push_back(std::move(call));
    return make_kernel(std::move(recipe));
  }
  const auto d = describe_backward<Forward, Backward>(problem, engine);
  recipe.implementation = d.impl_info_str();
  recipe.traits.reads_outputs[0] = true;
  Call call(engine, Backward(d));
  call.add(DNNL_ARG_DST, data, {.kind = Kind::output})
      .add(DNNL_ARG_DIFF_DST, data, {.kind = Kind::output_gradient})
      .add(DNNL_ARG_DIFF_SRC, data, {.kind = Kind::input_gradient});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return make_kernel(std::move(recipe));
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.1);
}

// A sum over the axis, exponentials of a few units, a division or logarithm.
double error_growth(const Problem& problem) {
  return sum_error_growth(static_cast<double>(problem.inputs[0][axis_of(problem)])) + 8;
}

template <class Forward, class Backward>
KernelEntry entry(std::string_view op) {
  return {.name = "onednn",
          .op = op,
          .supports = supports<Forward, Backward>,
          .make = make<Forward, Backward>,
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace

std::vector<KernelEntry> softmax_entries() {
  return {entry<dnnl::softmax_forward, dnnl::softmax_backward>("Softmax"),
          entry<dnnl::logsoftmax_forward, dnnl::logsoftmax_backward>("LogSoftmax")};
}

}  // namespace convoy::kernels::onednn
