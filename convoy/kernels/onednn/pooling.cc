// Max, average and global average pooling by oneDNN. The place of each maximum is the saved array.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"
#include "convoy/layers/window.h"

namespace convoy::kernels::onednn {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;
using Dims = dnnl::memory::dims;
using Kind = Source::Kind;
using Forward = dnnl::pooling_v2_forward;
using Backward = dnnl::pooling_v2_backward;

struct Geometry {
  algorithm kind = algorithm::pooling_max;
  Dims strides, kernel, dilates, pads_begin, pads_end;
};

bool is_max(const Problem& problem) { return problem.kind->op == "MaxPool"; }

// The window over everything.
Geometry global_geometry(const Problem& problem) {
  const auto rank = static_cast<std::size_t>(problem.inputs[0].rank() - 2);
  Geometry g{
      algorithm::pooling_avg_exclude_padding, Dims(rank, 1), {}, Dims(rank, 0), Dims(rank, 0), Dims(rank, 0)};
  g.kernel.assign(problem.inputs[0].begin() + 2, problem.inputs[0].end());
  return g;
}

// The end padding that makes the library's floor rule give the layer's output size, which under ceil_mode
// lets the last window hang over the stated padding.
Geometry window_geometry(const Problem& problem) {
  const layers::Window window = layers::resolve_window(problem.attributes, problem.inputs[0]).value();
  Geometry g{algorithm::pooling_max, window.strides, window.kernel, {}, window.pads_begin, {}};
  if (!is_max(problem))
    g.kind = problem.attributes.integer("count_include_pad") != 0 ? algorithm::pooling_avg_include_padding
                                                                  : algorithm::pooling_avg_exclude_padding;
  for (std::size_t d = 0; d < window.kernel.size(); ++d) {
    g.dilates.push_back(window.dilations[d] - 1);
    const std::int64_t extent = (window.kernel[d] - 1) * window.dilations[d] + 1;
    const std::int64_t reach = (window.output[d] - 1) * window.strides[d] + extent;
    g.pads_end.push_back(reach - window.pads_begin[d] - window.input[d]);
  }
  return g;
}

Geometry geometry(const Problem& problem) {
  return problem.kind->op == "GlobalAveragePool" ? global_geometry(problem) : window_geometry(problem);
}

struct Descs {
  explicit Descs(const Problem& problem)
      : input(activation_desc(problem, problem.inputs[0])),
        output(activation_desc(problem, problem.outputs[0])) {}
  Desc input, output;
};

Forward::primitive_desc describe_forward(const Problem& problem, bool training, const Engine& engine) {
  const Geometry g = geometry(problem);
  const Descs d(problem);
  const auto kind = training ? prop_kind::forward_training : prop_kind::forward_inference;
  return {{kind, g.kind, d.input, d.output, g.strides, g.kernel, g.dilates, g.pads_begin, g.pads_end},
          attributes(),
          engine.engine};
}

Backward::primitive_desc describe_backward(const Problem& problem, const Engine& engine) {
  const Geometry g = geometry(problem);
  const Descs d(problem);
  return {{g.kind, d.input, d.output, g.strides, g.kernel, g.dilates, g.pads_begin, g.pads_end},
          attributes(),
          engine.engine,
          describe_forward(problem, true, engine)};
}

// The layer divides by the taps within input and stated padding; the library knows the padding that we had
// to enlarge.
bool overhangs_counted_padding(const Problem& problem, const Geometry& g) {
  if (g.kind != algorithm::pooling_avg_include_padding) return false;
  const layers::Window window = layers::resolve_window(problem.attributes, problem.inputs[0]).value();
  for (std::size_t d = 0; d < g.pads_end.size(); ++d)
    if (g.pads_end[d] > window.pads_end[d]) return true;
  return false;
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {.bf16 = true}); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"pooling has no parameters"};
  if (problem.inputs[0].rank() > 5)
    return base::Reason{
        base::str("oneDNN pools over 1, 2 or 3 dimensions, not over ", problem.inputs[0].rank() - 2)};
  const Geometry g = geometry(problem);
  for (std::size_t d = 0; d < g.kernel.size(); ++d) {
    if (g.pads_end[d] < 0)
      continue;  // rows behind the last window: the library's floor rule drops them as well
    const std::int64_t extent = (g.kernel[d] - 1) * (g.dilates[d] + 1) + 1;
    if (g.pads_begin[d] >= extent || g.pads_end[d] >= extent)
      return base::Reason{base::str("oneDNN wants padding smaller than the window, in dimension ", d)};
  }
  if (overhangs_counted_padding(problem, g))
    return base::Reason{
        "under ceil_mode the last window hangs over the padding: oneDNN would count what hangs over"};
  const Engine engine;
  return try_to([&] {
    problem.pass == Pass::forward ? static_cast<void>(describe_forward(problem, problem.training, engine))
                                  : static_cast<void>(describe_backward(problem, engine));
  });
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  Recipe recipe{plain_traits(problem), {}, {}};
  recipe.traits.inputs[0] = activation_layout(problem.inputs[0], problem.family);
  recipe.traits.outputs[0] = activation_layout(problem.outputs[0], problem.family);
  const bool forward = problem.pass == Pass::forward;
  const auto f = describe_forward(problem, forward ? problem.training : true, engine);
  const Desc saved = f.workspace_desc();
  recipe.traits.saved_bytes = static_cast<std::int64_t>(saved.get_size());
  if (forward) {
    recipe.implementation = f.impl_info_str();
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
  Call call(engine, Backward(b));
  call.add(DNNL_ARG_DIFF_SRC, b.diff_src_desc(), {.kind = Kind::input_gradient})
      .add(DNNL_ARG_DIFF_DST, b.diff_dst_desc(), {.kind = Kind::output_gradient});
  if (saved.get_size() > 0) call.add(DNNL_ARG_WORKSPACE, saved, {.kind = Kind::saved});
  add_scratchpad(recipe, call, b.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return make_kernel(std::move(recipe));
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, problem.family == LayoutFamily::plain ? 0.05 : 0.2);
}

// A maximum is exact, and so is a gradient that one window hands back; where windows overlap, gradients of
// up to one window's number of taps add up. An average is a sum and one division.
double error_growth(const Problem& problem) {
  if (is_max(problem) && problem.pass == Pass::forward) return 0;
  double taps = 1;
  for (const std::int64_t size : geometry(problem).kernel) taps *= static_cast<double>(size);
  // Sums of gradients in bf16 are rounded once a window.
  const bool sums_bf16 = problem.type == tensor::DType::bf16 && problem.pass != Pass::forward;
  constexpr double kBf16Epsilon = 65536;  // in those of float32
  return sum_error_growth(taps) * (sums_bf16 ? kBf16Epsilon : 1) + 1;
}

KernelEntry entry(std::string_view op) {
  return {.name = "onednn",
          .op = op,
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace

KernelEntry max_pool_entry() { return entry("MaxPool"); }
KernelEntry average_pool_entry() { return entry("AveragePool"); }
KernelEntry global_average_pool_entry() { return entry("GlobalAveragePool"); }

}  // namespace convoy::kernels::onednn
