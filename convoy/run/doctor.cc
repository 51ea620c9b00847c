#include "convoy/run/doctor.h"

#include <omp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fstream>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <thread>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/data/versions.h"
#include "convoy/io/file.h"
#include "convoy/io/versions.h"
#include "convoy/kernels/bf16.h"
#include "convoy/kernels/versions.h"
#include "convoy/onnx/codec.h"
#include "convoy/tune/processor.h"

namespace convoy::run {
namespace {

using State = Finding::State;

// The first line of a file of /proc, /sys; empty where it cannot be read.
std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Finding examine_simd() {
  std::string list;
  for (const tune::CpuFeature& feature : tune::cpu_features())
    if (feature.present) list += (list.empty() ? "" : " ") + std::string(feature.name);
  const std::string isa = tune::isa_class();
  Finding finding = {State::good, "SIMD",
                     base::str(isa, " (", list.empty() ? "nothing known" : list, "); our kernels run as ",
                               kernels::simd_target()),
                     ""};
  if (isa == "sse4" || isa == "baseline") {
    finding.state = State::problem;
    finding.advice = "kernels run many times slower without AVX2: use a CPU that has it";
  }
  return finding;
}

Finding examine_bf16() {
  if (kernels::check_bf16_products())
    return {State::good, "bf16", "avx512_bf16: --precision bf16 can be used", ""};
  return {State::good, "bf16", "no avx512_bf16: training in float32 alone", ""};
}

Finding examine_threads() {
  const int usable = base::available_processors();
  const int online = static_cast<int>(std::thread::hardware_concurrency());
  Finding finding = {State::good, "threads", base::str(usable, " of ", online, " processors available"), ""};
  if (usable < online)
    finding.advice = "the launcher or taskset binds this process; training uses what is available";
  const char* limit = std::getenv("OMP_NUM_THREADS");
  if (limit != nullptr && *limit != '\0')
    finding.detail += base::str("; OMP_NUM_THREADS=", limit, " is set, --threads decides");
  return finding;
}

Finding examine_memory() {
  const std::int64_t page_bytes = sysconf(_SC_PAGESIZE);
  const std::int64_t total_mb = sysconf(_SC_PHYS_PAGES) * page_bytes >> 20;
  const std::string available = tune::proc_value("/proc/meminfo", "MemAvailable");
  const std::int64_t available_mb = std::atoll(available.c_str()) >> 10;
  Finding finding = {State::good, "memory", base::str(available_mb, " of ", total_mb, " MiB available"), ""};
  const std::string limit = first_line("/sys/fs/cgroup/memory.max");
  if (!limit.empty() && limit != "max")
    finding.detail += base::str("; this container may use ", std::atoll(limit.c_str()) >> 20, " MiB");
  if (available_mb < 512) {
    finding.state = State::problem;
    finding.advice = "less than 512 MiB: use a small model and batch, or end other programs";
  }
  return finding;
}

Finding examine_huge_pages() {
  const std::string setting = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
  const std::size_t open = setting.find('['), close = setting.find(']');
  if (open == std::string::npos || close == std::string::npos || close < open)
    return {State::absent, "huge pages", "the kernel does not say",
            "they save address translation in large models"};
  const std::string value = setting.substr(open + 1, close - open - 1);
  if (value == "never")
    return {State::absent, "huge pages", "never",
            "they save address translation in large models: as root, echo madvise > "
            "/sys/kernel/mm/transparent_hugepage/enabled"};
  return {State::good, "huge pages", value, ""};
}

// The major version of "2.6.3": shared libraries break their interface with it.
std::string major(const std::string& version) { return version.substr(0, version.find('.')); }

Finding describe_library(const base::LibraryVersion& library) {
  Finding finding = {State::good, library.name, library.loaded.empty() ? library.compiled : library.loaded,
                     ""};
  if (finding.detail.empty()) finding.detail = "present";
  if (library.compiled.empty() || library.loaded.empty() || library.compiled == library.loaded)
    return finding;
  finding.detail += base::str(" (built with ", library.compiled, ")");
  if (major(library.compiled) == major(library.loaded)) return finding;
  finding.state = State::problem;
  finding.advice = "another major version than at the build: build Convoy again on this machine";
  return finding;
}

void examine_libraries(std::vector<Finding>& findings) {
  for (const auto& versions : {kernels::library_versions(), io::library_versions(), data::library_versions()})
    for (const base::LibraryVersion& library : versions) findings.push_back(describe_library(library));
  findings.push_back({State::good, "OpenMP",
                      base::str("specification ", _OPENMP, ", at most ", omp_get_thread_limit(), " threads"),
                      ""});
}

void describe_optional_parts(std::vector<Finding>& findings) {
  constexpr std::pair<const char*, const char*> kParts[] = {
      {"MPI", "training on several machines under mpirun or srun"},
      {"Gloo", "elastic groups of processes and 'convoy launch'"},
      {"gRPC", "parameter servers"},
      {"CUDA", "training on NVIDIA GPUs"},
  };
  const std::vector<base::LibraryVersion> onnx = onnx::library_versions();
  for (const base::LibraryVersion& library : onnx) findings.push_back(describe_library(library));
  if (onnx.empty())
    findings.push_back({State::absent, "ONNX", "not in this build",
                        "needed for import and export of models: tools/setup full, then build again"});
  for (const auto& [name, purpose] : kParts)
    findings.push_back({State::absent, name, "not in this build", base::str("needed for ", purpose)});
}

Finding examine_data() {
  const char* root = std::getenv("CONVOY_DATA_DIR");
  if (root == nullptr || *root == '\0')
    return {State::absent, "data directory", "CONVOY_DATA_DIR is not set",
            "mnist and cifar10 come from the cache or a download; set it or --data-dir to use your files"};
  std::string found;
  struct stat entry = {};
  for (const char* name : {"mnist", "cifar10"})
    if (stat(io::join_path(root, name).c_str(), &entry) == 0 && S_ISDIR(entry.st_mode))
      found += (found.empty() ? "" : ", ") + std::string(name);
  if (!found.empty()) return {State::good, "data directory", base::str(root, " holds ", found), ""};
  return {State::problem, "data directory", base::str(root, " holds neither mnist/ nor cifar10/"),
          "put the files there, or unset CONVOY_DATA_DIR to have them downloaded"};
}

// Whether files can be made in `path`, or `path` itself in the nearest parent that exists. Changes nothing.
bool is_writable(std::string path) {
  struct stat entry = {};
  while (stat(path.c_str(), &entry) != 0) {
    const std::string parent = io::parent_directory(path);
    if (parent == path) return false;
    path = parent;
  }
  return S_ISDIR(entry.st_mode) && access(path.c_str(), W_OK | X_OK) == 0;
}

Finding examine_cache() {
  const std::string cache = io::cache_directory();
  if (cache.empty())
    return {State::problem, "cache directory", "neither XDG_CACHE_HOME nor HOME is an absolute path",
            "set one of them to keep downloaded data sets"};
  if (is_writable(cache)) return {State::good, "cache directory", base::str(cache, " is writable"), ""};
  return {State::problem, "cache directory", base::str(cache, " is not writable"),
          "set XDG_CACHE_HOME to a directory of yours to keep downloaded data sets"};
}

}  // namespace

std::vector<Finding> examine_machine() {
  std::vector<Finding> findings;
  findings.push_back({State::good, "CPU", tune::cpu_name(), ""});
  findings.push_back(examine_simd());
  findings.push_back(examine_bf16());
  findings.push_back(examine_threads());
  findings.push_back(examine_memory());
  findings.push_back(examine_huge_pages());
  examine_libraries(findings);
  findings.push_back(examine_data());
  findings.push_back(examine_cache());
  describe_optional_parts(findings);
  return findings;
}

}  // namespace convoy::run
