// Local response normalisation across channels by oneDNN. Its alpha, as ONNX's, is divided by the size.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

using Kind = Source::Kind;
using Forward = dnnl::lrn_forward;
using Backward = dnnl::lrn_backward;
constexpr auto kAcross = dnnl::algorithm::lrn_across_channels;

struct Settings {
  explicit Settings(const Problem& problem)
      : data(activation_desc(problem, problem.inputs[0])),
        size(problem.attributes.integer("size")),
        alpha(static_cast<float>(problem.attributes.real("alpha"))),
        beta(static_cast<float>(problem.attributes.real("beta"))),
        bias(static_cast<float>(problem.attributes.real("bias"))) {}
  Desc data;
  std::int64_t size;
  float alpha, beta, bias;
};

Forward::primitive_desc describe_forward(const Problem& problem, bool training, const Engine& engine) {
  const Settings s(problem);
  const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  return {{kind, kAcross, s.data, s.size, s.alpha, s.beta, s.bias}, attributes(), engine.engine};
}

Backward::primitive_desc describe_backward(const Problem& problem, const Engine& engine) {
  const Settings s(problem);
  return {{kAcross, s.data, s.data, s.size, s.alpha, s.beta, s.bias},
          attributes(),
          engine.engine,
          describe_forward(problem, true, engine)};
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {}); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"LRN has no parameters"};
  if (problem.attributes.integer("size") % 2 == 0)
    return base::Reason{"oneDNN's window is symmetric: an even size cannot be"};
  if (problem.inputs[0].rank() != 4)
    return base::Reason{base::str("oneDNN normalises images, {N, C, H, W}, not ", problem.inputs[0].str())};
  const Engine engine;
  return try_to([&] {
    problem.pass == Pass::forward ? static_cast<void>(describe_forward(problem, problem.training, engine))
                                  : static_cast<void>(describe_backward(problem, engine));
  });
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  const bool forward = problem.pass == Pass::forward;
  const auto f = describe_forward(problem, forward ? problem.training : true, engine);
  const Desc saved = f.workspace_desc();
  Recipe recipe{plain_traits(problem), f.impl_info_str(), {}};
  recipe.traits.inputs[0] = recipe.traits.outputs[0] = activation_layout(problem.inputs[0], problem.family);
  recipe.traits.saved_bytes = static_cast<std::int64_t>(saved.get_size());
  if (forward) {
    Call call(engine, Forward(f));
    call.add(DNNL_ARG_SRC, f.src_desc(), {.kind = Kind::input})
        .add(DNNL_ARG_DST, f.dst_desc(), {.kind = Kind::output});
    if (saved.get_size() > 0) call.add(DNNL_ARG_WORKSPACE, saved, {.kind = Kind::saved});
    add_scratchpad(recipe, call, f.scratchpad_desc());
    recipe.calls.push_back(std::move(call));
    return make_kernel(std::move(recipe));
  }
  const auto b = describe_backward(problem, engine);
  recipe.implementation = b.impl_info_str();
  recipe.traits.reads_inputs[0] = true;
  Call call(engine, Backward(b));
  call.add(DNNL_ARG_SRC, f.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_DIFF_SRC, b.diff_src_desc(), {.kind = Kind::input_gradient})
      .add(DNNL_ARG_DIFF_DST, b.diff_dst_desc(), {.kind = Kind::output_gradient});
  if (saved.get_size() > 0) call.add(DNNL_ARG_WORKSPACE, saved, {.kind = Kind::saved});
  add_scratchpad(recipe, call, b.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return make_kernel(std::move(recipe));
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.15);
}

// The sum of squares has `size` positive terms; its relative error, times beta, and a few units of the power
// function pass into every factor, of which backward multiplies three.
double error_growth(const Problem& problem) {
  const double size = static_cast<double>(problem.attributes.integer("size"));
  const double power = (sum_error_growth(size) + 2) * problem.attributes.real("beta") + 4;
  return problem.pass == Pass::forward ? power : 3 * power + sum_error_growth(size);
}

}  // namespace

KernelEntry lrn_entry() {
  return {.name = "onednn",
          .op = "LRN",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace convoy::kernels::onednn
