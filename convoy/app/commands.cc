#include "convoy/app/commands.h"

#include <algorithm>
#include <array>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/run/assemble.h"

namespace convoy::app {

std::span<const Command> commands() {
  static const std::array kCommands = {
      train_command(),  eval_command(), predict_command(), inspect_command(), export_command(),
      import_command(), tune_command(), bench_command(),   data_command(),    doctor_command()};
  return kCommands;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

ModelArgument model_argument(const CommandLine& line) {
  ModelArgument argument{.rest = line.arguments};
  if (const auto given = line.settings.find("model"); given != line.settings.end()) {
    argument.path = given->second;
    if (!run::is_model_file(argument.path))
      throw base::UsageError(
          base::str("--model ", argument.path, ": only an ONNX file (FILE.onnx) is a trained model"));
    return argument;
  }
  if (argument.rest.empty())
    throw base::UsageError(base::str("'convoy ", line.command->name,
                                     "' needs CHECKPOINT or --model FILE.onnx; see 'convoy ",
                                     line.command->name, " --help'"));
  argument.path = argument.rest.front();
  argument.rest.erase(argument.rest.begin());
  return argument;
}

bool takes_setting(const Command& command, std::string_view section, std::string_view setting) {
  return std::any_of(command.settings.begin(), command.settings.end(), [&](std::string_view known) {
    return known == setting || (known.ends_with('.') && known.substr(0, known.size() - 1) == section);
  });
}

}  // namespace convoy::app
