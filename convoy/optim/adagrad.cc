// Adagrad.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/optim/adagrad.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "convoy/optim/fused-inl.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::optim::HWY_NAMESPACE {

struct Adagrad {
  Vector negative_rate, epsilon;
  HWY_INLINE void operator()(Vector& w, Vector g, Vector& s, Vector&) const {
    s = hn::MulAdd(g, g, s);
    w = hn::Add(w, hn::Div(hn::Mul(negative_rate, g), hn::Add(hn::Sqrt(s), epsilon)));
  }
};

void adagrad(const UpdateRange& range, double epsilon) {
  update_all<1>(range, Adagrad{broadcast(-range.learning_rate), broadcast(epsilon)});
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
HWY_EXPORT(adagrad);
namespace {

constexpr double kEpsilon = 1e-10;

class AdagradRule final : public UpdateRule {
 public:
  explicit AdagradRule(const UpdateConfig& config)
      : epsilon_(epsilon_or(config.epsilon, kEpsilon)),
        initial_(static_cast<float>(config.initial_accumulator)) {}
  std::string_view name() const override { return "adagrad"; }
  UpdateScope scope() const override { return UpdateScope::element; }
  int slot_count() const override { return 1; }
  std::string_view slot_name(int) const override { return "square_sum"; }
  float initial_slot_value() const override { return initial_; }
  void update(const UpdateRange& range) const noexcept override {
    HWY_DYNAMIC_DISPATCH(adagrad)(range, epsilon_);
  }

 private:
  double epsilon_;
  float initial_;
};

base::Result<std::unique_ptr<UpdateRule>> make(const UpdateConfig& config) {
  if (auto fits = check_epsilon(config.epsilon); !fits) return fits.reason();
  if (auto fits = check_not_negative("initial accumulator", config.initial_accumulator); !fits)
    return fits.reason();
  return std::unique_ptr<UpdateRule>(std::make_unique<AdagradRule>(config));
}

void reference(const UpdateConfig& config, ReferenceElement& e) {
  const Bounded g = e.decayed_gradient();
  e.slots[0] = e.slots[0] + g * g;
  e.weight = e.weight - setting(e.learning_rate) * g /
                            (sqrt(e.slots[0]) + setting(epsilon_or(config.epsilon, kEpsilon)));
}

}  // namespace

UpdateRuleKind adagrad_kind() { return {"adagrad", "s <- s + g²; w <- w - η g / (√s + ε)", make, reference}; }

}  // namespace convoy::optim
#endif  // HWY_ONCE
