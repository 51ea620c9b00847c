// Gradient descent with momentum, in PyTorch's form: the learning rate is outside the running sum.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/optim/momentum.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "convoy/optim/fused-inl.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::optim::HWY_NAMESPACE {

struct Momentum {
  Vector mu, negative_rate;
  HWY_INLINE void operator()(Vector& w, Vector g, Vector& v, Vector&) const {
    v = hn::Add(hn::Mul(mu, v), g);  // two roundings, as PyTorch's two calls have
    w = hn::MulAdd(negative_rate, v, w);
  }
};

void momentum(const UpdateRange& range, double mu) {
  update_all<1>(range, Momentum{broadcast(mu), broadcast(-range.learning_rate)});
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
HWY_EXPORT(momentum);
namespace {

class MomentumRule final : public UpdateRule {
 public:
  explicit MomentumRule(double mu) : mu_(mu) {}
  std::string_view name() const override { return "momentum"; }
  UpdateScope scope() const override { return UpdateScope::element; }
  int slot_count() const override { return 1; }
  std::string_view slot_name(int) const override { return "momentum"; }
  void update(const UpdateRange& range) const noexcept override {
    HWY_DYNAMIC_DISPATCH(momentum)(range, mu_);
  }

 private:
  double mu_;
};

base::Result<std::unique_ptr<UpdateRule>> make(const UpdateConfig& config) {
  if (auto fits = check_fraction("momentum", config.momentum); !fits) return fits.reason();
  return std::unique_ptr<UpdateRule>(std::make_unique<MomentumRule>(config.momentum));
}

void reference(const UpdateConfig& config, ReferenceElement& e) {
  e.slots[0] = setting(config.momentum) * e.slots[0] + e.decayed_gradient();
  e.weight = e.weight - setting(e.learning_rate) * e.slots[0];
}

}  // namespace

UpdateRuleKind momentum_kind() { return {"momentum", "v <- μ v + g; w <- w - η v", make, reference}; }

}  // namespace convoy::optim
#endif  // HWY_ONCE
