// Finds the first value of a store that is not finite.
#pragma once

#include <string>

#include "convoy/train/param_store.h"

namespace convoy::train {

// "conv1.weight[17] is nan", "conv1.weight[3] of optimiser slot 0 is inf", or empty where all parameters,
// state and slots are finite. One pass over memory.
std::string describe_non_finite(ParamStore& store);

}  // namespace convoy::train
