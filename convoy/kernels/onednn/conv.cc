// Convolution by oneDNN's direct and GEMM implementations, in the layouts that the library asks for.
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

// Descriptors of one attempt; "any" leaves the choice to the library.
struct Candidate {
  Desc input;
  Desc weight;
  Desc output;
};

struct Geometry {
  explicit Geometry(const Problem& problem)
      : input(problem.inputs[0]),
        weight(problem.params[0].shape),
        output(problem.outputs[0]),
        groups(problem.attributes.integer("group")),
        has_bias(problem.params.size() > 1) {
    const layers::Window window = layers::resolve_window(problem.attributes, input).value();
    strides = window.strides;
    for (const std::int64_t dilation : window.dilations) dilates.push_back(dilation - 1);
    pads_begin = window.pads_begin;
    pads_end = window.pads_end;
    if (has_bias) bias = desc(problem.params[1].shape);
  }

  Desc any_weight() const {
    Dims sizes = dims(weight);
    if (groups == 1) return any_desc(sizes);
    sizes[0] /= groups;
    sizes.insert(sizes.begin(), groups);
    return any_desc(sizes);
  }
  Desc plain_weight() const { return groups == 1 ? desc(weight) : grouped_desc(weight, groups); }

  tensor::Shape input, weight, output;
  std::int64_t groups;
  bool has_bias;
  Desc bias;
  Dims strides, dilates, pads_begin, pads_end;
};

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;
constexpr algorithm kDirect = algorithm::convolution_direct;

Forward::desc forward_operation(const Geometry& g, const Candidate& c, prop_kind kind) {
  if (g.has_bias)
    return {kind,     kDirect,   c.input,   c.weight,     g.bias,
            c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
  return {kind, kDirect, c.input, c.weight, c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
}

BackwardWeights::desc weights_operation(const Geometry& g, const Candidate& c) {
  if (g.has_bias)
    return {kDirect, c.input, c.weight, g.bias, c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
  return {kDirect, c.input, c.weight, c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
}

// The library wants the forward pass as a hint; in any layout it does.
Forward::primitive_desc hint(const Geometry& g, const Engine& engine) {
  const Candidate any{any_desc(dims(g.input)), g.any_weight(), any_desc(dims(g.output))};
  return {forward_operation(g, any, prop_kind::forward_training), attributes(), engine.engine};
}

std::optional<Forward::primitive_desc> try_hint(const Geometry& g, const Engine& engine) {
  try {
    return hint(g, engine);
  } catch (const dnnl::error&) {
    return std::nullopt;
  }
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// What was found: a primitive descriptor and the layouts it wants.
template <class Description>
struct Found {
  Description description;
  Layout input, weight, output;
};

template <class Description>
struct Arrays {
  Desc (*input)(const Description&);
  Desc (*weight)(const Description&);
  Desc (*output)(const Description&);
};

// How reluctantly an implementation is taken; none: never. Measured on LeNet-5 and AlexNet, AVX-512:
// im2col and GEMM reach a third of the direct ones; batch-reduce GEMM needs a vector of input channels
// (6 channels: 162 us against 132); the gradient of at most 8 input channels is faster in vectors of 8
// (283 us against 350), which costs nothing where channels are innermost.
std::optional<int> reluctance(const Problem& problem, const std::string& implementation) {
  const std::int64_t channels = problem.params[0].shape[1];
  if (contains(implementation, "ref")) return std::nullopt;
  if (contains(implementation, "gemm:")) return 2;
  if (contains(implementation, "brgconv") && channels < 16) return 1;
  const bool narrow =
      problem.pass == Pass::backward_data && problem.family == LayoutFamily::channels_last && channels <= 8;
  return narrow && contains(implementation, "avx512") ? 1 : 0;
}
constexpr int kMaxReluctance = 2;

// The least reluctantly taken implementation, in the order of candidates, whose layouts are expressible. The
// library's iterator points to operation, attributes and hint, which therefore outlive it here and in the
// callers.
template <class Description, class Operation, class Describe>
std::optional<Found<Description>> find_implementation(const Problem& problem, const Geometry& g,
                                                      const std::vector<Candidate>& list,
                                                      const Operation& operation, const Describe& describe,
                                                      const Arrays<Description>& arrays) {
  for (int level = 0; level <= kMaxReluctance; ++level) {
    for (const Candidate& candidate : list) {
      try {
        const auto wanted = operation(candidate);
        Description description = describe(wanted);
        do {
          if (reluctance(problem, description.impl_info_str()) != level) continue;
          const auto input = layout_of(g.input, arrays.input(description));
          const auto weight = layout_of(g.weight, arrays.weight(description));
          const auto output = layout_of(g.output, arrays.output(description));
          if (input && weight && output) return Found<Description>{description, *input, *weight, *output};
        } while (description.next_impl());
      } catch (const dnnl::error&) {
        continue;  // this candidate has no implementation: the next one may
      }
    }
  }
  return std::nullopt;
}

Candidate candidate(const Geometry& g, LayoutFamily family, const Desc& weight) {
  const Layout layout = family_layout(g.input.rank(), family);
  return {desc(g.input, layout), weight, desc(g.output, layout)};
}

std::vector<Candidate> candidates(const Problem& problem, const Geometry& g, const Engine& engine) {
  switch (problem.family) {
    case LayoutFamily::plain:
      return {candidate(g, LayoutFamily::plain, g.plain_weight())};
    case LayoutFamily::channels_last:
      return {candidate(g, LayoutFamily::channels_last, g.any_weight())};
    case LayoutFamily::blocked:
    case LayoutFamily::batch_blocked:  // check_common refuses it
      break;
  }
  std::vector<Candidate> list;
  if (problem.pass != Pass::forward) {
    // The layouts that forward takes come first, so that its activations need no conversion.
    if (const auto forward = try_hint(g, engine)) {
      list.push_back({forward->src_desc(), g.any_weight(), forward->dst_desc()});
      list.push_back({any_desc(dims(g.input)), g.any_weight(), forward->dst_desc()});
    }
  }
  list.push_back({any_desc(dims(g.input)), g.any_weight(), any_desc(dims(g.output))});
  list.push_back(candidate(g, LayoutFamily::blocked, g.any_weight()));
  return list;
}

std::optional<Found<Forward::primitive_desc>> find_forward(const Problem& problem, const Geometry& g,
                                                           const Engine& engine) {
  using D = Forward::primitive_desc;
  const auto kind = problem.training ? prop_kind::forward_training : prop_kind::forward_inference;
  const dnnl::primitive_attr attr = attributes(problem.epilogue);
  return find_implementation<D>(
      problem, g, candidates(problem, g, engine),
      [&](const Candidate& c) { return forward_operation(g, c, kind); },
      [&](const Forward::desc& operation) { return D(operation, attr, engine.engine); },
      {[](const D& d) { return d.src_desc(); }, [](const D& d) { return d.weights_desc(); },
       [](const D& d) { return d.dst_desc(); }});
}

std::optional<Found<BackwardData::primitive_desc>> find_backward_data(const Problem& problem,
                                                                      const Geometry& g,
                                                                      const Engine& engine) {
  using D = BackwardData::primitive_desc;
  const auto forward = try_hint(g, engine);
  if (!forward) return std::nullopt;
  const dnnl::primitive_attr attr = attributes();
  return find_implementation<D>(
      problem, g, candidates(problem, g, engine),
      [&](const Candidate& c) {
        return BackwardData::desc(kDirect, c.input, c.weight, c.output, g.strides, g.dilates, g.pads_begin,
                                  g.pads_end);
      },
      [&](const BackwardData::desc& operation) { return D(operation, attr, engine.engine, *forward); },
      {[](const D& d) { return d.diff_src_desc(); }, [](const D& d) { return d.weights_desc(); },
       [](const D& d) { return d.diff_dst_desc(); }});
}

std::optional<Found<BackwardWeights::primitive_desc>> find_backward_weights(const Problem& problem,
                                                                            const Geometry& g,
                                                                            const Engine& engine) {
  using D = BackwardWeights::primitive_desc;
  const auto forward = try_hint(g, engine);
  if (!forward) return std::nullopt;
  const dnnl::primitive_attr attr = attributes();
  return find_implementation<D>(
      problem, g, candidates(problem, g, engine), [&](const Candidate& c) { return weights_operation(g, c); },
      [&](const BackwardWeights::desc& operation) { return D(operation, attr, engine.engine, *forward); },
      {[](const D& d) { return d.src_desc(); }, [](const D& d) { return d.diff_weights_desc(); },
       [](const D& d) { return d.diff_dst_desc(); }});
}

template <class Description>
Recipe start_recipe(const Problem& problem, const Found<Description>& found) {
  Recipe recipe{plain_traits(problem), found.description.impl_info_str(), {}};
  recipe.traits.inputs[0] = found.input;
  recipe.traits.params[0] = found.weight;
  recipe.traits.outputs[0] = found.output;
  return recipe;
}

Recipe forward_recipe(const Problem& problem, const Geometry& g, Engine& engine) {
  const auto found = find_forward(problem, g, engine).value();
  const auto& d = found.description;
  Recipe recipe = start_recipe(problem, found);
  Call call(engine, Forward(d));
  call.add(DNNL_ARG_SRC, d.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_WEIGHTS, d.weights_desc(), {.kind = Kind::param})
      .add(DNNL_ARG_DST, d.dst_desc(), {.kind = Kind::output});
  if (g.has_bias) call.add(DNNL_ARG_BIAS, d.bias_desc(), {.kind = Kind::param, .index = 1});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return recipe;
}

Recipe backward_data_recipe(const Problem& problem, const Geometry& g, Engine& engine) {
  const auto found = find_backward_data(problem, g, engine).value();
  const auto& d = found.description;
  Recipe recipe = start_recipe(problem, found);
  Call call(engine, BackwardData(d));
  call.add(DNNL_ARG_DIFF_SRC, d.diff_src_desc(), {.kind = Kind::input_gradient})
      .add(DNNL_ARG_WEIGHTS, d.weights_desc(), {.kind = Kind::param})
      .add(DNNL_ARG_DIFF_DST, d.diff_dst_desc(), {.kind = Kind::output_gradient});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return recipe;
}

Recipe backward_weights_recipe(const Problem& problem, const Geometry& g, Engine& engine) {
  const auto found = find_backward_weights(problem, g, engine).value();
  const auto& d = found.description;
  Recipe recipe = start_recipe(problem, found);
  recipe.traits.reads_inputs[0] = true;
  Call call(engine, BackwardWeights(d));
  call.add(DNNL_ARG_SRC, d.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_DIFF_WEIGHTS, d.diff_weights_desc(), {.kind = Kind::param_gradient})
      .add(DNNL_ARG_DIFF_DST, d.diff_dst_desc(), {.kind = Kind::output_gradient});
  if (g.has_bias)
    call.add(DNNL_ARG_DIFF_BIAS, d.diff_bias_desc(), {.kind = Kind::param_gradient, .index = 1});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return recipe;
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, true); !verdict) return verdict;
  if (problem.inputs[0].rank() > 5)
    return base::Reason{
        base::str("oneDNN convolves in 1, 2 or 3 dimensions, not in ", problem.inputs[0].rank() - 2)};
  const Geometry g(problem);
  const Engine engine;
  const bool found =
      problem.pass == Pass::forward ? find_forward(problem, g, engine).has_value()
      : problem.pass == Pass::backward_data
          ? find_backward_data(problem, g, engine).has_value()
          : problem.pass == Pass::backward_weights && find_backward_weights(problem, g, engine).has_value();
  if (found) return {};
  return base::Reason{base::str("oneDNN has no optimised ", name(problem.pass), " convolution for ",
                                problem.inputs[0].str(), " and filters ", problem.params[0].shape.str(),
                                " in ", name(problem.family), " layouts")};
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  const Geometry g(problem);
  Engine engine;
  switch (problem.pass) {
    case Pass::forward:
      return make_kernel(forward_recipe(problem, g, engine));
    case Pass::backward_data:
      return make_kernel(backward_data_recipe(problem, g, engine));
    case Pass::backward_weights:
    case Pass::backward:
      break;
  }
  return make_kernel(backward_weights_recipe(problem, g, engine));
}

// What the library calls the implementation that make() would take.
std::string implementation(const Problem& problem) {
  const Geometry g(problem);
  const Engine engine;
  const auto info = [](const auto& found) {
    return found ? found->description.impl_info_str() : std::string();
  };
  if (problem.pass == Pass::forward) return info(find_forward(problem, g, engine));
  if (problem.pass == Pass::backward_data) return info(find_backward_data(problem, g, engine));
  return info(find_backward_weights(problem, g, engine));
}

// Vectors run along the channels that the pass writes, padded to whole vectors, and the padding is computed
// like the rest; in depthwise convolutions they run across the groups. docs/algorithms.md, "Choosing a plan",
// has the measurements behind the shares of peak.
double seconds(const Problem& problem, const machine::Machine& machine) {
  const std::string name = implementation(problem);
  if (contains(name, "gemm")) return roofline_seconds(problem, machine, 0.25);
  const bool is_avx512 = contains(name, "avx512");
  const std::int64_t lanes = is_avx512 ? 16 : 8;
  const std::int64_t groups = problem.attributes.integer("group");
  const std::int64_t written =
      problem.pass == Pass::backward_data ? problem.inputs[0][1] : problem.outputs[0][1];
  const std::int64_t channels = written == groups ? written : written / groups;
  const double useful =
      static_cast<double>(channels) / static_cast<double>((channels + lanes - 1) / lanes * lanes);
  const double width = is_avx512 || machine.isa != "avx512" ? 1 : 0.65;  // of half-wide vectors, by processor
  return roofline_seconds(problem, machine, 0.93 * width * useful);
}

// Products in the sum of one result.
double error_growth(const Problem& problem) {
  const tensor::Shape& weight = problem.params[0].shape;
  const auto taps = static_cast<double>(weight.count_from(2));
  switch (problem.pass) {
    case Pass::forward:
      return sum_error_growth(static_cast<double>(weight.count_from(1)) + 1);  // and the bias
    case Pass::backward_data:
      return sum_error_growth(static_cast<double>(weight[0]) * taps);
    case Pass::backward_weights:
    case Pass::backward:
      break;
  }
  return sum_error_growth(static_cast<double>(problem.outputs[0][0] * problem.outputs[0].count_from(2)));
}

}  // namespace

KernelEntry conv_entry() {
  return {.name = "onednn",
          .op = "Conv",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace convoy::kernels::onednn
