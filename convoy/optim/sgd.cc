// Stochastic gradient descent.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/optim/sgd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "convoy/optim/fused-inl.h"

HWY_BEFORE_NAMESPACE();
namespace convoy::optim::HWY_NAMESPACE {

struct Sgd {
  Vector negative_rate;
  HWY_INLINE void operator()(Vector& w, Vector g, Vector&, Vector&) const {
    w = hn::MulAdd(negative_rate, g, w);
  }
};

void sgd(const UpdateRange& range) { update_all<0>(range, Sgd{broadcast(-range.learning_rate)}); }

}  // namespace convoy::optim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <memory>

#include "convoy/base/check.h"
#include "convoy/optim/reference.h"
#include "convoy/optim/rules.h"
#include "convoy/optim/settings.h"

namespace convoy::optim {
HWY_EXPORT(sgd);
namespace {

class SgdRule final : public UpdateRule {
 public:
  std::string_view name() const override { return "sgd"; }
  UpdateScope scope() const override { return UpdateScope::element; }
  int slot_count() const override { return 0; }
  std::string_view slot_name(int slot) const override { CONVOY_CHECK(false, "sgd has no slot ", slot); }
  void update(const UpdateRange& range) const noexcept override { HWY_DYNAMIC_DISPATCH(sgd)(range); }
};

base::Result<std::unique_ptr<UpdateRule>> make(const UpdateConfig&) {
  return std::unique_ptr<UpdateRule>(std::make_unique<SgdRule>());
}

void reference(const UpdateConfig&, ReferenceElement& e) {
  e.weight = e.weight - setting(e.learning_rate) * e.decayed_gradient();
}

}  // namespace

UpdateRuleKind sgd_kind() { return {"sgd", "w <- w - η g", make, reference}; }

}  // namespace convoy::optim
#endif  // HWY_ONCE
