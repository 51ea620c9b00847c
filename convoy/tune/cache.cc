#include "convoy/tune/cache.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/base/log.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/directory_lock.h"
#include "convoy/io/file.h"
#include "convoy/tune/problem_text.h"
#include "convoy/tune/processor.h"

namespace convoy::tune {
namespace {

constexpr std::size_t kMaxMachines = 16;
constexpr std::size_t kMaxTimings = 100'000;  // a few megabytes more than any model needs
constexpr std::int64_t kMaxFile_bytes = std::int64_t{64} << 20;
constexpr auto kLockDeadline = std::chrono::seconds(10);
constexpr auto kLockPause = std::chrono::milliseconds(10);

// A writer holds the lock for milliseconds, so whoever meets one waits. Throws FileError where the lock
// cannot be made; refuses with the holder's name after the deadline.
base::Result<io::DirectoryLock> wait_for_lock(const std::string& directory) {
  const auto deadline = std::chrono::steady_clock::now() + kLockDeadline;
  for (;;) {
    auto lock = io::DirectoryLock::acquire(directory);
    if (lock || std::chrono::steady_clock::now() >= deadline) return lock;
    std::this_thread::sleep_for(kLockPause);
  }
}

Ceilings higher(const Ceilings& a, const Ceilings& b) {
  return {.f32_flops = std::max(a.f32_flops, b.f32_flops),
          .memory_bandwidth = std::max(a.memory_bandwidth, b.memory_bandwidth),
          .cache_bandwidth = std::max(a.cache_bandwidth, b.cache_bandwidth),
          .dispatch_seconds = std::min(a.dispatch_seconds, b.dispatch_seconds),
          .cache_bytes = std::max(a.cache_bytes, b.cache_bytes)};
}

}  // namespace

std::string default_cache_path() {
  const std::string directory = io::cache_directory();
  return directory.empty() ? std::string() : io::join_path(directory, "tune.json");
}

Cache::Cache(std::string path, MachineKey machine) : path_(std::move(path)) {
  record_.machine = std::move(machine);
  if (path_.empty()) return;
  const CacheContents contents = read();
  if (const MachineRecord* mine = contents.find(record_.machine))
    record_ = *mine;
  else if (!contents.machines.empty())
    warn(base::str("tuning cache ", path_, ": was written on another machine or by other versions (",
                   contents.machines.back().machine.str(), "); ignoring it, and measuring anew"));
}

void Cache::warn(const std::string& what) {
  if (!std::exchange(warned_, true)) base::log(base::LogLevel::warning, what);
}

CacheContents Cache::read() {
  if (!io::file_exists(path_)) return {};
  std::string problem;
  try {
    auto contents = parse_cache(io::read_file(path_, kMaxFile_bytes));
    if (contents) return std::move(contents).value();
    problem = base::str(path_, ": ", contents.reason().text);
  } catch (const base::Error& error) {
    problem = error.what();
  }
  warn(base::str("tuning cache ", problem, "; ignoring it, and measuring anew"));
  return {};
}

std::optional<double> Cache::seconds(const kernels::Problem& problem, std::string_view entry,
                                     int threads) const {
  const auto found = record_.seconds.find({problem_text(problem), threads, std::string(entry)});
  return found == record_.seconds.end() ? std::nullopt : std::optional(found->second);
}

std::optional<machine::Machine> Cache::machine(int threads) const {
  const auto found = record_.ceilings.find(threads);
  if (found == record_.ceilings.end()) return std::nullopt;
  const Ceilings& c = found->second;
  for (auto fewer = record_.ceilings.begin(); fewer != found; ++fewer)
    if (fewer->second.f32_flops > c.f32_flops) return std::nullopt;
  machine::Machine machine = describe_machine(threads);
  machine.source = "measured";
  machine.f32_flops = c.f32_flops;
  machine.memory_bandwidth = c.memory_bandwidth;
  machine.cache_bandwidth = c.cache_bandwidth;
  machine.cache_bytes = c.cache_bytes;
  machine.dispatch_seconds = c.dispatch_seconds;
  return machine;
}

void Cache::put(const kernels::Problem& problem, std::string_view entry, int threads, double seconds) {
  CONVOY_CHECK(seconds > 0, entry, " takes ", seconds, " s");
  const TimingKey key{problem_text(problem), threads, std::string(entry)};
  record_.seconds[key] = seconds;
  news_.insert(key);
}

void Cache::put(const machine::Machine& machine) {
  CONVOY_CHECK(machine.source == "measured", "figures of a machine that are ", machine.source);
  record_.ceilings[machine.threads] = {.f32_flops = machine.f32_flops,
                                       .memory_bandwidth = machine.memory_bandwidth,
                                       .cache_bandwidth = machine.cache_bandwidth,
                                       .dispatch_seconds = machine.dispatch_seconds,
                                       .cache_bytes = machine.cache_bytes};
  new_ceilings_.insert(machine.threads);
}

void Cache::merge_into(MachineRecord& record, bool replace) const {
  if (record.seconds.size() + news_.size() > kMaxTimings) record.seconds.clear();
  for (const TimingKey& key : news_) {
    const double seconds = record_.seconds.at(key);
    if (replace)
      record.seconds[key] = seconds;
    else
      record.seconds.try_emplace(key, seconds);
  }
  for (const int threads : new_ceilings_) {
    const Ceilings& mine = record_.ceilings.at(threads);
    const auto [place, is_new] = record.ceilings.try_emplace(threads, mine);
    if (!is_new) place->second = higher(place->second, mine);
  }
}

void Cache::store(bool replace) {
  if (path_.empty() || !has_news()) return;
  try {
    const std::string directory = io::parent_directory(path_);
    io::make_directories(directory);
    const auto lock = wait_for_lock(directory);
    if (!lock) return warn(base::str("the measured times are not kept: ", lock.reason().text));
    io::remove_abandoned_temporaries(directory);
    CacheContents contents = read();
    MachineRecord record{.machine = record_.machine};
    if (const MachineRecord* known = contents.find(record_.machine)) record = *known;
    merge_into(record, replace);
    std::erase_if(contents.machines,
                  [&](const MachineRecord& other) { return other.machine.same_machine(record_.machine); });
    if (contents.machines.size() >= kMaxMachines)
      contents.machines.erase(contents.machines.begin(),
                              contents.machines.end() - static_cast<std::ptrdiff_t>(kMaxMachines - 1));
    contents.machines.push_back(record);
    io::write_file_atomically(path_, print_cache(contents));
    record_ = std::move(record);
    news_.clear();
    new_ceilings_.clear();
  } catch (const base::FileError& error) {
    warn(base::str("the measured times are not kept: ", error.what()));
  }
}

}  // namespace convoy::tune
