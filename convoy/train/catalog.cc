#include <array>

#include "convoy/train/strategies.h"
#include "convoy/train/strategy.h"

namespace convoy::train {

std::span<const StrategyKind> strategy_catalog() {
  static const std::array kinds = {sync_kind()};
  return kinds;
}

}  // namespace convoy::train
