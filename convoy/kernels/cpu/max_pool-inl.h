// The four taps of a 2x2 window in vector lanes, for the sources of max pooling. Compiled once a target.
#if defined(CONVOY_KERNELS_CPU_MAX_POOL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef CONVOY_KERNELS_CPU_MAX_POOL_INL_H
#undef CONVOY_KERNELS_CPU_MAX_POOL_INL_H
#else
#define CONVOY_KERNELS_CPU_MAX_POOL_INL_H
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

// The taps of one window a lane, in row-major order.
template <class V>
struct Taps {
  V top_left, top_right, bottom_left, bottom_right;
};

template <class D, class V>
HWY_INLINE void store_max(D d, const Taps<V>& t, float* y) {
  namespace hn = hwy::HWY_NAMESPACE;
  hn::StoreU(hn::Max(hn::Max(t.top_left, t.top_right), hn::Max(t.bottom_left, t.bottom_right)), d, y);
}

// And which tap it was, 0 to 3; the first of equal ones.
template <class D, class V>
HWY_INLINE void store_max_and_winner(D d, const Taps<V>& t, float* y, std::uint8_t* winner) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<std::uint8_t, D> d8;
  const auto right_top = hn::Gt(t.top_right, t.top_left);
  const auto right_bottom = hn::Gt(t.bottom_right, t.bottom_left);
  const auto upper = hn::IfThenElse(right_top, t.top_right, t.top_left);
  const auto lower = hn::IfThenElse(right_bottom, t.bottom_right, t.bottom_left);
  const auto low = hn::Gt(lower, upper);
  hn::StoreU(hn::IfThenElse(low, lower, upper), d, y);
  const auto one = hn::Set(di, 1), two = hn::Set(di, 2);
  const auto upper_tap = hn::IfThenElseZero(hn::RebindMask(di, right_top), one);
  const auto lower_tap = hn::Add(hn::IfThenElseZero(hn::RebindMask(di, right_bottom), one), two);
  const auto tap = hn::IfThenElse(hn::RebindMask(di, low), lower_tap, upper_tap);
  hn::StoreU(hn::DemoteTo(d8, tap), d8, winner);
}

// The gradient where tap r won, zero elsewhere.
template <class D, class V>
HWY_INLINE V share_of_tap(D d, V gradient, const std::uint8_t* winner, std::int32_t r) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<std::uint8_t, D> d8;
  const auto tap = hn::PromoteTo(di, hn::LoadU(d8, winner));
  return hn::IfThenElseZero(hn::RebindMask(d, hn::Eq(tap, hn::Set(di, r))), gradient);
}

// One window's result from four numbers.
HWY_INLINE std::uint8_t winner_of(const float (&taps)[4]) {
  std::uint8_t best = 0;
  for (std::uint8_t r = 1; r < 4; ++r)
    if (taps[r] > taps[best]) best = r;
  return best;
}

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // the target's own guard
