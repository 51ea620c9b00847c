// Batch normalisation by oneDNN. Training saves mean and variance of the minibatch for the backward pass and
// commits  running = momentum * running + (1 - momentum) * batch  with the biased variance, as the layer
// defines it; the library itself keeps no running statistics.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

using dnnl::normalization_flags;
using Kind = Source::Kind;
using Forward = dnnl::batch_normalization_forward;
using Backward = dnnl::batch_normalization_backward;

enum Param : std::size_t { kScale, kBias, kMean, kVariance };
constexpr std::int64_t kAlignment_bytes = 64;

std::int64_t channels(const Problem& problem) { return problem.inputs[0][1]; }

// Bytes of one array of a value a channel, aligned.
std::int64_t statistic_bytes(const Problem& problem) {
  const std::int64_t bytes = channels(problem) * static_cast<std::int64_t>(sizeof(float));
  return (bytes + kAlignment_bytes - 1) / kAlignment_bytes * kAlignment_bytes;
}

Desc data_desc(const Problem& problem) { return activation_desc(problem, problem.inputs[0]); }

Forward::primitive_desc describe_forward(const Problem& problem, const Engine& engine) {
  const bool training = problem.training || problem.pass != Pass::forward;
  auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
  if (!training) flags |= normalization_flags::use_global_stats;
  const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const auto epsilon = static_cast<float>(problem.attributes.real("epsilon"));
  return {{kind, data_desc(problem), epsilon, flags}, attributes(), engine.engine};
}

Backward::primitive_desc describe_backward(const Problem& problem, const Engine& engine) {
  const auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
  const auto epsilon = static_cast<float>(problem.attributes.real("epsilon"));
  const Desc data = data_desc(problem);
  return {{dnnl::prop_kind::backward, data, data, epsilon, flags},
          attributes(),
          engine.engine,
          describe_forward(problem, engine)};
}

base::Verdict supports(const Problem& problem) {
  if (auto verdict = check_common(problem, {.bf16 = true}); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward)
    return base::Reason{"all gradients of batch normalisation come from one pass"};
  if (problem.pass == Pass::backward && !problem.training)
    return base::Reason{"oneDNN differentiates batch normalisation in training only"};
  const std::int64_t group = problem.attributes.integer("statistics_samples");
  if (problem.training && group != 0 && group != problem.inputs[0][0])
    return base::Reason{base::str("oneDNN takes statistics over the whole minibatch of ",
                                  problem.inputs[0][0], ", not over groups of ", group)};
  const Engine engine;
  return try_to([&] {
    problem.pass == Pass::forward ? static_cast<void>(describe_forward(problem, engine))
                                  : static_cast<void>(describe_backward(problem, engine));
  });
}

Recipe start_recipe(const Problem& problem, const char* implementation) {
  Recipe recipe{plain_traits(problem), implementation, {}};
  recipe.traits.inputs[0] = recipe.traits.outputs[0] = activation_layout(problem.inputs[0], problem.family);
  if (problem.training) recipe.traits.saved_bytes = 2 * statistic_bytes(problem);
  return recipe;
}

Recipe forward_recipe(const Problem& problem, Engine& engine) {
  const auto d = describe_forward(problem, engine);
  Recipe recipe = start_recipe(problem, d.impl_info_str());
  const Desc statistic = desc({channels(problem)});
  const Source mean =
      problem.training ? Source{.kind = Kind::saved} : Source{.kind = Kind::param, .index = kMean};
  const Source variance = problem.training ? Source{.kind = Kind::saved, .bytes = statistic_bytes(problem)}
                                           : Source{.kind = Kind::param, .index = kVariance};
  Call call(engine, Forward(d));
  call.add(DNNL_ARG_SRC, d.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_DST, d.dst_desc(), {.kind = Kind::output})
      .add(DNNL_ARG_SCALE, statistic, {.kind = Kind::param, .index = kScale})
      .add(DNNL_ARG_SHIFT, statistic, {.kind = Kind::param, .index = kBias})
      .add(DNNL_ARG_MEAN, statistic, mean)
      .add(DNNL_ARG_VARIANCE, statistic, variance);
  add_scratchpad(recipe, call, d.scratchpad_desc());
  recipe.calls.push_back(std::move(call));
  return recipe;
}

// The library always writes the input's gradient; nobody wants it where the input is the data, and then it
// goes behind the scratch.
Recipe backward_recipe(const Problem& problem, Engine& engine) {
  const auto d = describe_backward(problem, engine);
  Recipe recipe = start_recipe(problem, d.impl_info_str());
  recipe.traits.reads_inputs[0] = true;
  const Desc statistic = desc({channels(problem)});
  Call call(engine, Backward(d));
  add_scratchpad(recipe, call, d.scratchpad_desc());
  Source gradient{.kind = Kind::input_gradient};
  if (!problem.wanted[0]) {
    gradient = {.kind = Kind::workspace, .bytes = recipe.traits.workspace_bytes};
    recipe.traits.workspace_bytes += static_cast<std::int64_t>(d.diff_src_desc().get_size());
  }
  call.add(DNNL_ARG_SRC, d.src_desc(), {.kind = Kind::input})
      .add(DNNL_ARG_DIFF_SRC, d.diff_src_desc(), gradient)
      .add(DNNL_ARG_DIFF_DST, d.diff_dst_desc(), {.kind = Kind::output_gradient})
      .add(DNNL_ARG_MEAN, statistic, {.kind = Kind::saved})
      .add(DNNL_ARG_VARIANCE, statistic, {.kind = Kind::saved, .bytes = statistic_bytes(problem)})
      .add(DNNL_ARG_SCALE, statistic, {.kind = Kind::param, .index = kScale})
      .add(DNNL_ARG_SHIFT, statistic, {.kind = Kind::param, .index = kBias})
      .add(DNNL_ARG_DIFF_SCALE, statistic, {.kind = Kind::param_gradient, .index = kScale})
      .add(DNNL_ARG_DIFF_SHIFT, statistic, {.kind = Kind::param_gradient, .index = kBias});
  recipe.calls.push_back(std::move(call));
  return recipe;
}

// Forward in training: the primitive, then the commit of the running statistics.
class TrainingForward final : public Kernel {
 public:
  TrainingForward(const Problem& problem, Recipe recipe)
      : channels_(channels(problem)),
        variance_bytes_(statistic_bytes(problem)),
        group_(problem.attributes.integer("statistics_samples")),
        momentum_(static_cast<float>(problem.attributes.real("momentum"))),
        share_(static_cast<float>(1 - problem.attributes.real("momentum"))),
        normalise_(make_kernel(std::move(recipe))) {}

  const KernelTraits& traits() const override { return normalise_->traits(); }
  std::string implementation() const override { return normalise_->implementation(); }

  void run(const KernelArgs& args) const noexcept override {
    CONVOY_CHECK(group_ == 0 || args.context->key.first_sample % group_ == 0,
                 "the minibatch straddles two groups of statistics");
    normalise_->run(args);
    const auto* saved = static_cast<const std::byte*>(args.saved);
    commit(args, kMean, reinterpret_cast<const float*>(saved));
    commit(args, kVariance, reinterpret_cast<const float*>(saved + variance_bytes_));
  }

 private:
  void commit(const KernelArgs& args, Param param, const float* batch) const {
    const auto* before = static_cast<const float*>(args.params[param]);
    auto* after = static_cast<float*>(args.next_state[param]);
    if (after == nullptr) return;
    for (std::int64_t c = 0; c < channels_; ++c) after[c] = momentum_ * before[c] + share_ * batch[c];
  }

  std::int64_t channels_;
  std::int64_t variance_bytes_;
  std::int64_t group_;
  float momentum_;
  float share_;
  std::unique_ptr<Kernel> normalise_;
};

std::unique_ptr<Kernel> make(const Problem& problem) {
  Engine engine;
  if (problem.pass == Pass::backward) return make_kernel(backward_recipe(problem, engine));
  Recipe recipe = forward_recipe(problem, engine);
  if (!problem.training) return make_kernel(std::move(recipe));
  return std::make_unique<TrainingForward>(problem, std::move(recipe));
}

double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.15);
}

// Sums over the elements of a channel, then a handful of operations.
double error_growth(const Problem& problem) {
  const tensor::Shape& x = problem.inputs[0];
  return sum_error_growth(static_cast<double>(x[0] * x.count_from(2))) + 8;
}

}  // namespace

KernelEntry batch_norm_entry() {
  return {.name = "onednn",
          .op = "BatchNormalization",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace convoy::kernels::onednn
