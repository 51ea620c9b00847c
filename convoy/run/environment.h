// The circumstances of a run, for whoever wants to repeat it.
#pragma once

#include "convoy/io/json.h"
#include "convoy/plan/plan.h"
#include "convoy/run/config.h"

namespace convoy::run {

// Versions, compiler, processor and instruction set, team, launcher and seed: the contents of env.json.
io::Json describe_environment(const RunConfig& config, const plan::Plan& plan);

}  // namespace convoy::run
