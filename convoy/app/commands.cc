#include "convoy/app/commands.h"

#include <algorithm>
#include <array>

namespace convoy::app {

std::span<const Command> commands() {
  static const std::array kCommands = {train_command(), eval_command(),  predict_command(), inspect_command(),
                                       tune_command(),  bench_command(), data_command(),    doctor_command()};
  return kCommands;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

bool takes_setting(const Command& command, std::string_view section, std::string_view setting) {
  return std::any_of(command.settings.begin(), command.settings.end(), [&](std::string_view known) {
    return known == setting || (known.ends_with('.') && known.substr(0, known.size() - 1) == section);
  });
}

}  // namespace convoy::app
