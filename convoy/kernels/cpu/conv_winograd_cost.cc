// The time of a Winograd convolution, counted from the blocks that it would run.
#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_winograd_plan.h"

namespace convoy::kernels::cpu {
namespace {

// Cycles of one transform of a vector of channels, from the first level of cache. Measured on Zen 4, which
// completes one 512-bit multiply-add a cycle, so that a cycle stands for 2 N operations of the machine's
// peak.
struct TransformCycles {
  double input, gradient, output, filter, flipped_filter;
};
constexpr TransformCycles kF2{66, 58, 51, 143, 198};
constexpr TransformCycles kF4{205, 150, 140, 190, 265};
constexpr TransformCycles kF6{430, 370, 370, 460, 520};
constexpr TransformCycles kF7{600, 480, 480, 700, 760};
constexpr TransformCycles kF2r5{190, 122, 92, 335, 510};

TransformCycles cycles_of(WinogradVariant variant) {
  if (variant.r == 5) return kF2r5;
  if (variant.m == 2) return kF2;
  return variant.m == 4 ? kF4 : variant.m == 6 ? kF6 : kF7;
}

// Share of peak of the products from near caches.
constexpr double kProductShare = 0.94, kSumShare = 0.92;

double number(std::int64_t n) { return static_cast<double>(n); }
double divide_up(std::int64_t a, std::int64_t b) { return number((a + b - 1) / b); }

struct Work {
  double cycles = 0;
  double cache_bytes = 0;  // through the last level
  double memory_bytes = 0;
};

double plane_bytes(const TileGrid& grid, const WinogradShape& shape, std::int64_t n) {
  return number(n * grid.channel_blocks * shape.lanes * grid.h * grid.w * 4);
}

// Largest load of a thread relative to the mean.
double imbalance(std::int64_t items, int threads) {
  return divide_up(items, threads) * threads / number(std::max<std::int64_t>(items, 1));
}

Work data_work(const ConvGeometry& g, const WinogradShape& s, const Problem& problem,
               const TransformCycles& c, int threads) {
  const DataBlocking blocking = data_blocking(s, threads);
  const double tiles = number(s.tiles), points = number(s.points);
  const double in_blocks = number(s.in.channel_blocks), out_blocks = number(s.out.channel_blocks);
  const double chunks = divide_up(s.in_channels, blocking.depth);
  // A product's sums are stored at half a vector a cycle, and loaded again for all chunks but the first.
  const double product = points * tiles * out_blocks * (number(s.in_channels) / kProductShare + 3 * chunks);
  const double tile_bytes = points * in_blocks * number(s.lanes) * 4;
  const double filter_bytes = tile_bytes * out_blocks * number(s.lanes);
  const bool has_filters = problem.pass == Pass::forward && !problem.training;
  const double filters = has_filters
                             ? 0
                             : number(s.in_channels) * out_blocks *
                                   (problem.pass == Pass::backward_data ? c.flipped_filter : c.filter);
  Work work;
  work.cycles = product * (blocking.by_panels ? imbalance(s.panels(), threads) : 1.0) + filters +
                tiles * (in_blocks * c.input + out_blocks * c.output);
  work.memory_bytes =
      plane_bytes(s.in, s, g.n) + plane_bytes(s.out, s, g.n) + filter_bytes / points * number(g.r * g.s);
  if (has_filters) work.memory_bytes += filter_bytes;
  if (blocking.by_panels)
    work.cache_bytes = tile_bytes * tiles * (1 + number(s.panels()));
  else
    work.cache_bytes = filter_bytes * (1 + divide_up(s.tiles, blocking.tiles));
  return work;
}

Work weights_work(const ConvGeometry& g, const WinogradShape& s, const TransformCycles& c, int threads) {
  const WeightsBlocking blocking = weights_blocking(s, threads);
  const double tiles = number(s.tiles), points = number(s.points);
  const double in_blocks = number(s.in.channel_blocks), out_blocks = number(s.out.channel_blocks);
  const double sum_vectors = points * number(s.in_channels) * out_blocks;
  const double sum_bytes = points * in_blocks * out_blocks * number(s.lanes * s.lanes) * 4;
  Work work;
  work.cycles = sum_vectors * tiles / kSumShare + tiles * (in_blocks * c.input + out_blocks * c.gradient) +
                number(s.in_channels) * out_blocks * c.output;
  work.memory_bytes =
      plane_bytes(s.in, s, g.n) + plane_bytes(s.out, s, g.n) + sum_bytes / points * number(g.r * g.s);
  const double blocks = divide_up(s.tiles, blocking.tiles);
  const double tile_bytes = points * number(s.lanes) * 4;
  if (!blocking.by_filters) {
    work.cycles += 3 * sum_vectors * (blocks + threads);
    return work;
  }
  work.cycles *= imbalance(static_cast<std::int64_t>(divide_up(s.panels(), blocking.panels) *
                                                     divide_up(s.in.channel_blocks, blocking.channel_blocks)),
                           threads);
  work.cache_bytes = 2 * sum_bytes * blocks +
                     tiles * tile_bytes *
                         (in_blocks * (1 + divide_up(s.panels(), blocking.panels)) +
                          out_blocks * (1 + divide_up(s.in.channel_blocks, blocking.channel_blocks)));
  return work;
}

}  // namespace

double winograd_seconds(const Problem& problem, WinogradVariant variant, const machine::Machine& machine) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  const WinogradShape shape(g, problem.pass, variant);
  const int threads = std::max(1, machine.threads);
  const Work work = problem.pass == Pass::backward_weights
                        ? weights_work(g, shape, cycles_of(variant), threads)
                        : data_work(g, shape, problem, cycles_of(variant), threads);
  const double bandwidth = work.memory_bytes <= number(machine.cache_bytes) / 2 ? machine.cache_bandwidth
                                                                                : machine.memory_bandwidth;
  // Transforms wait for memory, products do not: the times add.
  return 2 * machine.dispatch_seconds + work.cycles * 2 * number(shape.lanes) / machine.f32_flops +
         work.cache_bytes / machine.cache_bandwidth + work.memory_bytes / bandwidth;
}

}  // namespace convoy::kernels::cpu
