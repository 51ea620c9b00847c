// The program `convoy`.
#pragma once

#include <string>
#include <vector>

#include "convoy/app/session.h"

namespace convoy::app {

// Runs the program on the process's streams and returns its exit status (docs/formats.md lists them).
int main(int argc, char** argv);

// The same within a process: arguments without the program's name, output to the session's streams. Every
// failure ends here as one line on the session's `err`. Blocks until the command is done.
int run(const std::vector<std::string>& arguments, Session& session);

}  // namespace convoy::app
