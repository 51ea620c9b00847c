#include <array>
#include <string>

#include "convoy/optim/rules.h"
#include "convoy/optim/update_rule.h"

namespace convoy::optim {

std::span<const UpdateRuleKind> update_rule_catalog() {
  static const std::array kinds = {sgd_kind(),     momentum_kind(), nesterov_kind(),
                                   adagrad_kind(), rmsprop_kind(),  adam_kind()};
  return kinds;
}

base::Result<std::unique_ptr<UpdateRule>> make_update_rule(std::string_view name,
                                                           const UpdateConfig& config) {
  std::string known;
  for (const UpdateRuleKind& kind : update_rule_catalog()) {
    if (kind.name == name) return kind.make(config);
    known += known.empty() ? "" : ", ";
    known += kind.name;
  }
  return base::Reason{"there is no update rule \"" + std::string(name) + "\"; there are " + known};
}

}  // namespace convoy::optim
