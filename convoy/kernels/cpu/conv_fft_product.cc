// Register tiles of the product of spectra.
#include "convoy/kernels/cpu/conv_fft_product.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/conv_fft_product.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "convoy/kernels/cpu/fft-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

// 24 of 32 registers hold sums with AVX-512, 12 of 16 with AVX2.
constexpr int kTileRows = 4;
constexpr int kTileBlocks = HWY_TARGET <= HWY_AVX3 ? 2 : 1;

template <int kBlocks>
struct Planes {
  V re[kBlocks], im[kBlocks], third[kBlocks];
};

template <int kBlocks, int... kB>
HWY_INLINE void load_planes(Planes<kBlocks>& b, const float* from, std::int64_t step,
                            std::integer_sequence<int, kB...>) {
  const F d;
  ((b.re[kB] = hn::Load(d, from + kB * step), b.im[kB] = hn::Load(d, from + kB * step + kLanes),
    b.third[kB] = hn::Sub(b.re[kB], b.im[kB])),
   ...);
}

// One row's sums: [product][block].
template <int kBlocks>
struct RowSums {
  V sum[3][kBlocks];
};

template <int kBlocks, int... kB>
HWY_INLINE void add_term(RowSums<kBlocks>& row, const Planes<kBlocks>& b, const float* a,
                         std::integer_sequence<int, kB...>) {
  const F d;
  V re = hn::Set(d, a[0]);
  ((row.sum[0][kB] = hn::MulAdd(re, b.re[kB], row.sum[0][kB])), ...);
  const V im = hn::Set(d, a[kLanes]);
  ((row.sum[1][kB] = hn::MulAdd(im, b.im[kB], row.sum[1][kB])), ...);
  re = hn::Add(re, im);
  ((row.sum[2][kB] = hn::MulAdd(re, b.third[kB], row.sum[2][kB])), ...);
}

template <int kBlocks, int... kB>
HWY_INLINE void clear(RowSums<kBlocks>& row, std::integer_sequence<int, kB...>) {
  const F d;
  ((row.sum[0][kB] = row.sum[1][kB] = row.sum[2][kB] = hn::Zero(d)), ...);
}

template <int kBlocks, int... kB>
HWY_INLINE void store(const RowSums<kBlocks>& row, float* out, std::int64_t out_block,
                      std::integer_sequence<int, kB...>) {
  const F d;
  ((hn::Store(hn::Add(row.sum[0][kB], row.sum[1][kB]), d, out + kB * out_block),
    hn::Store(hn::Add(hn::Sub(row.sum[2][kB], row.sum[0][kB]), row.sum[1][kB]), d,
              out + kB * out_block + kLanes)),
   ...);
}

template <int kBlocks, int... kR>
HWY_INLINE void multiply_tile(const ComplexProduct& p, const float* a, const float* b, float* out,
                              std::integer_sequence<int, kR...>) {
  constexpr Indices<kBlocks> blocks{};
  RowSums<kBlocks> rows[sizeof...(kR)];
  (clear(rows[kR], blocks), ...);
  const std::int64_t a_row = p.a_row, a_term = p.a_term, b_term = p.b_term, b_block = p.b_block;
  for (std::int64_t left = p.terms; left > 0; left -= p.run) {
    for (std::int64_t i = left < p.run ? left : p.run; i > 0; --i) {
      Planes<kBlocks> planes;
      load_planes(planes, b, b_block, blocks);
      (add_term(rows[kR], planes, a + kR * a_row, blocks), ...);
      a += a_term;
      b += b_term;
    }
    a += p.a_jump;
  }
  (store(rows[kR], out + kR * p.out_row, p.out_block, blocks), ...);
}

template <int kBlocks>
void multiply_blocks(const ComplexProduct& p, const float* a, const float* b, float* out) {
  std::int64_t row = 0;
  for (; row + kTileRows <= p.rows; row += kTileRows)
    multiply_tile<kBlocks>(p, a + row * p.a_row, b, out + row * p.out_row, Indices<kTileRows>{});
  a += row * p.a_row;
  out += row * p.out_row;
  switch (p.rows - row) {
    case 1:
      return multiply_tile<kBlocks>(p, a, b, out, Indices<1>{});
    case 2:
      return multiply_tile<kBlocks>(p, a, b, out, Indices<2>{});
    case 3:
      return multiply_tile<kBlocks>(p, a, b, out, Indices<3>{});
    default:
      return;
  }
}

void multiply(const ComplexProduct& p, const float* a, const float* b, float* out) {
  std::int64_t block = 0;
  if constexpr (kTileBlocks > 1)
    for (; block + kTileBlocks <= p.blocks; block += kTileBlocks)
      multiply_blocks<kTileBlocks>(p, a, b + block * p.b_block, out + block * p.out_block);
  for (; block < p.blocks; ++block)
    multiply_blocks<1>(p, a, b + block * p.b_block, out + block * p.out_block);
}

ComplexProductFunction product_function() { return multiply; }

#else

ComplexProductFunction product_function() { return nullptr; }

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace convoy::kernels::cpu {

HWY_EXPORT(product_function);

ComplexProductFunction find_complex_product() { return HWY_DYNAMIC_DISPATCH(product_function)(); }

}  // namespace convoy::kernels::cpu
#endif
