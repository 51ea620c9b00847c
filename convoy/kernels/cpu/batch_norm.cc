// Batch normalisation of float32 or bf16 in float32, all gradients in one pass, where channels lie in whole
// vectors: blocks of channels, channels innermost, or features. Formulas: layers/batch_normalization.cc.
//
// A thread takes a vector of channels over all images: it sums them, then reads them again, mostly from its
// caches, to normalise. Where there are too few vectors for the threads, they share the pixels of each.
//
//   forward   reads x twice, writes y; saves mean and 1 / sqrt(variance + epsilon)
//   backward  reads x and dy twice, writes dx
//
// A fused relu costs nothing: forward clamps, and backward finds from x again where y was positive, by the
// operations of forward, so that neither y nor a mask is read.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/batch_norm.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/batch_norm-inl.h"
#include "hwy/highway.h"

#if HWY_ONCE
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include "convoy/base/check.h"
#include "convoy/kernels/bf16.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(add_moments);
HWY_EXPORT(normalise_column);
HWY_EXPORT(add_gradients_of_column);
HWY_EXPORT(differentiate_column);

enum Param : std::size_t { kScale, kBias, kMean, kVariance };

// The geometry of one problem.
struct Batch {
  std::int64_t images = 0;
  std::int64_t channels = 0;
  std::int64_t columns = 0;  // vectors of channels
  std::int64_t column_stride = 0;
  ChannelColumn column;
  std::int64_t parts = 1;  // of the pixels of a column

  std::int64_t pixels() const { return images * column.pixels; }
};

bool is_blocked(const Problem& problem) {
  return problem.inputs[0].rank() > 2 && problem.family == LayoutFamily::blocked;
}

Batch batch_of(const Problem& problem) {
  const tensor::Shape& x = problem.inputs[0];
  const std::int64_t lanes = simd_lanes(), pixels = x.count_from(2);
  Batch b{.images = x[0], .channels = x[1], .columns = (x[1] + lanes - 1) / lanes, .column = {}};
  if (is_blocked(problem)) {
    b.column = {pixels, b.columns * pixels * lanes, lanes};
    b.column_stride = pixels * lanes;
  } else {
    b.column = {pixels, pixels * x[1], x[1]};
    b.column_stride = lanes;
  }
  b.column.bf16 = problem.type == tensor::DType::bf16;
  const std::int64_t threads = base::thread_count();
  if (b.columns < 4 * threads && b.columns % threads != 0) b.parts = std::min(threads, b.pixels());
  return b;
}

// Columns of channels times parts of their pixels, in two phases: every part's sums, then what they give.
class BatchNorm final : public Kernel {
 public:
  explicit BatchNorm(const Problem& problem)
      : batch_(batch_of(problem)),
        lanes_(simd_lanes()),
        is_forward_(problem.pass == Pass::forward),
        training_(problem.training),
        relu_(problem.epilogue == Epilogue::relu),
        wants_input_(!is_forward_ && problem.wanted[0]),
        epsilon_(problem.attributes.real("epsilon")),
        momentum_(problem.attributes.real("momentum")),
        group_(problem.attributes.integer("statistics_samples")) {
    traits_.inputs = {activation_layout(problem.inputs[0], problem.family)};
    traits_.outputs = traits_.inputs;
    traits_.params.resize(problem.params.size());
    traits_.reads_inputs = {!is_forward_};
    traits_.reads_outputs = {false};
    traits_.in_place = true;
    if (!training_) return;
    traits_.saved_bytes = batch_.columns * static_cast<std::int64_t>(sizeof(Saved));
    traits_.workspace_bytes =
        batch_.columns * batch_.parts * static_cast<std::int64_t>(sizeof(ChannelTotals));
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    if (training_)
      CONVOY_CHECK(group_ == 0 || args.context->key.first_sample % group_ == 0,
                   "the minibatch straddles two groups of statistics");
    const std::int64_t units = batch_.columns * batch_.parts;
    if (batch_.parts == 1 || !training_) {
      base::parallel_for(units, 1, [&](base::IndexRange range) {
        for (std::int64_t unit = range.begin; unit < range.end; ++unit) {
          if (training_) sum(args, unit);
          apply(args, unit);
        }
      });
      return;
    }
    const auto each = [&](const auto& phase) {
      base::parallel_for(units, 1, [&](base::IndexRange range) {
        for (std::int64_t unit = range.begin; unit < range.end; ++unit) phase(unit);
      });
    };
    each([&](std::int64_t unit) { sum(args, unit); });
    each([&](std::int64_t unit) { apply(args, unit); });
  }

 private:
  // What forward leaves to backward of a column.
  struct Saved {
    alignas(64) float mean[kMaxChannelLanes];
    alignas(64) float inverse[kMaxChannelLanes];  // 1 / sqrt(variance + epsilon)
  };

  Saved& saved(const KernelArgs& args, std::int64_t column) const {
    return static_cast<Saved*>(args.saved)[column];
  }
  ChannelTotals* totals(const KernelArgs& args, std::int64_t column) const {
    return static_cast<ChannelTotals*>(args.workspace) + column * batch_.parts;
  }
  base::IndexRange pixels(std::int64_t unit) const {
    return base::split_range(batch_.pixels(), static_cast<int>(batch_.parts),
                             static_cast<int>(unit % batch_.parts));
  }
  // The first element of a column of an activation.
  template <class P>  // void* or const void*
  P column_of(P array, std::int64_t column) const {
    using Byte = std::conditional_t<std::is_same_v<P, void*>, std::byte, const std::byte>;
    return static_cast<Byte*>(array) + column * batch_.column_stride * (batch_.column.bf16 ? 2 : 4);
  }
  ForwardPair pair(const KernelArgs& args, std::int64_t column) const {
    return {column_of(args.inputs[0], column), column_of(args.output_gradients[0], column)};
  }
  static float param(const KernelArgs& args, Param which, std::int64_t channel) {
    return static_cast<const float*>(args.params[which])[channel];
  }

  // Calls visit(lane, channel) for the channels that exist.
  template <class Visit>
  void for_each_channel(std::int64_t column, const Visit& visit) const {
    const std::int64_t first = column * lanes_;
    for (std::int64_t l = 0; l < std::min(lanes_, batch_.channels - first); ++l)
      visit(static_cast<std::size_t>(l), first + l);
  }

  void sum(const KernelArgs& args, std::int64_t unit) const {
    const std::int64_t column = unit / batch_.parts;
    ChannelTotals& mine = totals(args, column)[unit % batch_.parts];
    mine = {};
    if (is_forward_) {
      HWY_DYNAMIC_DISPATCH(add_moments)(batch_.column, pixels(unit), column_of(args.inputs[0], column), mine);
      return;
    }
    HWY_DYNAMIC_DISPATCH(add_gradients_of_column)
    (batch_.column, pixels(unit), pair(args, column), saved_factors(args, column), relu_, mine);
  }

  void apply(const KernelArgs& args, std::int64_t unit) const {
    const std::int64_t column = unit / batch_.parts;
    const bool is_first = unit % batch_.parts == 0;
    if (is_forward_) {
      const ChannelFactors factors =
          training_ ? batch_factors(args, column, is_first) : state_factors(args, column);
      HWY_DYNAMIC_DISPATCH(normalise_column)
      (batch_.column, pixels(unit), column_of(args.inputs[0], column), factors, relu_,
       column_of(args.outputs[0], column));
      return;
    }
    const ChannelFactors factors = gradient_factors(args, column, is_first);
    if (wants_input_) HWY_DYNAMIC_DISPATCH(differentiate_column)
    (batch_.column, pixels(unit), pair(args, column), factors, relu_,
     column_of(args.input_gradients[0], column));
  }

  double total(const KernelArgs& args, std::int64_t column, double (ChannelTotals::*sums)[kMaxChannelLanes],
               std::size_t lane) const {
    double value = 0;
    for (std::int64_t part = 0; part < batch_.parts; ++part)
      value += (totals(args, column)[part].*sums)[lane];
    return value;
  }

  // Of the minibatch; the first part saves what backward wants and commits the running statistics.
  ChannelFactors batch_factors(const KernelArgs& args, std::int64_t column, bool is_first) const {
    ChannelFactors f;
    Saved statistics = {};
    const auto count = static_cast<double>(batch_.pixels());
    for_each_channel(column, [&](std::size_t l, std::int64_t c) {
      const double mean = total(args, column, &ChannelTotals::first, l) / count;
      const double variance =
          std::max(0.0, total(args, column, &ChannelTotals::second, l) / count - mean * mean);
      statistics.mean[l] = static_cast<float>(mean);
      statistics.inverse[l] = static_cast<float>(1 / std::sqrt(variance + epsilon_));
      if (!is_first) return;
      commit(args, kMean, c, mean);
      commit(args, kVariance, c, variance);
    });
    if (is_first) saved(args, column) = statistics;
    fill(args, column, statistics, f);
    return f;
  }

  void commit(const KernelArgs& args, Param which, std::int64_t channel, double value) const {
    auto* next = static_cast<float*>(args.next_state[which]);
    if (next != nullptr)
      next[channel] = static_cast<float>(momentum_ * param(args, which, channel) + (1 - momentum_) * value);
  }

  ChannelFactors state_factors(const KernelArgs& args, std::int64_t column) const {
    ChannelFactors f;
    Saved statistics = {};
    for_each_channel(column, [&](std::size_t l, std::int64_t c) {
      statistics.mean[l] = param(args, kMean, c);
      statistics.inverse[l] = static_cast<float>(1 / std::sqrt(param(args, kVariance, c) + epsilon_));
    });
    fill(args, column, statistics, f);
    return f;
  }

  // Channels that only pad a block keep zeros: their outputs are zero.
  void fill(const KernelArgs& args, std::int64_t column, const Saved& statistics, ChannelFactors& f) const {
    for_each_channel(column, [&](std::size_t l, std::int64_t c) {
      f.mean[l] = statistics.mean[l];
      f.factor[l] = param(args, kScale, c) * statistics.inverse[l];
      f.bias[l] = param(args, kBias, c);
    });
  }

  ChannelFactors saved_factors(const KernelArgs& args, std::int64_t column) const {
    ChannelFactors f;
    fill(args, column, saved(args, column), f);
    return f;
  }

  // dx = scale / sqrt(v + epsilon) (dy - E[dy] - x^ E[dy x^]); the first part writes the parameters'.
  ChannelFactors gradient_factors(const KernelArgs& args, std::int64_t column, bool is_first) const {
    ChannelFactors f = saved_factors(args, column);
    const Saved& statistics = saved(args, column);
    const auto count = static_cast<double>(batch_.pixels());
    for_each_channel(column, [&](std::size_t l, std::int64_t c) {
      const double sum = total(args, column, &ChannelTotals::first, l);
      const double product = total(args, column, &ChannelTotals::second, l) * statistics.inverse[l];
      f.slope[l] = static_cast<float>(-f.factor[l] * statistics.inverse[l] * product / count);
      f.shift[l] = static_cast<float>(-f.factor[l] * sum / count);
      if (!is_first) return;
      static_cast<float*>(args.param_gradients[kScale])[c] = static_cast<float>(product);
      static_cast<float*>(args.param_gradients[kBias])[c] = static_cast<float>(sum);
    });
    return f;
  }

  Batch batch_;
  std::int64_t lanes_;
  bool is_forward_, training_, relu_, wants_input_;
  double epsilon_, momentum_;
  std::int64_t group_;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (base::Verdict verdict = check_narrow_type(problem); !verdict) return verdict;
  if (problem.pass != Pass::forward && problem.pass != Pass::backward)
    return base::Reason{"all gradients of batch normalisation come from one pass"};
  if (problem.pass == Pass::backward && !problem.training)
    return base::Reason{"differentiates in training only"};
  const tensor::Shape& x = problem.inputs[0];
  const std::int64_t group = problem.attributes.integer("statistics_samples"), lanes = simd_lanes();
  if (problem.training && group != 0 && group != x[0])
    return base::Reason{
        base::str("takes statistics over the whole minibatch of ", x[0], ", not over groups of ", group)};
  const bool is_vector = x.rank() <= 2 || problem.family == LayoutFamily::channels_last;
  if (!is_vector && problem.family != LayoutFamily::blocked)
    return base::Reason{base::str("no ", name(problem.family), " layout: channels must lie in vectors")};
  if (is_blocked(problem) && family_block() != lanes)
    return base::Reason{base::str("blocks of ", family_block(), " channels are no vectors of ", lanes)};
  if (!is_blocked(problem) && x[1] % lanes != 0)
    return base::Reason{base::str(x[1], " channels are no multiple of ", lanes)};
  return {};
}

// Bytes of the second look come from a cache as long as a column does not leave it.
double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.3);
}

// Chains of a quarter of a chunk, float64 beyond it; then a handful of operations.
double error_growth(const Problem& problem) {
  const tensor::Shape& x = problem.inputs[0];
  return sum_error_growth(static_cast<double>(x[0] * x.count_from(2))) + 8;
}

}  // namespace

KernelEntry batch_norm_entry() {
  return {.name = "simd",
          .op = "BatchNormalization",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<BatchNorm>(problem);
          },
          .seconds = seconds,
          .error_growth = error_growth};
}

}  // namespace convoy::kernels::cpu
#endif
