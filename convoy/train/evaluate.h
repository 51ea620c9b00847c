// One pass over a data set: how good the parameters are.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/data/batch_source.h"
#include "convoy/optim/objective.h"

namespace convoy::train {

// Of this rank's part of the data set.
struct EvalResult {
  std::int64_t samples = 0;
  std::int64_t correct = 0;
  double loss = 0;                      // mean over the data set; ranks' losses add up
  std::int64_t classes = 0;             // 0: no confusion was asked for
  std::vector<std::int64_t> confusion;  // classes × classes, row = label, column = largest output

  double accuracy() const;  // correct / samples; 0 where there are none
  std::int64_t confusion_at(std::int64_t label, std::int64_t predicted) const;
};

// Evaluates steps 0 to steps_per_epoch() - 1 of `batches` with Mode::loss. `classes` > 0 also counts
// confusions: the objective must then have that many outputs, and the batches labels below it. Where two
// outputs are equally large the first one counts. Parameters and state are not changed.
EvalResult evaluate(optim::Objective& objective, optim::ParamSource& params, data::BatchSource& batches,
                    std::int64_t classes = 0);

}  // namespace convoy::train
