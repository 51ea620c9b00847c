// Products with Winograd's matrices, unrolled at compile time, on vectors of channels. Included once a
// target.
//
// Points come in pairs +-a. Rows j and j + 1 of B^T and G that belong to a pair have even coefficients in
// common and odd ones with opposite signs: e = sum of the even, o = sum of the odd terms, rows e + o and e -
// o, which halves the work. In A^T the columns of a pair do: s = m[j] + m[j+1] serves the even rows and t =
// m[j] - m[j+1] the odd ones. F(4x4, 3x3) then takes 12 operations for six inputs and 10 for its four
// outputs, as many as formulas tuned by hand.
#if defined(CONVOY_KERNELS_CPU_WINOGRAD_APPLY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_WINOGRAD_APPLY_INL_H_
#undef CONVOY_KERNELS_CPU_WINOGRAD_APPLY_INL_H_
#else
#define CONVOY_KERNELS_CPU_WINOGRAD_APPLY_INL_H_
#endif

#include <cstdint>
#include <utility>

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

// The row of B^T and G, or column of A^T, where pairs begin: 1 behind the point 0, if there is one.
constexpr int pairs_begin(int points) { return has_zero_point(points - 1) ? 1 : 0; }

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

// y = M x for B^T and G: the rows of 0 and of infinity, the last, alone, the others in pairs.
template <class M, int i>
HWY_INLINE void analyse_rows(const Vector* HWY_RESTRICT x, Vector* HWY_RESTRICT y) {
  if constexpr (i < pairs_begin(kRowsOf<M>) || i == kRowsOf<M> - 1) {
    constexpr Rational kLead = lead_coefficient<M, i, Part::all>();
    y[i] = times<kLead.numerator, kLead.denominator>(row_part<M, i, Part::all>(x));
    if constexpr (i < kRowsOf<M> - 1) analyse_rows<M, i + 1>(x, y);
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
  constexpr int kColumn = pairs_begin(kColumnsOf<M>) + 2 * pair;
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
    constexpr int kFirst = pairs_begin(kColumnsOf<M>);
    static_assert(M::kMatrix(i, kFirst) == Rational(1), "the first pair of points is +-1");
    const Vector first = i % 2 == 0 ? sums[0] : differences[0];
    Vector sum = i == 0 && kFirst == 1 ? hn::Add(first, x[0]) : first;
    sum = add_pairs<M, i, 1>(sum, sums, differences);
    if constexpr (i == kRowsOf<M> - 1) sum = hn::Add(sum, x[kLast]);
    y[i] = sum;
    synthesise_rows<M, i + 1>(x, sums, differences, y);
  }
}
template <int begin, int pair, int pairs>
HWY_INLINE void fold_pairs(const Vector* HWY_RESTRICT x, Vector* HWY_RESTRICT sums,
                           Vector* HWY_RESTRICT differences) {
  if constexpr (pair < pairs) {
    sums[pair] = hn::Add(x[begin + 2 * pair], x[begin + 2 * pair + 1]);
    differences[pair] = hn::Sub(x[begin + 2 * pair], x[begin + 2 * pair + 1]);
    fold_pairs<begin, pair + 1, pairs>(x, sums, differences);
  }
}

// y = M x. M is B^T or G (it has at least as many rows as columns), or A^T.
template <class M>
HWY_INLINE void apply(const Vector* HWY_RESTRICT x, Vector* HWY_RESTRICT y) {
  if constexpr (kRowsOf<M> >= kColumnsOf<M>) {
    analyse_rows<M, 0>(x, y);
  } else {
    constexpr int kBegin = pairs_begin(kColumnsOf<M>), kPairs = (kColumnsOf<M> - 1 - kBegin) / 2;
    Vector sums[kPairs], differences[kPairs];
    fold_pairs<kBegin, 0, kPairs>(x, sums, differences);
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

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
