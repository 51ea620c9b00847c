// Complex transforms of 2 to 96 points on vectors, in straight lines up to 12 points. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_FFT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_FFT_INL_H
#undef CONVOY_KERNELS_CPU_FFT_INL_H
#else
#define CONVOY_KERNELS_CPU_FFT_INL_H
#endif

#include <utility>

#include "convoy/kernels/cpu/fft_twiddles.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using V = hn::Vec<F>;
inline constexpr int kLanes = HWY_TARGET <= HWY_AVX3 ? 16 : 8;

// Every index into a local array of vectors is a constant behind an integer sequence: GCC 12 keeps such
// arrays in registers, and those indexed by a loop in memory.
template <int kCount>
using Indices = std::make_integer_sequence<int, kCount>;

// (re, im) *= root(k, n), at no cost for the roots that need no product.
template <int kK, int kN>
HWY_INLINE void multiply_by_root(V& re, V& im) {
  const F d;
  constexpr int k = kK % kN;
  const V r = re, i = im;
  if constexpr (k == 0) {
    return;
  } else if constexpr (4 * k == kN) {  // -i
    re = i;
    im = hn::Neg(r);
  } else if constexpr (2 * k == kN) {
    re = hn::Neg(r);
    im = hn::Neg(i);
  } else if constexpr (8 * k == kN) {
    const V h = hn::Set(d, 0.70710678F);
    re = hn::Mul(hn::Add(r, i), h);
    im = hn::Mul(hn::Sub(i, r), h);
  } else if constexpr (8 * k == 3 * kN) {
    const V h = hn::Set(d, 0.70710678F);
    re = hn::Mul(hn::Sub(i, r), h);
    im = hn::Mul(hn::Add(r, i), hn::Neg(h));
  } else {
    constexpr Root root = root_of_unity(k, kN);
    const V c = hn::Set(d, static_cast<float>(root.re)), s = hn::Set(d, static_cast<float>(root.im));
    re = hn::MulSub(r, c, hn::Mul(i, s));
    im = hn::MulAdd(r, s, hn::Mul(i, c));
  }
}

// run(re, im): the transform of kN points in place, in natural order:
//   X[k] = sum over j of x[j] root(j k, kN)
template <int kN>
struct Dft;

template <>
struct Dft<1> {
  static HWY_INLINE void run(V*, V*) {}
};

template <>
struct Dft<2> {
  static HWY_INLINE void run(V* re, V* im) {
    const V r = re[0], i = im[0];
    re[0] = hn::Add(r, re[1]);
    im[0] = hn::Add(i, im[1]);
    re[1] = hn::Sub(r, re[1]);
    im[1] = hn::Sub(i, im[1]);
  }
};

template <>
struct Dft<4> {
  static HWY_INLINE void run(V* re, V* im) {
    const V ar = hn::Add(re[0], re[2]), ai = hn::Add(im[0], im[2]);
    const V br = hn::Sub(re[0], re[2]), bi = hn::Sub(im[0], im[2]);
    const V cr = hn::Add(re[1], re[3]), ci = hn::Add(im[1], im[3]);
    const V dr = hn::Sub(re[1], re[3]), di = hn::Sub(im[1], im[3]);
    re[0] = hn::Add(ar, cr);
    im[0] = hn::Add(ai, ci);
    re[1] = hn::Add(br, di);
    im[1] = hn::Sub(bi, dr);
    re[2] = hn::Sub(ar, cr);
    im[2] = hn::Sub(ai, ci);
    re[3] = hn::Sub(br, di);
    im[3] = hn::Add(bi, dr);
  }
};

// An odd prime number of points by the symmetry of the roots: with t = x[j] + x[P-j] and d = x[j] - x[P-j],
//   X[k], X[P-k] = x[0] + sum over j of cos(2 pi jk/P) t_j  -/+  i sum over j of sin(2 pi jk/P) d_j
template <int kP>
struct PrimeDft {
  static constexpr int kHalf = (kP - 1) / 2;

  static HWY_INLINE void run(V* re, V* im) { run(re, im, Indices<kHalf>{}); }

 private:
  template <int... kJ>
  static HWY_INLINE void run(V* re, V* im, std::integer_sequence<int, kJ...> all) {
    const V tr[kHalf] = {hn::Add(re[kJ + 1], re[kP - 1 - kJ])...};
    const V ti[kHalf] = {hn::Add(im[kJ + 1], im[kP - 1 - kJ])...};
    const V dr[kHalf] = {hn::Sub(re[kJ + 1], re[kP - 1 - kJ])...};
    const V di[kHalf] = {hn::Sub(im[kJ + 1], im[kP - 1 - kJ])...};
    const V r = re[0], i = im[0];
    ((re[0] = hn::Add(re[0], tr[kJ]), im[0] = hn::Add(im[0], ti[kJ])), ...);
    (pair<kJ + 1>(re, im, r, i, tr, ti, dr, di, all), ...);
  }

  // Elements kK and kP - kK.
  template <int kK, int... kJ>
  static HWY_INLINE void pair(V* re, V* im, V r, V i, const V* tr, const V* ti, const V* dr, const V* di,
                              std::integer_sequence<int, kJ...>) {
    const F d;
    constexpr Root first = root_of_unity(kK, kP);
    V br = hn::Mul(di[0], hn::Set(d, static_cast<float>(-first.im)));
    V bi = hn::Mul(dr[0], hn::Set(d, static_cast<float>(-first.im)));
    V ar = hn::MulAdd(tr[0], hn::Set(d, static_cast<float>(first.re)), r);
    V ai = hn::MulAdd(ti[0], hn::Set(d, static_cast<float>(first.re)), i);
    (add_term<(kJ + 1) * kK, kJ>(ar, ai, br, bi, tr, ti, dr, di), ...);
    re[kK] = hn::Add(ar, br);
    im[kK] = hn::Sub(ai, bi);
    re[kP - kK] = hn::Sub(ar, br);
    im[kP - kK] = hn::Add(ai, bi);
  }

  template <int kTurn, int kJ>
  static HWY_INLINE void add_term(V& ar, V& ai, V& br, V& bi, const V* tr, const V* ti, const V* dr,
                                  const V* di) {
    if constexpr (kJ > 0) {
      const F d;
      constexpr Root root = root_of_unity(kTurn, kP);
      const V c = hn::Set(d, static_cast<float>(root.re)), s = hn::Set(d, static_cast<float>(-root.im));
      ar = hn::MulAdd(tr[kJ], c, ar);
      ai = hn::MulAdd(ti[kJ], c, ai);
      br = hn::MulAdd(di[kJ], s, br);
      bi = hn::MulAdd(dr[kJ], s, bi);
    }
  }
};

template <>
struct Dft<3> : PrimeDft<3> {};
template <>
struct Dft<5> : PrimeDft<5> {};
template <>
struct Dft<7> : PrimeDft<7> {};
template <>
struct Dft<11> : PrimeDft<11> {};

// Cooley and Tukey: with n = a B + b and k = j + A l,
//   X[j + A l] = sum over b of root(b l, B) root(b j, AB) sum over a of root(a j, A) x[a B + b]
template <int kA, int kB>
struct CooleyTukey {
  static HWY_INLINE void run(V* re, V* im) { run(re, im, Indices<kA>{}, Indices<kB>{}); }

 private:
  template <int... kJ, int... kL>
  static HWY_INLINE void run(V* re, V* im, std::integer_sequence<int, kJ...> js,
                             std::integer_sequence<int, kL...> ls) {
    V tr[kA * kB], ti[kA * kB];
    (first<kL>(re, im, tr, ti, js), ...);
    (second<kJ>(re, im, tr, ti, ls), ...);
  }
  template <int kBth, int... kJ>
  static HWY_INLINE void first(const V* re, const V* im, V* tr, V* ti, std::integer_sequence<int, kJ...>) {
    V xr[kA] = {re[kJ * kB + kBth]...}, xi[kA] = {im[kJ * kB + kBth]...};
    Dft<kA>::run(xr, xi);
    (multiply_by_root<kJ * kBth, kA * kB>(xr[kJ], xi[kJ]), ...);
    ((tr[kJ * kB + kBth] = xr[kJ], ti[kJ * kB + kBth] = xi[kJ]), ...);
  }
  template <int kJth, int... kL>
  static HWY_INLINE void second(V* re, V* im, const V* tr, const V* ti, std::integer_sequence<int, kL...>) {
    V xr[kB] = {tr[kJth * kB + kL]...}, xi[kB] = {ti[kJth * kB + kL]...};
    Dft<kB>::run(xr, xi);
    ((re[kJth + kA * kL] = xr[kL], im[kJth + kA * kL] = xi[kL]), ...);
  }
};

template <>
struct Dft<8> : CooleyTukey<4, 2> {};
template <>
struct Dft<9> : CooleyTukey<3, 3> {};

// Good and Thomas: coprime factors need no twiddles. x at (a B + b A) mod AB; X at the k that is j mod A and
// l mod B.
template <int kA, int kB>
struct GoodThomas {
  static HWY_INLINE void run(V* re, V* im) { run(re, im, Indices<kA>{}, Indices<kB>{}); }

 private:
  static constexpr int kN = kA * kB;
  static constexpr int from(int a, int b) { return (a * kB + b * kA) % kN; }
  static constexpr int to(int j, int l) {
    for (int k = 0; k < kN; ++k)
      if (k % kA == j && k % kB == l) return k;
    return -1;
  }
  template <int... kJ, int... kL>
  static HWY_INLINE void run(V* re, V* im, std::integer_sequence<int, kJ...> js,
                             std::integer_sequence<int, kL...> ls) {
    V tr[kN], ti[kN];
    (first<kL>(re, im, tr, ti, js), ...);
    (second<kJ>(re, im, tr, ti, ls), ...);
  }
  template <int kBth, int... kJ>
  static HWY_INLINE void first(const V* re, const V* im, V* tr, V* ti, std::integer_sequence<int, kJ...>) {
    V xr[kA] = {re[from(kJ, kBth)]...}, xi[kA] = {im[from(kJ, kBth)]...};
    Dft<kA>::run(xr, xi);
    ((tr[kJ * kB + kBth] = xr[kJ], ti[kJ * kB + kBth] = xi[kJ]), ...);
  }
  template <int kJth, int... kL>
  static HWY_INLINE void second(V* re, V* im, const V* tr, const V* ti, std::integer_sequence<int, kL...>) {
    V xr[kB] = {tr[kJth * kB + kL]...}, xi[kB] = {ti[kJth * kB + kL]...};
    Dft<kB>::run(xr, xi);
    ((re[to(kJth, kL)] = xr[kL], im[to(kJth, kL)] = xi[kL]), ...);
  }
};

template <>
struct Dft<6> : GoodThomas<3, 2> {};
template <>
struct Dft<10> : GoodThomas<5, 2> {};
template <>
struct Dft<12> : GoodThomas<3, 4> {};

// The transform of kA x kB points, from load(index, re, im) to store(index, re, im); `scratch` holds 2 kA kB
// vectors. Both steps are loops over straight-line transforms of kA and kB points.
template <int kA, int kB, class Load, class Store>
struct LongDft {
  const Load& load;
  const Store& store;
  float* scratch;

  HWY_INLINE void run() const { run(Indices<kA>{}, Indices<kB>{}); }

 private:
  template <int... kJ, int... kL>
  HWY_INLINE void run(std::integer_sequence<int, kJ...>, std::integer_sequence<int, kL...>) const {
    const F d;
    if constexpr (kB == 1) {
      V re[kA], im[kA];
      (load(kJ, re[kJ], im[kJ]), ...);
      Dft<kA>::run(re, im);
      (store(kJ, re[kJ], im[kJ]), ...);
    } else {
      const float* twiddle = kTwiddles<kA, kB>.values.data();
      for (int b = 0; b < kB; ++b, twiddle += 2 * kA) {
        V re[kA], im[kA];
        (load(kJ * kB + b, re[kJ], im[kJ]), ...);
        Dft<kA>::run(re, im);
        (put<kJ>(re[kJ], im[kJ], twiddle, scratch + 2 * kLanes * b), ...);
      }
      for (int j = 0; j < kA; ++j) {
        const float* from = scratch + 2 * kLanes * kB * j;
        V re[kB] = {hn::Load(d, from + 2 * kLanes * kL)...};
        V im[kB] = {hn::Load(d, from + 2 * kLanes * kL + kLanes)...};
        Dft<kB>::run(re, im);
        (store(j + kA * kL, re[kL], im[kL]), ...);
      }
    }
  }

  template <int kJ>
  static HWY_INLINE void put(V re, V im, const float* twiddle, float* to) {
    const F d;
    V r = re, i = im;
    if constexpr (kJ > 0) {
      const V c = hn::Set(d, twiddle[2 * kJ]), s = hn::Set(d, twiddle[2 * kJ + 1]);
      r = hn::MulSub(re, c, hn::Mul(im, s));
      i = hn::MulAdd(re, s, hn::Mul(im, c));
    }
    hn::Store(r, d, to + 2 * kLanes * kB * kJ);
    hn::Store(i, d, to + 2 * kLanes * kB * kJ + kLanes);
  }
};

#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
