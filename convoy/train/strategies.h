// The catalog's entries: one function a file.
#pragma once

#include "convoy/train/strategy.h"

namespace convoy::train {

// Synchronous SGD: every step sees the gradient of the whole minibatch at the newest weights.
StrategyKind sync_kind();

}  // namespace convoy::train
