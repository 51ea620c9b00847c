// From arguments to what they ask for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace convoy::app {

struct Command;

// A flag of one command that is no setting of a run. An empty `value` means a switch.
struct OptionSpec {
  std::string_view name;   // "top"
  std::string_view value;  // "K"
  std::string_view help;
};

struct CommandLine {
  enum class Action { run, help, version } action = Action::run;
  const Command* command = nullptr;             // of run; of help, null for the program's own
  std::map<std::string, std::string> settings;  // name as in run::settings() → text; not judged yet
  std::map<std::string, std::string, std::less<>> options;  // name → text; "true" of a switch
  std::vector<std::string> arguments;                       // without a flag

  bool has(std::string_view option) const { return options.find(option) != options.end(); }
  // The text of an option, or `otherwise`.
  std::string text(std::string_view option, std::string_view otherwise) const;
  // The whole number of an option within [low, high], or `otherwise`. Throws UsageError.
  int integer(std::string_view option, int otherwise, int low, int high) const;
  // The bytes of an option such as "16M" (K, M and G are powers of 1,024), or `otherwise`. Throws UsageError.
  std::int64_t size_bytes(std::string_view option, std::int64_t otherwise) const;
};

// Reads the arguments, the program's name left out. A setting that is given twice has its last text,
// a list all of them. Throws
// UsageError, which names the flag or command at fault, the nearest known one, and the help to see.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

}  // namespace convoy::app
