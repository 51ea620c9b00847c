#include "convoy/app/help.h"

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/version.h"
#include "convoy/report/table.h"
#include "convoy/run/config.h"

namespace convoy::app {
namespace {

std::string flag_text(std::string_view name, std::string_view value) {
  std::string flag = base::str("--", name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return value.empty() ? flag : base::str(flag, " ", value);
}

std::string_view value_name(run::ValueType type) {
  switch (type) {
    case run::ValueType::integer:
      return "N";
    case run::ValueType::real:
      return "X";
    case run::ValueType::text:
      return "TEXT";
    case run::ValueType::size:
      return "SIZE";
    case run::ValueType::boolean:
      break;
  }
  return "";
}

// The default as the help shows it; a switch that is on can be switched off.
std::string default_text(const run::Setting& setting) {
  const std::string value = setting.get(run::RunConfig());
  if (setting.is_switch) return value == "true" ? base::str("[on; --no-", setting.name, "]") : "";
  return value.empty() ? "" : base::str("[", value, "]");
}

std::string settings_help(const Command& command) {
  std::string out;
  std::string_view section;
  report::Table table({{""}, {""}, {""}});
  const auto flush = [&] {
    if (!section.empty()) out += base::str("\n", section, ":\n", table.str(2));
    table = report::Table({{""}, {""}, {""}});
  };
  for (const run::Setting& setting : run::settings()) {
    if (!takes_setting(command, setting.section, setting.name)) continue;
    if (setting.section != section) flush();
    section = setting.section;
    std::string standard = default_text(setting);
    std::replace(standard.begin(), standard.end(), '_', '-');
    table.add({flag_text(setting.name, value_name(setting.type)), std::string(setting.help), standard});
  }
  flush();
  return out;
}

}  // namespace

std::string program_help() {
  report::Table table({{""}, {""}});
  for (const Command& command : commands())
    table.add({std::string(command.name), std::string(command.summary)});
  return base::str("Convoy: parallel and distributed deep learning.\n\nusage: convoy COMMAND [FLAGS]\n\n",
                   table.str(2),
                   "\n'convoy COMMAND --help' shows the flags of a command and an example. Results go to "
                   "stdout,\nprogress and messages to stderr. A setting comes from its flag, else from the "
                   "environment\n(CONVOY_EPOCHS for --epochs), else from --config FILE, else from its "
                   "default.\n\nexample:\n  convoy train --model lenet5 --data digits --epochs 2\n");
}

std::string command_help(const Command& command) {
  report::Table table({{""}, {""}});
  for (const OptionSpec& option : command.options)
    table.add({flag_text(option.name, option.value), std::string(option.help)});
  table.add({"--help", "show this text"});
  return base::str("convoy ", command.name, ": ", command.summary, "\n\nusage: convoy ", command.name,
                   command.arguments.empty() ? "" : " ", command.arguments, " [FLAGS]\n\n", table.str(2),
                   settings_help(command), "\nexample:\n", command.example);
}

std::string version_text() { return base::str("convoy ", base::version()); }

}  // namespace convoy::app
