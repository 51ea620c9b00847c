// Products of matrices whose operands lie in panels of one vector, and a float32 GEMM built on them.
#pragma once

#include <cstdint>

namespace convoy::kernels::cpu {

// c[i, j] (+)= sum over t < depth of a[i, t] b[t, j], then + bias[j], then max(0, .) if asked for.
//
// With L = simd_lanes():
//   b   panels of L columns, a row of L floats a step t:
//         b + (j / L) b_panel_stride + block(t / L) + (t % L) L + j % L
//       where block(u) = b_blocks[u], or u L L when b_blocks is null.
//   c   panels of L columns: c + segment(i) + row(i) c_row_stride + (j / L) c_panel_stride + j % L.
//   a   see multiply_panels and multiply_panels_transposed.
// The rows i come in `segments` of `rows` each, whose places are segment * {a,c}_segment_stride. Strides
// count floats. A blocked activation nChw16c is such an operand as it lies: its pixels are rows of an `a`, or
// steps of a `b`, or rows of a `c`; so are weights OIhw16i16o as `b`.
struct PanelProduct {
  std::int64_t segments = 1;
  std::int64_t rows = 0;  // of a segment
  std::int64_t panels = 0;
  std::int64_t depth = 0;
  const float* a = nullptr;
  std::int64_t a_segment_stride = 0;
  std::int64_t a_block_stride = 0;
  const float* b = nullptr;
  std::int64_t b_panel_stride = 0;
  const std::int64_t* b_blocks = nullptr;
  float* c = nullptr;
  std::int64_t c_segment_stride = 0;
  std::int64_t c_row_stride = 0;
  std::int64_t c_panel_stride = 0;
  bool accumulate = false;      // c += instead of c =
  const float* bias = nullptr;  // `columns` values, no padding
  std::int64_t columns = 0;     // that have a bias; with `clip`, that exist in c
  bool clip = false;            // c ends at `columns`; else whole panels are written
  bool relu = false;
};

// a[i, t] at a + segment(i) + row(i) L + (t / L) a_block_stride + t % L: blocks of L steps, a row of L floats
// a row i. Panels are the outer loop, rows the inner one: a pair of b's panels (2 L depth floats) should fit
// the first cache and all of a the second. Runs in the calling thread; allocates nothing; the same product
// gives the same bits. Requires AVX2 or AVX-512 (ConvGeometry::of refuses others).
void multiply_panels(const PanelProduct& product) noexcept;

// The same for a[i, t] at a + segment(i) + row(i) + (t / L) a_block_stride + (t % L) L: a column of at most L
// floats a step t. Requires rows <= L.
void multiply_panels_transposed(const PanelProduct& product) noexcept;

// Rows and panels of one register tile here: {14, 2} with AVX-512, {6, 2} with AVX2.
struct RegisterTile {
  std::int64_t rows = 0;
  std::int64_t panels = 0;
};
RegisterTile register_tile();

// C (+)= op(A) op(B) in row-major arrays: op(A) is m x k, op(B) k x n, C m x n.
struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  std::int64_t a_stride = 0;  // floats between rows of A as stored
  bool a_transposed = false;  // A is stored k x m
  const float* b = nullptr;
  std::int64_t b_stride = 0;
  bool b_transposed = false;  // B is stored n x k
  float* c = nullptr;
  std::int64_t c_stride = 0;
  bool accumulate = false;
};

// Scratch of one gemm() by the calling thread's team, aligned to 64.
std::int64_t gemm_workspace_bytes(const Gemm& gemm);

// Runs on the compute team, split over rows and columns of C, never over k: the bits do not depend on the
// thread count. Error at most (k + 1) / 2 units of epsilon sum |a b|. Allocates nothing. Up to 48 rows B is
// read as it lies, once; beyond, blocks of both are packed. Source of the blocking: Goto and van de Geijn,
// Anatomy of High-Performance Matrix Multiplication (ACM TOMS 2008).
void gemm(const Gemm& gemm, void* workspace) noexcept;

}  // namespace convoy::kernels::cpu
