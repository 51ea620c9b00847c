// The steps of conv_winograd.h for one instruction set and variant. Included once a target by
// conv_winograd_<variant>.cc.
#if defined(CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_
#undef CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_
#else
#define CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_
#endif

#include <algorithm>

#include "convoy/kernels/cpu/conv_winograd.h"
#include "convoy/kernels/cpu/winograd_apply-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

// Where tile t lies.
struct TilePlace {
  std::int64_t image, i, j;
};
HWY_INLINE TilePlace place_of(const TileGrid& grid, std::int64_t t) {
  const std::int64_t area = grid.tiles_h * grid.tiles_w, in_image = t % area;
  return {t / area, in_image / grid.tiles_w, in_image % grid.tiles_w};
}

// The part of [begin, begin + size) that lies in [0, limit), relative to begin.
struct Visible {
  std::int64_t begin, end;
};
HWY_INLINE Visible visible(std::int64_t begin, std::int64_t size, std::int64_t limit) {
  const std::int64_t from = std::clamp<std::int64_t>(-begin, 0, size);
  return {from, std::clamp<std::int64_t>(limit - begin, from, size)};
}

static const bool nt = getenv("NT") != nullptr;
// The next tile in row-major order.
HWY_INLINE void advance(const TileGrid& grid, TilePlace& tile) {
  if (++tile.j < grid.tiles_w) return;
  tile.j = 0;
  if (++tile.i < grid.tiles_h) return;
  tile.i = 0;
  ++tile.image;
}

// Tiles of kEdge x kEdge elements, which begin every m elements, through M. Along a row of tiles, so that
// kEdge rows of one plane are read in order.
template <class M, int m>
void transform_tiles(const TileGrid& grid, const TileRange& range, const float* x, const Transformed& to) {
  constexpr int kEdge = kColumnsOf<M>;
  HWY_ALIGN float border[kEdge * kEdge * kLanes];
  const std::int64_t row = grid.w * kLanes, plane = grid.h * row;
  for (std::int64_t b = range.block_begin; b < range.block_end; ++b) {
    TilePlace tile = place_of(grid, range.tile_begin);
    float* out = to.data + b * to.block;
    for (std::int64_t t = range.tile_begin; t < range.tile_end; ++t, advance(grid, tile), out += kLanes) {
      const std::int64_t y0 = tile.i * m - grid.top, x0 = tile.j * m - grid.left;
      const Visible rows = visible(y0, kEdge, grid.h), columns = visible(x0, kEdge, grid.w);
      const float* from = x + (tile.image * grid.channel_blocks + b) * plane + y0 * row + x0 * kLanes;
      Places places{from, row, kLanes, out, kRowsOf<M> * to.point, to.point};
      if (rows.end - rows.begin < kEdge || columns.end - columns.begin < kEdge) {
        std::fill_n(border, kEdge * kEdge * kLanes, 0.0F);
        for (std::int64_t i = rows.begin; i < rows.end; ++i)
          for (std::int64_t j = columns.begin; j < columns.end; ++j)
            hn::Store(hn::LoadU(F32(), from + i * row + j * kLanes), F32(),
                      border + (i * kEdge + j) * kLanes);
        places.from = border;
        places.row = kEdge * kLanes;
      }
      apply_twice<M>(places);
    }
  }
}

// to[i][j] = from[j][i], N x N: quarters of a vector are gathered through `to`, which is written twice.
HWY_INLINE void transpose_block(const float* HWY_RESTRICT from, float* HWY_RESTRICT to) {
  const hn::FixedTag<float, 4> d4;
  const hn::Repartition<std::uint64_t, F32> d64;
  for (int group = 0; group < kLanes / 4; ++group) {
    float* out = to + group * 4 * kLanes;
    for (int i = 0; i < kLanes; ++i)
      hn::Store(hn::Load(d4, from + i * kLanes + group * 4), d4, out + i % 4 * kLanes + i / 4 * 4);
  }
  for (int group = 0; group < kLanes / 4; ++group) {
    float* out = to + group * 4 * kLanes;
    const F32 d;
    const Vector r0 = hn::Load(d, out), r1 = hn::Load(d, out + kLanes), r2 = hn::Load(d, out + 2 * kLanes),
                 r3 = hn::Load(d, out + 3 * kLanes);
    const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, r0, r1)),
               low23 = hn::BitCast(d64, hn::InterleaveLower(d, r2, r3)),
               high01 = hn::BitCast(d64, hn::InterleaveUpper(d, r0, r1)),
               high23 = hn::BitCast(d64, hn::InterleaveUpper(d, r2, r3));
    hn::Store(hn::BitCast(d, hn::InterleaveLower(d64, low01, low23)), d, out);
    hn::Store(hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23)), d, out + kLanes);
    hn::Store(hn::BitCast(d, hn::InterleaveLower(d64, high01, high23)), d, out + 2 * kLanes);
    hn::Store(hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23)), d, out + 3 * kLanes);
  }
}

template <int m, int r>
void transform_filters(const FilterJob& job) {
  using M = FilterMatrix<m, r>;
  constexpr std::int64_t kBlock = kLanes * kLanes;
  constexpr int kTaps = r * r;
  HWY_ALIGN float transposed[kTaps * kBlock];
  const std::int64_t vectors = job.flipped ? job.blocks_c : job.blocks_k;
  // The next block along the depth, which is fetched meanwhile: taps are too far apart for the hardware to
  // follow.
  const std::int64_t next = (job.flipped ? job.blocks_c : 1) * kTaps * kBlock;
  for (std::int64_t v = 0; v < kWinogradPanel && job.panel * kWinogradPanel + v < vectors; ++v)
    for (std::int64_t at = job.depth_begin; at < job.depth_end;) {
      const std::int64_t vector = job.panel * kWinogradPanel + v, depth_block = at / kLanes;
      const std::int64_t k = job.flipped ? depth_block : vector, c = job.flipped ? vector : depth_block;
      const float* const block_at = job.filters + (k * job.blocks_c + c) * kTaps * kBlock;
      const float* block = block_at;
      if (job.flipped) {
        for (int tap = 0; tap < kTaps; ++tap)
          transpose_block(block + (kTaps - 1 - tap) * kBlock, transposed + tap * kBlock);
        block = transposed;
      }
      const std::int64_t end = std::min<std::int64_t>((depth_block + 1) * kLanes, job.depth_end);
      for (; at < end; ++at) {
        for (int tap = 0; tap < kTaps; ++tap)
          hwy::Prefetch(block_at + next + (tap * kLanes + at % kLanes) * kLanes);
        float* to = job.to + ((at - job.depth_begin) * kWinogradPanel + v) * kLanes;
        apply_twice<M>(
            {block + at % kLanes * kLanes, r * kBlock, kBlock, to, kRowsOf<M> * job.point, job.point});
      }
    }
}

HWY_INLINE void write(const OutputJob& job, Vector y, float* HWY_RESTRICT to) {
  if (job.stream)
    hn::Stream(y, F32(), to);
  else
    hn::StoreU(y, F32(), to);
}

template <int m, int r>
void inverse_outputs(const TileGrid& grid, const OutputJob& job) {
  using M = OutputMatrix<m, r>;
  const F32 d;
  const std::int64_t row = grid.w * kLanes, plane = grid.h * row;
  HWY_ALIGN float tile_outputs[m * m * kLanes];
  HWY_ALIGN float bias[kLanes] = {};
  const Vector floor = hn::Zero(d);
  for (std::int64_t b = job.range.block_begin; b < job.range.block_end; ++b) {
    if (job.bias != nullptr)
      for (std::int64_t lane = 0; lane < kLanes; ++lane)
        bias[lane] = b * kLanes + lane < job.channels ? job.bias[b * kLanes + lane] : 0.0F;
    const Vector shift = hn::Load(d, bias);
    for (std::int64_t t = job.range.tile_begin; t < job.range.tile_end; ++t) {
      const TilePlace tile = place_of(grid, t);
      const float* from =
          job.from.data + (b - job.range.block_begin) * job.from.block + (t - job.range.tile_begin) * kLanes;
      apply_twice<M>(
          {from, kColumnsOf<M> * job.from.point, job.from.point, tile_outputs, m * kLanes, kLanes});
      const std::int64_t rows = std::min<std::int64_t>(m, grid.h - tile.i * m),
                         columns = std::min<std::int64_t>(m, grid.w - tile.j * m);
      float* to =
          job.to + (tile.image * grid.channel_blocks + b) * plane + tile.i * m * row + tile.j * m * kLanes;
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j) {
          const Vector y = hn::Add(hn::Load(d, tile_outputs + (i * m + j) * kLanes), shift);
          write(job, job.relu ? hn::Max(floor, y) : y, to + i * row + j * kLanes);
        }
    }
  }
  if (job.stream) hwy::FlushStream();
}

template <int m, int r>
void inverse_filters(const FilterGradientJob& job) {
  using M = OutputMatrix<r, m>;
  constexpr std::int64_t kBlock = kLanes * kLanes;
  for (std::int64_t c = 0; c < job.rows; ++c)
    apply_twice<M>({job.from + c * kLanes, kColumnsOf<M> * job.point, job.point, job.to + c * kLanes,
                    r * kBlock, kBlock});
  for (std::int64_t tap = 0; tap < r * r; ++tap)
    std::fill(job.to + tap * kBlock + job.rows * kLanes, job.to + (tap + 1) * kBlock, 0.0F);
}

template <int m, int r>
WinogradSteps winograd_steps() {
  return {.outputs = m,
          .taps = r,
          .points = m + r - 1,
          .transform_inputs = &transform_tiles<InputMatrix<m, r>, m>,
          .transform_gradients = &transform_tiles<FilterMatrix<r, m>, m>,
          .transform_filters = &transform_filters<m, r>,
          .inverse_outputs = &inverse_outputs<m, r>,
          .inverse_filters = &inverse_filters<m, r>};
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
