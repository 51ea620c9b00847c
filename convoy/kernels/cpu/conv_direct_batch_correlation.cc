// Batch-blocked direct convolution, forward and backward_data. A vector holds one pixel of a block of
// samples; a register tile holds up to 6 output channels times neighbouring outputs of a row, and each filter
// element is broadcast: no lane is lost to a small number of channels.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_direct_batch_correlation.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/conv_direct_batch-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

void correlate_batch_row(const BatchCorrelation& c, const BatchRow& row) {
#if HWY_TARGET <= HWY_AVX2  // ConvGeometry::of refuses processors below it
  correlate_row(c, row);
#else
  (void)c, (void)row;
  HWY_ABORT("not built for this processor");
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_direct_batch_passes.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(correlate_batch_row);

AxisGeometry row_geometry(const ConvGeometry& g) {
  return {.input = g.h,
          .output = g.p,
          .kernel = g.r,
          .stride = g.stride_h,
          .pad = g.pad_top,
          .dilation = g.dilation_h};
}
AxisGeometry column_geometry(const ConvGeometry& g) {
  return {.input = g.w,
          .output = g.q,
          .kernel = g.s,
          .stride = g.stride_w,
          .pad = g.pad_left,
          .dilation = g.dilation_w};
}

BatchCorrelation forward_correlation(const ConvGeometry& g, std::int64_t lanes) {
  return {.groups = g.groups,
          .outputs = g.k_per_group(),
          .inputs = g.c_per_group(),
          .in_plane = g.h * g.w * lanes,
          .in_row = g.w * lanes,
          .out_plane = g.p * g.q * lanes,
          .out_row = g.q * lanes,
          .out_rows = g.p,
          .w_output = g.c_per_group() * g.r * g.s,
          .w_input = g.r * g.s,
          .w_row = g.s,
          .rows = {forward_axis(row_geometry(g))},
          .columns = {forward_axis(column_geometry(g))},
          .relu = g.relu};
}

BatchCorrelation backward_correlation(const ConvGeometry& g, std::int64_t lanes) {
  return {.groups = g.groups,
          .outputs = g.c_per_group(),
          .inputs = g.k_per_group(),
          .in_plane = g.p * g.q * lanes,
          .in_row = g.q * lanes,
          .out_plane = g.h * g.w * lanes,
          .out_row = g.w * lanes,
          .out_rows = g.h,
          .w_output = g.r * g.s,
          .w_input = g.c_per_group() * g.r * g.s,
          .w_row = g.s,
          .rows = backward_axes(row_geometry(g)),
          .columns = backward_axes(column_geometry(g))};
}

class BatchCorrelationKernel final : public Kernel {
 public:
  explicit BatchCorrelationKernel(const Problem& problem) : forward_(problem.pass == Pass::forward) {
    const ConvGeometry g = ConvGeometry::of(problem).value();
    lanes_ = family_block();
    samples_ = g.n;
    has_bias_ = forward_ && g.has_bias;
    correlation_ = forward_ ? forward_correlation(g, lanes_) : backward_correlation(g, lanes_);
    w_group_ = g.k_per_group() * g.c_per_group() * g.r * g.s;
    traits_.inputs = {activation_layout(problem.inputs[0], problem.family)};
    traits_.params.assign(problem.params.size(), Layout::plain());
    traits_.outputs = {activation_layout(problem.outputs[0], problem.family)};
    traits_.reads_inputs = {forward_};
    traits_.reads_outputs = {false};
    constexpr std::int64_t kGrain_macs = 1 << 19;  // waking the team costs about as much
    const std::int64_t row_macs = std::max<std::int64_t>(
        1, g.n * g.k * g.c_per_group() * g.r * g.s * g.p * g.q / (blocks() * correlation_.out_rows));
    grain_ = std::max<std::int64_t>(1, kGrain_macs / row_macs);
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    const void* in = forward_ ? args.inputs[0] : args.output_gradients[0];
    void* out = forward_ ? args.outputs[0] : args.input_gradients[0];
    if (out == nullptr) return;
    const auto* w = static_cast<const float*>(args.params[0]);
    const auto* bias = static_cast<const float*>(has_bias_ ? args.params[1] : nullptr);
    base::parallel_for(blocks() * correlation_.out_rows, grain_, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i)
        run_row(static_cast<const float*>(in), w, bias, static_cast<float*>(out), i);
    });
  }

 private:
  std::int64_t blocks() const { return (samples_ + lanes_ - 1) / lanes_; }

  // Row i of the outputs of all blocks of samples, every channel.
  void run_row(const float* in, const float* w, const float* bias, float* out, std::int64_t i) const {
    const BatchCorrelation& c = correlation_;
    const std::int64_t block = i / c.out_rows, row = i % c.out_rows;
    const auto residues = static_cast<std::int64_t>(c.rows.size());
    BatchRow call{.axis = &c.rows[static_cast<std::size_t>(row % residues)],
                  .i = row / residues,
                  .samples = std::min(lanes_, samples_ - block * lanes_)};
    for (std::int64_t group = 0; group < c.groups; ++group) {
      call.in = in + (block * c.groups + group) * c.inputs * c.in_plane;
      call.w = w + group * w_group_;
      call.bias = bias != nullptr ? bias + group * c.outputs : nullptr;
      call.out = out + (block * c.groups + group) * c.outputs * c.out_plane + row * c.out_row;
      HWY_DYNAMIC_DISPATCH(correlate_batch_row)(c, call);
    }
  }

  bool forward_;
  bool has_bias_ = false;
  std::int64_t lanes_ = 16;
  std::int64_t samples_ = 0;
  std::int64_t w_group_ = 0;
  std::int64_t grain_ = 1;
  BatchCorrelation correlation_;
  KernelTraits traits_;
};

}  // namespace

std::unique_ptr<Kernel> make_batch_correlation(const Problem& problem) {
  return std::make_unique<BatchCorrelationKernel>(problem);
}

}  // namespace convoy::kernels::cpu
#endif
