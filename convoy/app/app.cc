#include "convoy/app/app.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <new>

#include "convoy/app/command_line.h"
#include "convoy/app/commands.h"
#include "convoy/app/help.h"
#include "convoy/app/signals.h"
#include "convoy/base/error.h"

namespace convoy::app {
namespace {

int dispatch(const CommandLine& line, Session& session) {
  switch (line.action) {
    case CommandLine::Action::version:
      session.out << version_text() << "\n";
      return 0;
    case CommandLine::Action::help:
      session.out << (line.command == nullptr ? program_help() : command_help(*line.command));
      return 0;
    case CommandLine::Action::run:
      break;
  }
  return line.command->run(line, session);
}

int fail(Session& session, const std::string& line, base::ExitCode code) {
  session.out.flush();
  session.err << "convoy: " << line << "\n" << std::flush;
  return static_cast<int>(code);
}

}  // namespace

int run(const std::vector<std::string>& arguments, Session& session) {
  try {
    const int status = dispatch(parse_command_line(arguments), session);
    session.out.flush();
    // A result that did not arrive is no success, whatever was computed.
    if (!session.out && status == 0)
      return fail(session, "the result could not be written to standard output", base::ExitCode::failure);
    return status;
  } catch (const base::Error& error) {
    return fail(session, error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail(session, "out of memory; try a smaller --batch or model", base::ExitCode::failure);
  } catch (const std::exception& error) {
    return fail(session, error.what(), base::ExitCode::failure);
  }
}

int main(int argc, char** argv) {
  ignore_harmless_signals();
  const auto environment = [](const char* name) -> const char* { return std::getenv(name); };
  base::StopToken stop;
  Session session = {.out = std::cout,
                     .err = std::cerr,
                     .out_terminal = report::examine_terminal(STDOUT_FILENO, environment),
                     .err_terminal = report::examine_terminal(STDERR_FILENO, environment),
                     .environment = environment,
                     .stop = stop,
                     .handles_signals = true};
  return run({argv + (argc > 0 ? 1 : 0), argv + argc}, session);
}

}  // namespace convoy::app
