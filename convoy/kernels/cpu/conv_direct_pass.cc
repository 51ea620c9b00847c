#include "convoy/kernels/cpu/conv_direct_pass.h"

#include <algorithm>
#include <utility>

#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels::cpu {
namespace {

class DirectKernel final : public Kernel {
 public:
  DirectKernel(const Problem& problem, DirectPass pass)
      : forward_(problem.pass == Pass::forward),
        grouped_(std::move(pass.grouped)),
        correlation_(std::move(pass.spec)) {
    traits_.inputs = {pass.image};
    traits_.params.resize(problem.params.size());
    traits_.params[0] = pass.weights;
    traits_.outputs = {activation_layout(problem.outputs[0], problem.family)};
    traits_.reads_inputs = {false};
    traits_.reads_outputs = {false};
    if (grouped_)
      (keeps_weights(problem) ? traits_.derived_bytes : traits_.workspace_bytes) = grouped_->bytes();
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    CorrelationArrays arrays{.w = static_cast<const float*>(args.params[0])};
    if (grouped_) {
      const bool keeps = traits_.derived_bytes > 0;
      auto* packed = static_cast<float*>(keeps ? args.derived : args.workspace);
      if (!keeps || !args.derived_valid) grouped_->pack(arrays.w, packed);
      arrays.w = packed;
    }
    if (forward_) {
      arrays.x = static_cast<const float*>(args.inputs[0]);
      arrays.y = static_cast<float*>(args.outputs[0]);
      if (args.params.size() > 1) arrays.bias = static_cast<const float*>(args.params[1]);
    } else {
      arrays.x = static_cast<const float*>(args.output_gradients[0]);
      arrays.y = static_cast<float*>(args.input_gradients[0]);
    }
    if (arrays.y != nullptr) correlation_.run(arrays);
  }

 private:
  static bool keeps_weights(const Problem& problem) {
    return problem.pass == Pass::forward && !problem.training;
  }

  bool forward_;
  std::optional<GroupedWeights> grouped_;
  Correlation correlation_;
  KernelTraits traits_;
};

}  // namespace

ChannelForm channel_form(const ConvGeometry& g, std::int64_t lanes) {
  if (g.is_depthwise()) return ChannelForm::depthwise;
  const bool whole = g.c_per_group() % lanes == 0 && g.k_per_group() % lanes == 0;
  return g.groups == 1 || whole ? ChannelForm::blocks : ChannelForm::mixed;
}

bool is_pointwise(const ConvGeometry& g) {
  return g.r * g.s == 1 && g.unit_stride() && g.p == g.h && g.q == g.w && g.pad_top == 0 && g.pad_left == 0;
}

std::vector<OutputUnit> block_units(const BlockUnits& of) {
  std::vector<OutputUnit> units;
  for (std::int64_t group = 0; group < of.groups; ++group)
    for (std::int64_t v = 0; v < of.outputs; v += kMaxTileVectors) {
      const std::int64_t block = group * of.outputs + v;
      units.push_back({.block = block,
                       .vectors = static_cast<int>(std::min<std::int64_t>(kMaxTileVectors, of.outputs - v)),
                       .x = group * of.inputs * of.x_block,
                       .w = block * of.w_vector,
                       .blocks = of.inputs});
    }
  return units;
}

std::vector<OutputUnit> depthwise_units(std::int64_t blocks, std::int64_t x_block, std::int64_t w_vector) {
  std::vector<OutputUnit> units;
  for (std::int64_t block = 0; block < blocks; ++block)
    units.push_back({.block = block, .x = block * x_block, .w = block * w_vector});
  return units;
}

Layout weight_layout(const Problem& problem, std::string_view tag, std::int64_t lanes) {
  const tensor::Shape& shape = problem.params[0].shape;
  const bool has_prefix = tag.find(':') != tag.npos;
  const char surplus = static_cast<char>((has_prefix ? 'b' : 'a') + shape.rank());  // of one dimension
  std::string text;
  for (const char c : tag) {
    if (c == '#')
      text += std::to_string(lanes);
    else if (c != surplus)
      text += c;
  }
  return canonical(shape, Layout::parse(text, shape.rank()).value());
}

base::Verdict supports_direct(const Problem& problem, Pass pass) {
  if (problem.pass != pass) return base::Reason{base::str("only ", name(pass), ", not ", name(problem.pass))};
  if (problem.family != LayoutFamily::blocked)
    return base::Reason{
        base::str("only channels in blocks (layouts blocked), not ", name(problem.family), " layouts")};
  if (const auto g = ConvGeometry::of(problem); !g) return g.reason();
  return {};
}

std::unique_ptr<Kernel> make_direct_pass(const Problem& problem, DirectPass pass) {
  return std::make_unique<DirectKernel>(problem, std::move(pass));
}

double direct_pass_seconds(const Problem& problem, const machine::Machine& machine, const DirectPass& pass) {
  const Correlation correlation(pass.spec);
  // Measured, AVX-512: a tile starts and stores its sums in the time of about 40 multiply-adds; the innermost
  // loop runs at 96 % of peak.
  const double products = correlation.products() / 0.96 + 40 * correlation.tiles();
  const double compute = 2 * static_cast<double>(simd_lanes()) * products / machine.f32_flops;
  const double bytes = static_cast<double>(moved_bytes(problem));
  const double bandwidth =
      bytes <= static_cast<double>(machine.cache_bytes) ? machine.cache_bandwidth : machine.memory_bandwidth;
  return machine.dispatch_seconds + std::max(compute, bytes / bandwidth);
}

}  // namespace convoy::kernels::cpu
