// The transforms of conv_winograd.h for one instruction set, unrolled from the constexpr matrices. Included
// once a target by conv_winograd_<variant>.cc.
//
// Points come in pairs +-a. Rows j and j + 1 of B^T and G that belong to a pair have even coefficients in
// common and odd ones with opposite signs: e = sum of the even, o = sum of the odd terms, rows e + o and e -
// o, which halves the work. In A^T the columns of a pair do: s = m[j] + m[j+1] serves the even rows and t =
// m[j] - m[j+1] the odd ones. F(4x4, 3x3) then takes 12 operations for six inputs and 10 for its four
// outputs, as many as formulas tuned by hand.
#if defined(CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_
#undef CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_
#else
#define CONVOY_KERNELS_CPU_CONV_WINOGRAD_INL_H_
#endif

#include <algorithm>
#include <utility>

#include "convoy/kernels/cpu/conv_winograd.h"
#include "convoy/kernels/cpu/winograd_matrices.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));

// One matrix as a type, so that templates can branch on its elements.
template <int m, int r>
struct InputMatrix {
  static constexpr auto kMatrix = WinogradMatrices<m, r>::input();
};
template <int m, int r>
struct FilterMatrix {
  static constexpr auto kMatrix = WinogradMatrices<m, r>::filter();
};
template <int m, int r>
struct OutputMatrix {
  static constexpr auto kMatrix = WinogradMatrices<m, r>::output();
};
template <class M>
inline constexpr int kRowsOf = decltype(M::kMatrix)::kRowCount;
template <class M>
inline constexpr int kColumnsOf = decltype(M::kMatrix)::kColumnCount;

enum class Part { all, even, odd };

// The coefficient of column j in this part of row i; the row's partner is i + 1.
template <class M, int i, Part part>
constexpr Rational coefficient(int j) {
  const Rational own = M::kMatrix(i, j);
  if constexpr (part == Part::all)
    return own;
  else
    return (own == M::kMatrix(i + 1, j)) == (part == Part::even) ? own : Rational(0);
}

// The column whose coefficient is divided out: the last one that is not 0; -1: all are 0.
template <class M, int i, Part part>
constexpr int lead() {
  for (int j = kColumnsOf<M> - 1; j >= 0; --j)
    if (coefficient<M, i, part>(j) != Rational(0)) return j;
  return -1;
}
template <class M, int i, Part part>
constexpr Rational lead_coefficient() {
  return lead<M, i, part>() < 0 ? Rational(1) : coefficient<M, i, part>(lead<M, i, part>());
}

// sum + factor x, by the cheapest operation.
template <std::int64_t numerator, std::int64_t denominator>
HWY_INLINE Vector plus(Vector sum, Vector x) {
  if constexpr (numerator == 0)
    return sum;
  else if constexpr (numerator == denominator)
    return hn::Add(sum, x);
  else if constexpr (numerator == -denominator)
    return hn::Sub(sum, x);
  else
    return hn::MulAdd(hn::Set(F32(), static_cast<float>(Rational(numerator, denominator).value())), x, sum);
}
template <std::int64_t numerator, std::int64_t denominator>
HWY_INLINE Vector times(Vector x) {
  if constexpr (numerator == denominator)
    return x;
  else
    return hn::Mul(hn::Set(F32(), static_cast<float>(Rational(numerator, denominator).value())), x);
}

// The part of row i applied to x, divided by its lead coefficient. Starts with the lead and goes down.
template <class M, int i, Part part, int j>
HWY_INLINE Vector add_columns(Vector sum, const Vector* HWY_RESTRICT x) {
  if constexpr (j < 0) {
    return sum;
  } else {
    constexpr Rational kFactor = coefficient<M, i, part>(j) / lead_coefficient<M, i, part>();
    return add_columns<M, i, part, j - 1>(plus<kFactor.numerator, kFactor.denominator>(sum, x[j]), x);
  }
}
template <class M, int i, Part part>
HWY_INLINE Vector row_part(const Vector* HWY_RESTRICT x) {
  constexpr int kLead = lead<M, i, part>();
  return add_columns<M, i, part, kLead - 1>(x[kLead], x);
}

// y = M x for B^T and G: rows 0 and last alone, the others in pairs.
template <class M, int i>
HWY_INLINE void analyse_rows(const Vector* HWY_RESTRICT x, Vector* HWY_RESTRICT y) {
  if constexpr (i == 0 || i == kRowsOf<M> - 1) {
    constexpr Rational kLead = lead_coefficient<M, i, Part::all>();
    y[i] = times<kLead.numerator, kLead.denominator>(row_part<M, i, Part::all>(x));
    if constexpr (i == 0) analyse_rows<M, 1>(x, y);
  } else {
    constexpr Rational kEven = lead_coefficient<M, i, Part::even>(),
                       kOdd = lead_coefficient<M, i, Part::odd>();
    const Vector even = times<kEven.numerator, kEven.denominator>(row_part<M, i, Part::even>(x));
    const Vector odd = row_part<M, i, Part::odd>(x);
    y[i] = plus<kOdd.numerator, kOdd.denominator>(even, odd);
    y[i + 1] = plus<-kOdd.numerator, kOdd.denominator>(even, odd);
    analyse_rows<M, i + 2>(x, y);
  }
}

// Row i of A^T, from the sums and differences of the pairs: terms m[0], pairs, m[last].
template <class M, int i, int pair>
HWY_INLINE Vector add_pairs(Vector sum, const Vector* HWY_RESTRICT sums,
                            const Vector* HWY_RESTRICT differences) {
  constexpr int kColumn = 1 + 2 * pair;
  if constexpr (kColumn >= kColumnsOf<M> - 1) {
    return sum;
  } else {
    constexpr Rational kFactor = M::kMatrix(i, kColumn);
    const Vector term = kFactor == M::kMatrix(i, kColumn + 1) ? sums[pair] : differences[pair];
    return add_pairs<M, i, pair + 1>(plus<kFactor.numerator, kFactor.denominator>(sum, term), sums,
                                     differences);
  }
}
template <class M, int i>
HWY_INLINE void synthesise_rows(const Vector* HWY_RESTRICT x, const Vector* HWY_RESTRICT sums,
                                const Vector* HWY_RESTRICT differences, Vector* HWY_RESTRICT y) {
  if constexpr (i < kRowsOf<M>) {
    constexpr int kLast = kColumnsOf<M> - 1;
    static_assert(M::kMatrix(i, 1) == Rational(1), "the first pair of points is +-1");
    const Vector first = i % 2 == 0 ? sums[0] : differences[0];
    Vector sum = i == 0 ? hn::Add(first, x[0]) : first;
    sum = add_pairs<M, i, 1>(sum, sums, differences);
    if constexpr (i == kRowsOf<M> - 1) sum = hn::Add(sum, x[kLast]);
    y[i] = sum;
    synthesise_rows<M, i + 1>(x, sums, differences, y);
  }
}
template <int pair, int pairs>
HWY_INLINE void fold_pairs(const Vector* HWY_RESTRICT x, Vector* HWY_RESTRICT sums,
                           Vector* HWY_RESTRICT differences) {
  if constexpr (pair < pairs) {
    sums[pair] = hn::Add(x[1 + 2 * pair], x[2 + 2 * pair]);
    differences[pair] = hn::Sub(x[1 + 2 * pair], x[2 + 2 * pair]);
    fold_pairs<pair + 1, pairs>(x, sums, differences);
  }
}

// y = M x. M is B^T or G (it has at least as many rows as columns), or A^T.
template <class M>
HWY_INLINE void apply(const Vector* HWY_RESTRICT x, Vector* HWY_RESTRICT y) {
  if constexpr (kRowsOf<M> >= kColumnsOf<M>) {
    analyse_rows<M, 0>(x, y);
  } else {
    constexpr int kPairs = (kColumnsOf<M> - 2) / 2;
    Vector sums[kPairs], differences[kPairs];
    fold_pairs<0, kPairs>(x, sums, differences);
    synthesise_rows<M, 0>(x, sums, differences, y);
  }
}

// Loads of one column and stores of one row, unrolled.
template <int... i>
HWY_INLINE void load(const float* HWY_RESTRICT from, std::int64_t step, Vector* HWY_RESTRICT x,
                     std::integer_sequence<int, i...>) {
  ((x[i] = hn::LoadU(F32(), from + i * step)), ...);
}
template <int... i>
HWY_INLINE void store(const Vector* HWY_RESTRICT y, float* HWY_RESTRICT to, std::int64_t step,
                      std::integer_sequence<int, i...>) {
  (hn::StoreU(y[i], F32(), to + i * step), ...);
}

// Columns, then rows. M x M^T; x (i, j) at from + i row + j column; result (i, j) at to + i to_row + j
// to_column.
struct Places {
  const float* from;
  std::int64_t row, column;
  float* to;
  std::int64_t to_row, to_column;
};
template <class M, int j>
HWY_INLINE void apply_to_column(const Places& p, Vector* HWY_RESTRICT half) {
  Vector x[kColumnsOf<M>], y[kRowsOf<M>];
  load(p.from + j * p.column, p.row, x, std::make_integer_sequence<int, kColumnsOf<M>>());
  apply<M>(x, y);
  for (int i = 0; i < kRowsOf<M>; ++i) half[i * kColumnsOf<M> + j] = y[i];
}
template <class M, int i>
HWY_INLINE void apply_to_row(const Places& p, const Vector* HWY_RESTRICT half) {
  Vector y[kRowsOf<M>];
  apply<M>(half + i * kColumnsOf<M>, y);
  store(y, p.to + i * p.to_row, p.to_column, std::make_integer_sequence<int, kRowsOf<M>>());
}
template <class M, int... j>
HWY_INLINE void apply_to_columns(const Places& p, Vector* HWY_RESTRICT half,
                                 std::integer_sequence<int, j...>) {
  (apply_to_column<M, j>(p, half), ...);
}
template <class M, int... i>
HWY_INLINE void apply_to_rows(const Places& p, const Vector* HWY_RESTRICT half,
                              std::integer_sequence<int, i...>) {
  (apply_to_row<M, i>(p, half), ...);
}
template <class M>
HWY_INLINE void apply_twice(const Places& p) {
  Vector half[kRowsOf<M> * kColumnsOf<M>];
  apply_to_columns<M>(p, half, std::make_integer_sequence<int, kColumnsOf<M>>());
  apply_to_rows<M>(p, half, std::make_integer_sequence<int, kRowsOf<M>>());
}

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

// Tiles of kEdge x kEdge elements, which begin every m elements, through M.
template <class M, int m>
void transform_tiles(const TileGrid& grid, const TileRange& range, const float* x, const Transformed& to) {
  constexpr int kEdge = kColumnsOf<M>;
  HWY_ALIGN float border[kEdge * kEdge * kLanes];
  const std::int64_t row = grid.w * kLanes, plane = grid.h * row;
  for (std::int64_t t = range.tile_begin; t < range.tile_end; ++t) {
    const TilePlace tile = place_of(grid, t);
    const std::int64_t y0 = tile.i * m - grid.top, x0 = tile.j * m - grid.left;
    const Visible rows = visible(y0, kEdge, grid.h), columns = visible(x0, kEdge, grid.w);
    const bool inside = rows.end - rows.begin == kEdge && columns.end - columns.begin == kEdge;
    for (std::int64_t b = range.block_begin; b < range.block_end; ++b) {
      const float* from = x + (tile.image * grid.channel_blocks + b) * plane + y0 * row + x0 * kLanes;
      Places places{from,
                    row,
                    kLanes,
                    to.data + b * to.block + (t - range.tile_begin) * kLanes,
                    kRowsOf<M> * to.point,
                    to.point};
      if (!inside) {
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
  for (std::int64_t v = 0; v < kWinogradPanel && job.panel * kWinogradPanel + v < vectors; ++v)
    for (std::int64_t at = job.depth_begin; at < job.depth_end;) {
      const std::int64_t vector = job.panel * kWinogradPanel + v, depth_block = at / kLanes;
      const std::int64_t k = job.flipped ? depth_block : vector, c = job.flipped ? vector : depth_block;
      const float* block = job.filters + (k * job.blocks_c + c) * kTaps * kBlock;
      if (job.flipped) {
        for (int tap = 0; tap < kTaps; ++tap)
          transpose_block(block + (kTaps - 1 - tap) * kBlock, transposed + tap * kBlock);
        block = transposed;
      }
      const std::int64_t end = std::min<std::int64_t>((depth_block + 1) * kLanes, job.depth_end);
      for (; at < end; ++at) {
        float* to = job.to + ((at - job.depth_begin) * kWinogradPanel + v) * kLanes;
        apply_twice<M>(
            {block + at % kLanes * kLanes, r * kBlock, kBlock, to, kRowsOf<M> * job.point, job.point});
      }
    }
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
          hn::StoreU(job.relu ? hn::Max(floor, y) : y, d, to + i * row + j * kLanes);
        }
    }
  }
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
