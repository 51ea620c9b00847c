// The commands of the program: one file each, one line each in commands.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/app/command_line.h"
#include "convoy/app/session.h"
#include "convoy/run/model_exchange.h"

namespace convoy::app {

struct Command {
  std::string_view name;
  std::string_view summary;    // one line
  std::string_view arguments;  // "CHECKPOINT IMAGE...", for the usage line
  std::string_view example;    // whole command lines
  // Which of run::settings() are flags of the command: their names, or "SECTION." for all of a section.
  std::span<const std::string_view> settings;
  std::span<const OptionSpec> options;
  int least_arguments = 0;
  int most_arguments = 0;
  int (*run)(const CommandLine&, Session&) = nullptr;  // returns the exit status
};

std::span<const Command> commands();
const Command* find_command(std::string_view name);

// Whether `setting` of section `section` is a flag of the command.
bool takes_setting(const Command& command, std::string_view section, std::string_view setting);

Command train_command();
Command eval_command();
Command predict_command();
Command inspect_command();
Command bench_command();
Command data_command();
Command tune_command();
Command doctor_command();
Command export_command();
Command import_command();

// The trained model that a command line names, and the arguments behind it: the first argument, or --model
// FILE.onnx. Throws UsageError for both or neither.
struct ModelArgument {
  std::string path;
  std::vector<std::string> rest;
};
ModelArgument model_argument(const CommandLine& line);

// What was exported or imported, on stdout; its notes on stderr.
void print_exchange(const run::ExchangeReport& report, bool json, Session& session);

}  // namespace convoy::app
