#include "convoy/tune/cache_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/base/version.h"
#include "convoy/io/json.h"
#include "convoy/kernels/versions.h"
#include "convoy/tune/processor.h"

namespace convoy::tune {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr int kMaxThreads = 4096;
constexpr double kMostSeconds = 1e6;

using io::Json;

// Bad contents, caught by parse_cache().
[[noreturn]] void refuse(const std::string& problem) { throw base::InputError("tune", problem); }

double positive(const Json& value, std::string_view what, double most) {
  if (!value.is_number()) refuse(base::str("'", what, "' is no number"));
  const double number = value.as_double();
  if (!(number > 0 && number <= most)) refuse(base::str("'", what, "' is out of range"));
  return number;
}

double member(const Json& object, const char* name, double most) {
  return positive(io::require_member(object, name, "tune"), name, most);
}

int thread_count(std::string_view text) {
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  // One way to write a number, so that two members cannot mean the same.
  if (error != std::errc() || end != text.data() + text.size() || threads < 1 || threads > kMaxThreads ||
      std::to_string(threads) != text)
    refuse("a number of threads is expected as a member's name");
  return threads;
}

const Json::Object& members(const Json& object, const char* name) {
  return io::require_object(object, name, "tune").as_object();
}

MachineKey read_machine(const Json& object) {
  MachineKey machine{.cpu = io::require_string(object, "cpu", "tune"),
                     .isa = io::require_string(object, "isa", "tune")};
  const std::int64_t processors = io::require_int64(object, "processors", "tune");
  if (processors < 1 || processors > 1 << 20) refuse("'processors' is out of range");
  machine.processors = static_cast<int>(processors);
  for (const auto& [name, version] : members(object, "libraries")) {
    if (!version.is_string()) refuse("the version of a library is no text");
    machine.libraries[name] = version.as_string();
  }
  return machine;
}

Ceilings read_ceilings(const Json& object) {
  Ceilings c{.f32_flops = member(object, "f32_flops", 1e18),
             .memory_bandwidth = member(object, "memory_bandwidth", 1e18),
             .cache_bandwidth = member(object, "cache_bandwidth", 1e18),
             .dispatch_seconds = member(object, "dispatch_seconds", 1)};
  c.cache_bytes = io::require_int64(object, "cache_bytes", "tune");
  if (c.cache_bytes < 1 || c.cache_bytes > std::int64_t{1} << 48) refuse("'cache_bytes' is out of range");
  return c;
}

MachineRecord read_record(const Json& object) {
  MachineRecord record{.machine = read_machine(object)};
  for (const auto& [threads, ceilings] : members(object, "ceilings"))
    record.ceilings[thread_count(threads)] = read_ceilings(ceilings);
  for (const auto& [problem, teams] : members(object, "seconds")) {
    if (!teams.is_object()) refuse("'seconds' holds something else than objects");
    for (const auto& [team, entries] : teams.as_object()) {
      const int threads = thread_count(team);
      if (!entries.is_object()) refuse("'seconds' holds something else than objects of objects");
      for (const auto& [entry, seconds] : entries.as_object())
        record.seconds[{problem, threads, entry}] = positive(seconds, "seconds", kMostSeconds);
    }
  }
  return record;
}

Json ceilings_json(const MachineRecord& record) {
  Json all = Json::object();
  for (const auto& [threads, c] : record.ceilings)
    all.set(std::to_string(threads), Json::object({{"f32_flops", c.f32_flops},
                                                   {"memory_bandwidth", c.memory_bandwidth},
                                                   {"cache_bandwidth", c.cache_bandwidth},
                                                   {"dispatch_seconds", c.dispatch_seconds},
                                                   {"cache_bytes", c.cache_bytes}}));
  return all;
}

// Ordered by problem, then team: one walk builds the tree without searching it.
Json seconds_json(const MachineRecord& record) {
  Json::Object problems;
  for (auto at = record.seconds.begin(); at != record.seconds.end();) {
    const std::string& problem = at->first.problem;
    Json::Object teams;
    while (at != record.seconds.end() && at->first.problem == problem) {
      const int threads = at->first.threads;
      Json::Object entries;
      for (; at != record.seconds.end() && at->first.problem == problem && at->first.threads == threads; ++at)
        entries.emplace_back(at->first.entry, at->second);
      teams.emplace_back(std::to_string(threads), Json::object(std::move(entries)));
    }
    problems.emplace_back(problem, Json::object(std::move(teams)));
  }
  return Json::object(std::move(problems));
}

}  // namespace

std::string MachineKey::str() const {
  std::string text =
      base::str(cpu, ", ", isa, ", ", processors, processors == 1 ? " processor" : " processors");
  for (const auto& [name, version] : libraries) text += base::str(", ", name, " ", version);
  return text;
}

MachineKey identify_machine() {
  MachineKey machine{
      .cpu = cpu_name(), .isa = kernels::simd_target(), .processors = base::available_processors()};
  machine.libraries["Convoy"] = std::string(base::version());
  for (const base::LibraryVersion& library : kernels::library_versions())
    machine.libraries[library.name] = library.loaded.empty() ? library.compiled : library.loaded;
  return machine;
}

const MachineRecord* CacheContents::find(const MachineKey& machine) const {
  const auto found = std::find_if(machines.begin(), machines.end(),
                                  [&](const MachineRecord& record) { return record.machine == machine; });
  return found == machines.end() ? nullptr : &*found;
}

base::Result<CacheContents> parse_cache(std::string_view text) {
  try {
    const Json root = io::parse_json(text, "tune");
    const std::int64_t format = io::require_int64(root, "format", "tune");
    if (format != kFormat)
      return base::Reason{base::str("it has format ", format, ", this Convoy reads ", kFormat)};
    CacheContents contents;
    for (const Json& machine : io::require_array(root, "machines", "tune")) {
      MachineRecord record = read_record(machine);
      if (contents.find(record.machine) != nullptr) refuse("it lists a machine twice");
      contents.machines.push_back(std::move(record));
    }
    return contents;
  } catch (const base::InputError& error) {
    const std::string what = error.what();
    return base::Reason{what.substr(std::min(what.size(), error.file().size() + 2))};
  }
}

std::string print_cache(const CacheContents& contents) {
  Json machines = Json::array();
  for (const MachineRecord& record : contents.machines) {
    Json libraries = Json::object();
    for (const auto& [name, version] : record.machine.libraries) libraries.set(name, version);
    machines.append(Json::object({{"cpu", record.machine.cpu},
                                  {"isa", record.machine.isa},
                                  {"processors", record.machine.processors},
                                  {"libraries", libraries},
                                  {"ceilings", ceilings_json(record)},
                                  {"seconds", seconds_json(record)}}));
  }
  return Json::object({{"format", kFormat}, {"machines", machines}}).dump(1);
}

}  // namespace convoy::tune
