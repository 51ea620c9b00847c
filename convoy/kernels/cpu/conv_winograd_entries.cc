// Winograd convolution: what the variants serve, what they cost and how exact they are.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_winograd_plan.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/winograd_matrices.h"

namespace convoy::kernels::cpu {
namespace {

template <int m, int r>
base::Verdict supports(const Problem& problem) {
  if (problem.family != LayoutFamily::blocked)
    return base::Reason{base::str("only blocked layout, not ", name(problem.family))};
  const auto geometry = ConvGeometry::of(problem);
  if (!geometry) return geometry.reason();
  const ConvGeometry& g = geometry.value();
  if (g.r != r || g.s != r)
    return base::Reason{base::str("only filters of ", r, "x", r, ", not ", g.r, "x", g.s)};
  if (!g.unit_stride()) return base::Reason{base::str("only stride 1, not ", g.stride_h, "x", g.stride_w)};
  if (!g.unit_dilation())
    return base::Reason{base::str("only dilation 1, not ", g.dilation_h, "x", g.dilation_w)};
  if (g.groups != 1) return base::Reason{base::str("only one group, not ", g.groups)};
  if (problem.pass == Pass::backward) return base::Reason{"one gradient at a time"};
  return {};
}

template <int m, int r>
std::unique_ptr<Kernel> make(const Problem& problem) {
  const ConvGeometry geometry = ConvGeometry::of(problem).value();
  if (problem.pass == Pass::backward_weights) return make_winograd_weights(problem, geometry, {m, r});
  return make_winograd_data(problem, geometry, {m, r});
}

template <int m, int r>
double seconds(const Problem& problem, const machine::Machine& machine) {
  return winograd_seconds(problem, {m, r}, machine);
}

// docs/numerics.md, "Winograd": kappa^2 (L + 2 taps + 4 t + 20)/2.
template <int m, int r>
double error_growth(const Problem& problem) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  constexpr double kTransformed = m + r - 1;
  if (problem.pass == Pass::backward_weights) {
    constexpr double kKappa = winograd_amplification<r, m>();
    const auto tiles = static_cast<double>(g.n * ((g.p + m - 1) / m) * ((g.q + m - 1) / m));
    return kKappa * kKappa * sum_error_growth(tiles + 2 * m + 4 * kTransformed + 19);
  }
  constexpr double kKappa = winograd_amplification<m, r>();
  const auto channels = static_cast<double>(problem.pass == Pass::forward ? g.c : g.k);
  return kKappa * kKappa * sum_error_growth(channels + 2 * r + 4 * kTransformed + 19);
}

template <int m, int r>
KernelEntry entry(std::string_view name) {
  return {.name = name,
          .op = "Conv",
          .supports = supports<m, r>,
          .make = make<m, r>,
          .seconds = seconds<m, r>,
          .error_growth = error_growth<m, r>,
          .error_terms = ErrorTerms::whole_maps,
          .exact_on_integers = false};
}

}  // namespace

KernelEntry conv_winograd_f2_entry() { return entry<2, 3>("winograd:f2"); }
KernelEntry conv_winograd_f4_entry() { return entry<4, 3>("winograd:f4"); }
KernelEntry conv_winograd_f6_entry() { return entry<6, 3>("winograd:f6"); }
KernelEntry conv_winograd_f7_entry() { return entry<7, 3>("winograd:f7"); }
KernelEntry conv_winograd_f2r5_entry() { return entry<2, 5>("winograd:f2r5"); }

}  // namespace convoy::kernels::cpu
