#include "bench/support/provenance.h"

#include <string>

#include "convoy/base/error.h"
#include "convoy/benchkit/process.h"
#include "convoy/run/environment.h"

namespace convoy::bench {
namespace {

// The first line that git prints, or `otherwise`.
std::string git(const std::string& command, const std::string& otherwise) {
  try {
    benchkit::ChildProcess child(
        {"/bin/sh", "-c", "git -C '" CONVOY_SOURCE_DIR "' " + command + " 2>/dev/null"});
    return child.read_line(10);
  } catch (const base::Error&) {
    return otherwise;  // no git, no repository, or nothing to say
  }
}

}  // namespace

void add_provenance(io::Json& json, int threads) {
  plan::Plan team;
  team.threads = threads;
  json.set("commit", git("rev-parse HEAD", "unknown"));
  json.set("uncommitted_changes", !git("status --porcelain --untracked-files=no", "").empty());
  json.set("machine", run::describe_environment({}, team));
}

}  // namespace convoy::bench
