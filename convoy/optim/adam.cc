// Adam with bias correction.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/optim/adam.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>

#include "convoy/optim/fused-inl.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::optim::HWY_NAMESPACE {

struct Adam {
  Vector beta1, rest1, beta2, rest2, root_correction, negative_rate, epsilon;
  HWY_INLINE void operator()(Vector& w, Vector g, Vector& m, Vector& s) const {
    m = hn::MulAdd(rest1, g, hn::Mul(m, beta1));
    s = hn::MulAdd(hn::Mul(rest2, g), g, hn::Mul(s, beta2));
    const Vector denominator = hn::Add(hn::Div(hn::Sqrt(s), root_correction), epsilon);
    w = hn::Add(w, hn::Div(hn::Mul(negative_rate, m), denominator));
  }
};

void adam(const UpdateRange& range, const UpdateConfig& config) {
  const double t = static_cast<double>(range.step + 1);
  const double rate = range.learning_rate / (1 - std::pow(config.beta1, t));
  const double root_correction = std::sqrt(1 - std::pow(config.beta2, t));
  update_all<2>(range, Adam{broadcast(config.beta1), broadcast(1 - config.beta1), broadcast(config.beta2),
                            broadcast(1 - config.beta2), broadcast(root_correction), broadcast(-rate),
                            broadcast(config.epsilon)});
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
HWY_EXPORT(adam);
namespace {

constexpr double kEpsilon = 1e-8;

class AdamRule final : public UpdateRule {
 public:
  explicit AdamRule(const UpdateConfig& config) : config_(config) {
    config_.epsilon = epsilon_or(config.epsilon, kEpsilon);
  }
  std::string_view name() const override { return "adam"; }
  UpdateScope scope() const override { return UpdateScope::element; }
  int slot_count() const override { return 2; }
  std::string_view slot_name(int slot) const override { return slot == 0 ? "mean" : "square_mean"; }
  void update(const UpdateRange& range) const noexcept override {
    HWY_DYNAMIC_DISPATCH(adam)(range, config_);
  }

 private:
  UpdateConfig config_;
};

base::Result<std::unique_ptr<UpdateRule>> make(const UpdateConfig& config) {
  if (auto fits = check_fraction("beta1", config.beta1); !fits) return fits.reason();
  if (auto fits = check_fraction("beta2", config.beta2); !fits) return fits.reason();
  if (auto fits = check_epsilon(config.epsilon); !fits) return fits.reason();
  return std::unique_ptr<UpdateRule>(std::make_unique<AdamRule>(config));
}

void reference(const UpdateConfig& config, ReferenceElement& e) {
  const Bounded g = e.decayed_gradient();
  Bounded& m = e.slots[0];
  Bounded& s = e.slots[1];
  m = setting(config.beta1) * m + setting(1 - config.beta1) * g;
  s = setting(config.beta2) * s + setting(1 - config.beta2) * g * g;
  const double t = static_cast<double>(e.step + 1);
  const Bounded rate = setting(e.learning_rate / (1 - std::pow(config.beta1, t)));
  const Bounded root = setting(std::sqrt(1 - std::pow(config.beta2, t)));
  e.weight = e.weight - rate * m / (sqrt(s) / root + setting(epsilon_or(config.epsilon, kEpsilon)));
}

}  // namespace

UpdateRuleKind adam_kind() {
  return {"adam", "m <- β₁ m + (1 - β₁) g; s <- β₂ s + (1 - β₂) g²; w <- w - η m̂ / (√ŝ + ε)", make,
          reference};
}

}  // namespace convoy::optim
#endif  // HWY_ONCE
