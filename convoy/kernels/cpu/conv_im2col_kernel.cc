#include "convoy/kernels/cpu/conv_im2col_kernel.h"

#include <algorithm>
#include <string>

#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_bias.h"
#include "convoy/kernels/cpu/conv_im2col_pass.h"
#include "convoy/kernels/cpu/conv_regroup.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels::cpu {
namespace {

// x in NCHW up to this many channels: an image, not a layer's output.
constexpr std::int64_t kMaxPlainChannels = 4;

// Measured on ResNet-50, AlexNet and VGG-16, AVX-512: the share of peak where nothing is lowered, and how
// often a byte of the column matrix moves through the last cache's bandwidth otherwise.
constexpr double kShareOfPeak = 0.95;
constexpr double kImplicitMoves = 2.0;
constexpr double kExplicitMoves = 2.5;

bool has_whole_blocks(const ConvGeometry& g) {
  return g.groups == 1 || (g.c_per_group() % simd_lanes() == 0 && g.k_per_group() % simd_lanes() == 0);
}

Im2colForm form_of(const ConvGeometry& g, Pass pass) {
  const bool is_thin = pass != Pass::backward_data && g.c_per_group() < simd_lanes();
  if (!is_thin) return Im2colForm::blocks;
  return g.groups > 1 || g.c <= kMaxPlainChannels ? Im2colForm::thin_plain : Im2colForm::thin_blocked;
}

// Panels of the channels that are written, in order of the steps: OIhw16i16o; backward_data IOhw16o16i; thin
// Oihw16o. `a` and `b` move up by one behind a letter for the groups.
Layout weight_layout(const Problem& problem, const ConvGeometry& g, Im2colForm form) {
  const bool is_grouped = g.groups > 1;
  const tensor::Shape& shape = problem.params[0].shape;
  const std::string lanes = std::to_string(simd_lanes());
  const char output = is_grouped ? 'b' : 'a', input = is_grouped ? 'c' : 'b';
  const auto upper = [](char letter) { return static_cast<char>(letter - 'a' + 'A'); };
  const bool is_thin = form != Im2colForm::blocks, turned = problem.pass == Pass::backward_data;
  std::string tag = is_grouped ? base::str("g", g.groups, ":a") : "";
  tag += upper(turned ? input : output);
  tag += is_thin ? input : upper(turned ? output : input);
  for (int d = 2; d < shape.rank(); ++d) tag += static_cast<char>((is_grouped ? 'b' : 'a') + d);
  if (!is_thin) tag += lanes + (turned ? output : input);
  tag += lanes + (turned ? input : output);
  return canonical(shape, Layout::parse(tag, shape.rank()).value());
}

KernelTraits traits_of(const Problem& problem, const ConvGeometry& g, Im2colForm form) {
  const tensor::Shape& x = problem.inputs[0];
  KernelTraits traits;
  const bool is_plain = form == Im2colForm::thin_plain && g.groups == 1;
  traits.inputs = {is_plain ? Layout::plain() : activation_layout(x, problem.family)};
  traits.outputs = {activation_layout(problem.outputs[0], problem.family)};
  traits.params.resize(problem.params.size());
  traits.params[0] = weight_layout(problem, g, form);
  traits.reads_inputs = {problem.pass == Pass::backward_weights};
  traits.reads_outputs = {false};
  return traits;
}

Im2colArgs args_of(const KernelArgs& args, Pass pass) {
  const auto in = [](std::span<const void* const> arrays, std::size_t i) {
    return i < arrays.size() ? static_cast<const float*>(arrays[i]) : nullptr;
  };
  Im2colArgs a{.x = in(args.inputs, 0), .weights = in(args.params, 0), .dy = in(args.output_gradients, 0)};
  if (pass == Pass::forward) {
    a.bias = in(args.params, 1);
    a.y = static_cast<float*>(args.outputs[0]);
  } else if (pass == Pass::backward_data) {
    a.dx = static_cast<float*>(args.input_gradients[0]);
  } else {
    a.dw = static_cast<float*>(args.param_gradients[0]);
  }
  return a;
}

class Im2colKernel final : public Kernel {
 public:
  Im2colKernel(const Problem& problem, const ConvGeometry& g, bool is_explicit)
      : geometry_(g), pass_(problem.pass), is_explicit_(is_explicit), lanes_(simd_lanes()) {
    const Im2colForm form = form_of(g, pass_);
    const Im2colSpec spec{g, pass_, form, is_explicit, base::thread_count()};
    traits_ = traits_of(problem, g, form);
    std::int64_t floats = 0;
    if (has_whole_blocks(g))
      floats = whole_.emplace(spec).scratch_count();
    else
      floats = regrouped_.emplace(spec).scratch_count();
    traits_.workspace_bytes = floats * static_cast<std::int64_t>(sizeof(float));
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override {
    return (is_explicit_ ? "im2col:" : "im2col:implicit:") + simd_target().substr(sizeof("simd:") - 1);
  }

  void run(const KernelArgs& args) const noexcept override {
    const Im2colArgs arrays = args_of(args, pass_);
    float* scratch = static_cast<float*>(args.workspace);
    if (whole_)
      whole_->run(arrays, scratch);
    else
      regrouped_->run(arrays, scratch);
    if (pass_ == Pass::backward_weights && geometry_.has_bias)
      sum_bias_gradient(arrays.dy, geometry_, lanes_, static_cast<float*>(args.param_gradients[1]));
  }

 private:
  ConvGeometry geometry_;
  Pass pass_;
  bool is_explicit_;
  std::int64_t lanes_;
  KernelTraits traits_;
  std::optional<Im2colPass> whole_;
  std::optional<RegroupedPass> regrouped_;
};

double padded(std::int64_t channels) {
  const std::int64_t lanes = simd_lanes();
  return static_cast<double>((channels + lanes - 1) / lanes * lanes);
}

}  // namespace

base::Verdict supports_im2col(const Problem& problem) {
  if (problem.family != LayoutFamily::blocked)
    return base::Reason{base::str("only blocked layout, not ", name(problem.family))};
  if (problem.pass == Pass::backward) return base::Reason{"one pass at a time, not both backward passes"};
  const auto geometry = ConvGeometry::of(problem);
  return geometry ? base::Verdict() : base::Verdict(geometry.reason());
}

std::unique_ptr<Kernel> make_im2col(const Problem& problem, bool is_explicit) {
  return std::make_unique<Im2colKernel>(problem, ConvGeometry::of(problem).value(), is_explicit);
}

double im2col_seconds(const Problem& problem, const machine::Machine& machine, bool is_explicit) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  const Lowering forward = forward_lowering(g);
  const bool is_data = problem.pass == Pass::backward_data, is_lowered = !forward.is_identity();
  const Im2colForm form = form_of(g, problem.pass);
  const auto real = [](std::int64_t value) { return static_cast<double>(value); };
  // A single tap's sum ends with the last channel, without padding.
  const bool is_single = g.r * g.s == 1;
  const bool is_c_whole = form == Im2colForm::blocks && !(is_single && problem.pass == Pass::forward);
  const double c = is_c_whole ? padded(g.c_per_group()) : real(g.c_per_group());
  const double k = is_single && is_data ? real(g.k_per_group()) : padded(g.k_per_group());
  // Implicit backward_data computes at every pixel of dx, also where taps fall on padding.
  double pixels = is_data && !is_explicit ? real(g.h * g.w) / real(g.stride_h * g.stride_w) : real(g.p * g.q);
  if (problem.pass == Pass::forward && form == Im2colForm::blocks && !is_explicit &&
      FramedProduct::suits(forward))
    pixels = real(FramedProduct::pixels(forward));
  const double entries = real(g.n * g.groups * g.r * g.s) * pixels;
  const double column_bytes = is_lowered ? sizeof(float) * entries * (is_data && !is_explicit ? k : c) : 0;
  const double group_bytes = has_whole_blocks(g) ? 0 : 2 * real(moved_bytes(problem)) * padded(1);
  const double compute = 2 * entries * c * k / (kShareOfPeak * machine.f32_flops);
  const double lowering = ((is_explicit ? kExplicitMoves : kImplicitMoves) * column_bytes + group_bytes) /
                          machine.cache_bandwidth;
  const double memory = real(moved_bytes(problem)) / machine.memory_bandwidth;
  const bool fits = moved_bytes(problem) <= machine.cache_bytes;
  return machine.dispatch_seconds + std::max(compute + lowering, fits ? 0.0 : memory);
}

}  // namespace convoy::kernels::cpu
