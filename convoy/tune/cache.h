// The tuning cache: what this machine's kernels were measured to take, kept between runs.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "convoy/machine/machine.h"
#include "convoy/plan/timings.h"
#include "convoy/tune/cache_file.h"

namespace convoy::tune {

// $XDG_CACHE_HOME/convoy/tune.json, else ~/.cache/convoy/tune.json; empty where there is no such place.
std::string default_cache_path();

// Reads the file once, remembers what is added, and store() brings both together. A file that cannot be read,
// or that has records of other machines or versions alone, counts as empty, with one warning that says why;
// an absent one without. Not thread-safe.
class Cache final : public plan::Timings {
 public:
  // An empty path: nothing is read and nothing stored.
  explicit Cache(std::string path, MachineKey machine = identify_machine());

  std::optional<double> seconds(const kernels::Problem& problem, std::string_view entry,
                                int threads) const override;
  // The measured machine for teams of that size; none where it was not probed, or so busy then that a smaller
  // team's peak is higher.
  std::optional<machine::Machine> machine(int threads) const;

  // Replaces what is known. A machine must be measured, and is one of this process's.
  void put(const kernels::Problem& problem, std::string_view entry, int threads, double seconds);
  void put(const machine::Machine& machine);

  // Merges what was added into the file, which another process may have changed since: under the lock of its
  // directory it is read anew, and replaced in one step. Of a kernel that both have timed, the file's time
  // stays unless `replace`, so that runs which planned by it can be repeated; of ceilings the higher ones
  // stay. Afterwards this object knows what the file does. Records of other machines stay, up to 16; those of
  // other versions on this machine go. Where the file cannot be written, one warning, and all goes on.
  void store(bool replace);

  const std::string& path() const { return path_; }
  bool has_news() const { return !news_.empty() || !new_ceilings_.empty(); }

 private:
  CacheContents read();
  void merge_into(MachineRecord& record, bool replace) const;
  void warn(const std::string& what);

  std::string path_;
  bool warned_ = false;
  MachineRecord record_;      // of this machine, file and news together
  std::set<TimingKey> news_;  // of record_.seconds: what the file does not have yet
  std::set<int> new_ceilings_;
};

}  // namespace convoy::tune
