#include "convoy/run/environment.h"

#include <string>

#include "convoy/base/threads.h"
#include "convoy/base/version.h"
#include "convoy/data/versions.h"
#include "convoy/io/versions.h"
#include "convoy/kernels/versions.h"
#include "convoy/run/doctor.h"

namespace convoy::run {
namespace {

// TurboJPEG, for one, tells neither.
std::string version_text(const base::LibraryVersion& library) {
  if (!library.loaded.empty()) return library.loaded;
  return library.compiled.empty() ? "unknown" : library.compiled;
}

}  // namespace

io::Json describe_environment(const RunConfig& config, const plan::Plan& plan) {
  const machine::Machine machine = describe_machine(plan.threads);
  io::Json libraries = io::Json::object();
  for (const auto& list : {kernels::library_versions(), io::library_versions(), data::library_versions()})
    for (const base::LibraryVersion& library : list) libraries.set(library.name, version_text(library));
  io::Json environment = io::Json::object();
  environment.set("convoy", base::version()).set("compiler", __VERSION__);
  environment.set("cpu", machine.cpu).set("isa", machine.isa).set("processors", base::available_processors());
  environment.set("threads", plan.threads).set("launcher", "none").set("ranks", 1);
  environment.set("seed", config.seed).set("libraries", std::move(libraries));
  return environment;
}

}  // namespace convoy::run
