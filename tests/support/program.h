// The program `convoy` as the tests in tests/ drive it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "convoy/io/json.h"
#include "tests/support/child_process.h"

namespace convoy::testing {

// The program that was built, with these arguments, run in `directory`, which also becomes its cache and its
// home. It sees none of this process's CONVOY_ variables, and CONVOY_TUNE=off.
ChildSetup convoy_setup(const std::string& directory, const std::vector<std::string>& arguments);
ChildResult run_convoy(const std::string& directory, const std::vector<std::string>& arguments);

// The words of a command line; none of them may contain a space.
std::vector<std::string> words(const std::string& text);

// Expects that it refused with `status`: nothing on stdout and one line on stderr that begins with
// "convoy: ", which is returned without that.
std::string refusal(const ChildResult& result, int status);

// Expects status 0 and one JSON value and nothing else on stdout.
io::Json json_of(const ChildResult& result);

// Every path below the directory and, for files, a checksum of the contents: equal where nothing was
// written. Locks, which name the process that had the directory last, count by their path alone.
std::map<std::string, std::string> snapshot(const std::string& directory);

// Paths below the directory that AtomicFile, AtomicDirectory or a write test left behind.
std::vector<std::string> leftovers(const std::string& directory);

// RUN/checkpoints/step-N directories, in the order of their steps.
std::vector<std::string> checkpoints_of(const std::string& run);
std::int64_t step_of(const std::string& checkpoint);

// The rows of RUN/metrics.jsonl that are complete by now; none where it does not exist.
std::vector<io::Json> metrics_of(const std::string& run);
// Waits until training has reported a step of at least `step`; throws where the process ends first.
void wait_for_step(ChildProcess& child, const std::string& run, std::int64_t step);

}  // namespace convoy::testing
