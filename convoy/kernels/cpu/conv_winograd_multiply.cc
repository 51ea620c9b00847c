// The product in Winograd's domain: a register tile of rows x vectors, both operands streamed.
//
// 14 x 2 accumulators fill 28 of AVX-512's 32 registers, 6 x 2 fill 12 of AVX2's 16; two hold b, one a
// broadcast of a. A row's broadcast serves both vectors: 16 loads for 28 multiply-adds.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_winograd_multiply.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include <array>
#include <utility>

#include "convoy/kernels/cpu/conv_winograd.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
constexpr int kMaxRows = kLanes == 16 ? 14 : 6;

// Distances of a's elements along rows and depth; N steps of depth make a block of a.
struct TileRows {
  static constexpr int kRow = kLanes, kStep = 1;
};
struct ChannelRows {
  static constexpr int kRow = 1, kStep = kLanes;
};

template <class A, int vectors, int row>
HWY_INLINE void multiply_row(const float* HWY_RESTRICT a, const Vector* HWY_RESTRICT b,
                             Vector* HWY_RESTRICT sums) {
  const Vector x = hn::Set(F32(), a[row * A::kRow]);
  sums[row * vectors] = hn::MulAdd(x, b[0], sums[row * vectors]);
  if constexpr (vectors > 1) sums[row * vectors + 1] = hn::MulAdd(x, b[1], sums[row * vectors + 1]);
}

template <class A, int vectors, int... row>
HWY_INLINE void multiply_step(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::int64_t b_vector,
                              Vector* HWY_RESTRICT sums, std::integer_sequence<int, row...>) {
  Vector bs[vectors];
  bs[0] = hn::LoadU(F32(), b);
  if constexpr (vectors > 1) bs[1] = hn::LoadU(F32(), b + b_vector);
  (multiply_row<A, vectors, row>(a, bs, sums), ...);
}

template <int vectors, int... i>
HWY_INLINE void begin_sums(const MultiplyJob& job, Vector* HWY_RESTRICT sums,
                           std::integer_sequence<int, i...>) {
  if (job.accumulate)
    ((sums[i] = hn::LoadU(F32(), job.c + i % vectors * job.c_vector + i / vectors * kLanes)), ...);
  else
    ((sums[i] = hn::Zero(F32())), ...);
}

template <int vectors, int... i>
HWY_INLINE void store_sums(const MultiplyJob& job, const Vector* HWY_RESTRICT sums,
                           std::integer_sequence<int, i...>) {
  (hn::StoreU(sums[i], F32(), job.c + i % vectors * job.c_vector + i / vectors * kLanes), ...);
}

// What a product fetches for the next. TileRows: blocks of a lie too far apart for hardware to follow, so
// each is fetched while the one before is multiplied. ChannelRows: one line of a or b each step.
template <int... row>
HWY_INLINE void fetch_block(const float* HWY_RESTRICT a, std::integer_sequence<int, row...>) {
  (hwy::Prefetch(a + row * kLanes), ...);
}

template <class A, int rows, int vectors>
void multiply(const MultiplyJob& job) {
  const std::make_integer_sequence<int, rows * vectors> all;
  const std::make_integer_sequence<int, rows> each_row;
  Vector sums[rows * vectors];
  begin_sums<vectors>(job, sums, all);
  const float *a = job.a, *b = job.b, *next_a = job.next_a, *next_b = job.next_b;
  const std::int64_t b_step = job.b_step, b_vector = job.b_vector;
  std::int64_t left = job.depth;
  for (; left >= kLanes; left -= kLanes, a += job.a_block) {
    if constexpr (A::kStep == 1) fetch_block(left >= 2 * kLanes ? a + job.a_block : next_a, each_row);
    for (int p = 0; p < kLanes; ++p, b += b_step) {
      if constexpr (A::kStep > 1) {
        hwy::Prefetch(next_a);
        hwy::Prefetch(next_b);
        next_a += kLanes;
        next_b += kLanes;
      }
      multiply_step<A, vectors>(a + p * A::kStep, b, b_vector, sums, each_row);
    }
  }
  for (std::int64_t p = 0; p < left; ++p, b += b_step)
    multiply_step<A, vectors>(a + p * A::kStep, b, b_vector, sums, each_row);
  store_sums<vectors>(job, sums, all);
}

using Multiply = void (*)(const MultiplyJob&);
// [rows - 1][vectors - 1]
template <class A, int... row>
constexpr std::array<std::array<Multiply, 2>, sizeof...(row)> multiply_table(
    std::integer_sequence<int, row...>) {
  return {{{&multiply<A, row + 1, 1>, &multiply<A, row + 1, 2>}...}};
}

// What piece i of `pieces` fetches: TileRows the rows of the next piece, the last one those of the next
// product; ChannelRows a of the next product, the last one b. Without anything to fetch, what is there
// already.
template <class A>
void set_fetched(const MultiplyJob& job, bool is_last, std::int64_t end, MultiplyJob& piece) {
  const float* next_a = job.next_a == nullptr ? job.a : job.next_a;
  const float* next_b = job.next_b == nullptr ? job.b : job.next_b;
  if (A::kStep == 1) {
    piece.next_a = is_last ? next_a : job.a + end * A::kRow;
    return;
  }
  piece.next_a = is_last ? next_b : next_a;
  piece.next_b = is_last && job.next_b != nullptr ? next_b + job.b_vector : piece.next_a;
}

// Rows in pieces of nearly the same size: many small remainders would load b more often.
template <class A, int max_rows>
void multiply_rows(const MultiplyJob& job) {
  static constexpr auto kTable = multiply_table<A>(std::make_integer_sequence<int, max_rows>());
  const std::int64_t pieces = (job.rows + max_rows - 1) / max_rows;
  MultiplyJob piece = job;
  for (std::int64_t i = 0; i < pieces; ++i) {
    const std::int64_t begin = job.rows * i / pieces, end = job.rows * (i + 1) / pieces;
    piece.a = job.a + begin * A::kRow;
    piece.c = job.c + begin * kLanes;
    set_fetched<A>(job, i + 1 == pieces, end, piece);
    kTable[static_cast<std::size_t>(end - begin - 1)][static_cast<std::size_t>(job.vectors - 1)](piece);
  }
}

void multiply_tiles(const MultiplyJob& job) { multiply_rows<TileRows, kMaxRows>(job); }

void multiply_channels(const MultiplyJob& job) {
  MultiplyJob blocks = job;
  blocks.a_block = kLanes * kLanes;
  multiply_rows<ChannelRows, kLanes == 16 ? 8 : 4>(blocks);
}

WinogradProducts products() { return {&multiply_tiles, &multiply_channels}; }
#else
WinogradProducts products() { return {}; }
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {

HWY_EXPORT(products);
WinogradProducts winograd_products() { return HWY_DYNAMIC_DISPATCH(products)(); }

}  // namespace convoy::kernels::cpu
#endif
