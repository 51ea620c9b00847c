// The entry "direct:batch": convolution by its definition, in blocks of one vector of samples. For layers of
// so few channels that blocks of channels would be mostly padding.
#include <algorithm>

#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_direct_batch_passes.h"
#include "convoy/kernels/cpu/conv_geometry.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

base::Verdict supports(const Problem& problem) {
  if (problem.family != LayoutFamily::batch_blocked)
    return base::Reason{base::str("only batch_blocked layout, not ", name(problem.family))};
  if (problem.pass == Pass::backward) return base::Reason{"Conv has no joint backward pass"};
  const auto g = ConvGeometry::of(problem);
  if (!g) return g.reason();
  if (2 * g->n < family_block())
    return base::Reason{base::str("a batch of ", g->n, " fills less than half a vector of ", family_block())};
  return {};
}

std::unique_ptr<Kernel> make(const Problem& problem) {
  return problem.pass == Pass::backward_weights ? make_batch_weights(problem)
                                                : make_batch_correlation(problem);
}

// Share of peak that the pass's register tiles reached on Zen 4. One or two channels, or two or three taps,
// leave the tile bound by loads; rows of inputs that do not fit into L2 are fetched for every tile of
// channels.
double share_of_peak(const Problem& problem, const ConvGeometry& g, std::int64_t lanes) {
  if (problem.pass == Pass::backward_weights) return g.s == 1 || g.s >= 5 ? 0.92 : 0.7;
  const bool forward = problem.pass == Pass::forward;
  const std::int64_t written = forward ? g.k_per_group() : g.c_per_group();
  const double share = written >= 3 ? (forward ? 0.97 : 0.9) : written == 2 ? 0.7 : 0.55;
  const std::int64_t read_bytes =
      (forward ? g.c_per_group() * g.w : g.k_per_group() * g.q) * g.r * lanes * std::int64_t{sizeof(float)};
  constexpr std::int64_t kSmallL2_bytes = 512 << 10;
  return read_bytes > kSmallL2_bytes ? 0.6 * share : share;
}

// Multiply-adds of whole blocks of samples, and three operations for each vector that is written.
double seconds(const Problem& problem, const machine::Machine& machine) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  const std::int64_t lanes = family_block();
  const double blocks = static_cast<double>((g.n + lanes - 1) / lanes);
  double operations = blocks * g.macs() / static_cast<double>(g.n);
  if (problem.pass == Pass::forward) operations += 3 * blocks * static_cast<double>(g.k * g.p * g.q);
  if (problem.pass == Pass::backward_data) operations += 3 * blocks * static_cast<double>(g.c * g.h * g.w);
  const double compute =
      operations * 2 * static_cast<double>(lanes) / (share_of_peak(problem, g, lanes) * machine.f32_flops);
  const auto bytes = static_cast<double>(moved_bytes(problem));
  const double bandwidth =
      bytes <= static_cast<double>(machine.cache_bytes) ? machine.cache_bandwidth : machine.memory_bandwidth;
  return machine.dispatch_seconds + std::max(compute, bytes / bandwidth);
}

}  // namespace

KernelEntry conv_direct_batch_entry() {
  return {.name = "direct:batch",
          .op = "Conv",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = convolution_error_growth};
}

}  // namespace convoy::kernels::cpu
