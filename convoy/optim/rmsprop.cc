// RMSProp.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/optim/rmsprop.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "convoy/optim/fused-inl.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::optim::HWY_NAMESPACE {

struct Rmsprop {
  Vector decay, rest, negative_rate, epsilon;
  HWY_INLINE void operator()(Vector& w, Vector g, Vector& s, Vector&) const {
    s = hn::MulAdd(hn::Mul(rest, g), g, hn::Mul(s, decay));
    w = hn::Add(w, hn::Div(hn::Mul(negative_rate, g), hn::Add(hn::Sqrt(s), epsilon)));
  }
};

void rmsprop(const UpdateRange& range, double decay, double epsilon) {
  update_all<1>(range, Rmsprop{broadcast(decay), broadcast(1 - decay), broadcast(-range.learning_rate),
                               broadcast(epsilon)});
}

}  // namespace convoy::optim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <memory>

#include "convoy/base/check.h"
#include "convoy/optim/reference.h"
#include "convoy/optim/rules.h"
#include "convoy/optim/settings.h"

namespace convoy::optim {
HWY_EXPORT(rmsprop);
namespace {

constexpr double kEpsilon = 1e-8;

class RmspropRule final : public UpdateRule {
 public:
  explicit RmspropRule(const UpdateConfig& config)
      : decay_(config.decay), epsilon_(epsilon_or(config.epsilon, kEpsilon)) {}
  std::string_view name() const override { return "rmsprop"; }
  UpdateScope scope() const override { return UpdateScope::element; }
  int slot_count() const override { return 1; }
  std::string_view slot_name(int) const override { return "square_mean"; }
  void update(const UpdateRange& range) const noexcept override {
    HWY_DYNAMIC_DISPATCH(rmsprop)(range, decay_, epsilon_);
  }

 private:
  double decay_, epsilon_;
};

base::Result<std::unique_ptr<UpdateRule>> make(const UpdateConfig& config) {
  if (auto fits = check_fraction("decay", config.decay); !fits) return fits.reason();
  if (auto fits = check_epsilon(config.epsilon); !fits) return fits.reason();
  return std::unique_ptr<UpdateRule>(std::make_unique<RmspropRule>(config));
}

void reference(const UpdateConfig& config, ReferenceElement& e) {
  const Bounded g = e.decayed_gradient();
  e.slots[0] = setting(config.decay) * e.slots[0] + setting(1 - config.decay) * g * g;
  e.weight = e.weight - setting(e.learning_rate) * g /
                            (sqrt(e.slots[0]) + setting(epsilon_or(config.epsilon, kEpsilon)));
}

}  // namespace

UpdateRuleKind rmsprop_kind() {
  return {"rmsprop", "s <- α s + (1 - α) g²; w <- w - η g / (√s + ε)", make, reference};
}

}  // namespace convoy::optim
#endif  // HWY_ONCE
