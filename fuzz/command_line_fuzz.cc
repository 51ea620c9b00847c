// Any bytes as the arguments of the program, one a line: only UsageError may come out, and accepted settings
// must resolve or be refused in the same way. Nothing is run.
#include <algorithm>
#include <string>
#include <vector>

#include "convoy/app/command_line.h"
#include "convoy/app/commands.h"
#include "convoy/base/error.h"
#include "convoy/run/config.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> arguments;
  std::string_view text = convoy::fuzz::as_text(data, size);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    arguments.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  try {
    const convoy::app::CommandLine line = convoy::app::parse_command_line(arguments);
    if (line.action != convoy::app::CommandLine::Action::run) return 0;
    CONVOY_CHECK(line.command != nullptr);
    const auto resolved = convoy::run::resolve_config("", line.settings, nullptr);
    const auto back = convoy::run::parse_config(convoy::run::to_toml(resolved, true), "printed");
    for (const convoy::run::Setting& setting : convoy::run::settings())
      CONVOY_CHECK(setting.get(back.config) == setting.get(resolved.config), setting.name);
  } catch (const convoy::base::UsageError& error) {
    CONVOY_CHECK(!std::string_view(error.what()).empty());
  }
  return 0;
}
