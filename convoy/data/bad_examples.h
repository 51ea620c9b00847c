// Examples that cannot be read: how many are put up with.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "convoy/base/error.h"

namespace convoy::data {

// Counts the bad examples of a run, each once, however often it is met. Thread-safe.
class BadExamples {
 public:
  // `limit`: so many are passed over; one more is an error.
  explicit BadExamples(std::int64_t limit) : limit_(limit) {}

  // Notes example `index` of a data set and logs a warning with the problem, or throws InputError with it
  // where there are more than the limit.
  void add(const std::string& dataset, std::int64_t index, const base::InputError& problem);

  std::int64_t count() const;

 private:
  std::int64_t limit_;
  mutable std::mutex mutex_;
  std::set<std::pair<std::string, std::int64_t>> known_;
};

}  // namespace convoy::data
