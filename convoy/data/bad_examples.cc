#include "convoy/data/bad_examples.h"

#include "convoy/base/check.h"
#include "convoy/base/log.h"

namespace convoy::data {

void BadExamples::add(const std::string& dataset, std::int64_t index, const base::InputError& problem) {
  const std::lock_guard lock(mutex_);
  if (known_.contains({dataset, index})) return;
  const auto count = std::ssize(known_) + 1;
  if (count > limit_) {
    const std::string file = problem.file(), what = problem.what();
    throw base::InputError(
        file, base::str(what.substr(std::min(what.size(), file.size() + 2)), "; it is bad example ", count,
                        ", and --max-bad ", limit_, " passes over ", limit_ == 0 ? "none" : "no more"));
  }
  known_.emplace(dataset, index);
  base::log(base::LogLevel::warning,
            base::str("passed over, ", count, " of at most ", limit_, ": ", problem.what()));
}

std::int64_t BadExamples::count() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(known_);
}

}  // namespace convoy::data
