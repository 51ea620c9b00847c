// Nesterov's momentum, in PyTorch's form: the gradient is taken at the weights themselves.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/optim/nesterov.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "convoy/optim/fused-inl.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::optim::HWY_NAMESPACE {

struct Nesterov {
  Vector mu, negative_rate;
  HWY_INLINE void operator()(Vector& w, Vector g, Vector& v, Vector&) const {
    v = hn::Add(hn::Mul(mu, v), g);
    w = hn::MulAdd(negative_rate, hn::MulAdd(mu, v, g), w);
  }
};

void nesterov(const UpdateRange& range, double mu) {
  update_all<1>(range, Nesterov{broadcast(mu), broadcast(-range.learning_rate)});
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
HWY_EXPORT(nesterov);
namespace {

class NesterovRule final : public UpdateRule {
 public:
  explicit NesterovRule(double mu) : mu_(mu) {}
  std::string_view name() const override { return "nesterov"; }
  UpdateScope scope() const override { return UpdateScope::element; }
  int slot_count() const override { return 1; }
  std::string_view slot_name(int) const override { return "momentum"; }
  void update(const UpdateRange& range) const noexcept override {
    HWY_DYNAMIC_DISPATCH(nesterov)(range, mu_);
  }

 private:
  double mu_;
};

base::Result<std::unique_ptr<UpdateRule>> make(const UpdateConfig& config) {
  if (auto fits = check_fraction("momentum", config.momentum); !fits) return fits.reason();
  return std::unique_ptr<UpdateRule>(std::make_unique<NesterovRule>(config.momentum));
}

void reference(const UpdateConfig& config, ReferenceElement& e) {
  const Bounded mu = setting(config.momentum), g = e.decayed_gradient();
  e.slots[0] = mu * e.slots[0] + g;
  e.weight = e.weight - setting(e.learning_rate) * (g + mu * e.slots[0]);
}

}  // namespace

UpdateRuleKind nesterov_kind() { return {"nesterov", "v <- μ v + g; w <- w - η (g + μ v)", make, reference}; }

}  // namespace convoy::optim
#endif  // HWY_ONCE
