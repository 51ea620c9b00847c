#include "convoy/kernels/onednn/conv-inl.h"
#include "convoy/layers/window.h"

namespace convoy::kernels::onednn {
namespace {

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
  Geometry(const Problem& problem, const ConvMethod& chosen)
      : method(chosen),
        input(problem.inputs[0]),
        weight(problem.params[0].shape),
        output(problem.outputs[0]),
        type(problem.type),
        weight_type(problem.pass == Pass::backward_weights ? tensor::DType::f32 : problem.type),
        groups(problem.attributes.integer("group")),
        has_bias(problem.params.size() > 1) {
    const layers::Window window = layers::resolve_window(problem.attributes, input).value();
    strides = window.strides;
    for (const std::int64_t dilation : window.dilations) dilates.push_back(dilation - 1);
    pads_begin = window.pads_begin;
    pads_end = window.pads_end;
    if (has_bias) bias = desc(problem.params[1].shape);
  }

  Desc any_input() const { return any_desc(dims(input), type); }
  Desc any_output() const { return any_desc(dims(output), type); }
  Desc any_weight() const { return any_weight(weight_type); }
  Desc any_weight(tensor::DType in) const {
    Dims sizes = dims(weight);
    if (groups == 1) return any_desc(sizes, in);
    sizes[0] /= groups;
    sizes.insert(sizes.begin(), groups);
    return any_desc(sizes, in);
  }
  Desc plain_weight() const {
    return groups == 1 ? desc(weight, Layout::plain(), weight_type)
                       : grouped_desc(weight, groups, weight_type);
  }

  ConvMethod method;
  tensor::Shape input, weight, output;
  tensor::DType type, weight_type;  // of activations; of filters, whose gradient is float32
  std::int64_t groups;
  bool has_bias;
  Desc bias;
  Dims strides, dilates, pads_begin, pads_end;
};

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

Forward::desc forward_operation(const Geometry& g, const Candidate& c, prop_kind kind) {
  const dnnl::algorithm a = g.method.algorithm;
  if (g.has_bias)
    return {kind, a, c.input, c.weight, g.bias, c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
  return {kind, a, c.input, c.weight, c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
}

BackwardWeights::desc weights_operation(const Geometry& g, const Candidate& c) {
  const dnnl::algorithm a = g.method.algorithm;
  if (g.has_bias)
    return {a, c.input, c.weight, g.bias, c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
  return {a, c.input, c.weight, c.output, g.strides, g.dilates, g.pads_begin, g.pads_end};
}

// The library wants the forward pass as a hint; in any layout it does.
Forward::primitive_desc hint(const Geometry& g, const Engine& engine) {
  const Candidate any{g.any_input(), g.any_weight(g.type), g.any_output()};
  return {forward_operation(g, any, prop_kind::forward_training), attributes(), engine.engine};
}

std::optional<Forward::primitive_desc> try_hint(const Geometry& g, const Engine& engine) {
  try {
    return hint(g, engine);
  } catch (const dnnl::error&) {
    return std::nullopt;
  }
}

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

constexpr int kMaxReluctance = 2;

// Filters in the library's own transformed form; no tag says it, so they are kept as derived data.
bool is_transformed(const Desc& desc) { return desc.data.format_kind == dnnl_format_kind_wino; }

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
          if (g.method.reluctance(problem, description.impl_info_str()) != level) continue;
          const auto input = layout_of(g.input, arrays.input(description));
          const Desc wanted_weight = arrays.weight(description);
          const auto weight = is_transformed(wanted_weight) ? std::optional(Layout::plain())
                                                            : layout_of(g.weight, wanted_weight);
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
  return {desc(g.input, layout, g.type), weight, desc(g.output, layout, g.type)};
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
      list.push_back({g.any_input(), g.any_weight(), forward->dst_desc()});
    }
  }
  list.push_back({g.any_input(), g.any_weight(), g.any_output()});
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
        return BackwardData::desc(g.method.algorithm, c.input, c.weight, c.output, g.strides, g.dilates,
                                  g.pads_begin, g.pads_end);
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
  recipe.traits.param_types = weight_read_as(problem);
  recipe.traits.outputs[0] = found.output;
  return recipe;
}

// Adds the call that turns plain filters into what the convolution wants.
void transform_weights(Recipe& recipe, const Geometry& g, const Desc& wanted, Engine& engine) {
  const dnnl::primitive_attr attr = attributes();
  const dnnl::reorder::primitive_desc d(engine.engine, g.plain_weight(), engine.engine, wanted, attr);
  Call call(engine, dnnl::reorder(d));
  call.add(DNNL_ARG_FROM, g.plain_weight(), {.kind = Kind::param})
      .add(DNNL_ARG_TO, wanted, {.kind = Kind::derived});
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.traits.derived_bytes = static_cast<std::int64_t>(wanted.get_size());
  recipe.derivation.push_back(std::move(call));
}

Recipe forward_recipe(const Problem& problem, const Geometry& g, Engine& engine) {
  const auto found = find_forward(problem, g, engine).value();
  const auto& d = found.description;
  Recipe recipe = start_recipe(problem, found);
  const bool transforms = is_transformed(d.weights_desc());
  if (transforms) transform_weights(recipe, g, d.weights_desc(), engine);
  Call call(engine, Forward(d));
  call.add(DNNL_ARG_SRC, d.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_WEIGHTS, d.weights_desc(), {.kind = transforms ? Kind::derived : Kind::param})
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

}  // namespace

std::string conv_implementation(const Problem& problem, const ConvMethod& method) {
  const Geometry g(problem, method);
  const Engine engine;
  const auto info = [](const auto& found) {
    return found ? found->description.impl_info_str() : std::string();
  };
  if (problem.pass == Pass::forward) return info(find_forward(problem, g, engine));
  if (problem.pass == Pass::backward_data) return info(find_backward_data(problem, g, engine));
  return info(find_backward_weights(problem, g, engine));
}

base::Verdict check_conv(const Problem& problem, const ConvMethod& method) {
  if (auto verdict = check_common(problem, {.relu_epilogue = true, .bf16 = true}); !verdict) return verdict;
  if (problem.inputs[0].rank() > 5)
    return base::Reason{
        base::str("oneDNN convolves in 1, 2 or 3 dimensions, not in ", problem.inputs[0].rank() - 2)};
  if (problem.pass != Pass::backward && !conv_implementation(problem, method).empty()) return {};
  return base::Reason{base::str("oneDNN has no optimised ", name(problem.pass), " convolution for ",
                                problem.inputs[0].str(), " and filters ", problem.params[0].shape.str(),
                                " in ", name(problem.family), " layouts")};
}

std::unique_ptr<Kernel> make_conv(const Problem& problem, const ConvMethod& method) {
  const Geometry g(problem, method);
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

}  // namespace convoy::kernels::onednn
