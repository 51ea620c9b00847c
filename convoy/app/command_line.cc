#include "convoy/app/command_line.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>

#include "convoy/app/commands.h"
#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/run/config.h"
#include "convoy/run/nearest.h"

namespace convoy::app {
namespace {

std::string flag_of(std::string_view name) {
  std::string flag = base::str("--", name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

[[noreturn]] void refuse(const std::string& problem, const Command* command) {
  const std::string help = command == nullptr ? "" : base::str(command->name, " ");
  throw base::UsageError(base::str(problem, "; see 'convoy ", help, "--help'"));
}

// CLI11 collects the texts; what they mean is decided later, with better words.
class Parser {
 public:
  explicit Parser(const Command& command) : command_(command) {
    line_.command = &command;
    app_.set_help_flag();
    app_.allow_extras();
    app_.add_flag("-h,--help", wants_help_);
    flags_ = {"--help"};
    for (const run::Setting& setting : run::settings())
      if (takes_setting(command, setting.section, setting.name))
        add(flag_of(setting.name), setting.is_switch, true, line_.settings[std::string(setting.name)],
            setting.is_list);
    for (const OptionSpec& option : command.options)
      add(flag_of(option.name), option.value.empty(), false, line_.options[std::string(option.name)]);
  }

  CommandLine parse(std::vector<std::string> arguments) && {
    const std::size_t rest = separate_positionals(arguments);
    for (std::size_t i = 0; i + 1 < rest; ++i) check_value_follows(arguments[i], arguments[i + 1]);
    std::vector<std::string> positionals(arguments.begin() + static_cast<std::ptrdiff_t>(rest),
                                         arguments.end());
    if (!positionals.empty()) positionals.erase(positionals.begin());  // the "--" itself
    arguments.resize(rest);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants it
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ArgumentMismatch& error) {
      const std::string what = error.what();  // "--epochs: 1 required TEXT missing"
      refuse(base::str(what.substr(0, what.find(':')), " needs a value"), &command_);
    } catch (const CLI::ParseError& error) {
      std::string what = error.what();
      std::replace(what.begin(), what.end(), '\n', ' ');
      refuse(what, &command_);
    }
    collect(positionals);
    return std::move(line_);
  }

 private:
  void add(const std::string& flag, bool is_switch, bool has_opposite, std::string& text,
           bool is_list = false) {
    flags_.push_back(flag);
    if (!is_switch) {
      valued_.push_back(flag);
      CLI::Option* option = app_.add_option(flag, text);
      options_.emplace_back(&text, is_list ? option->join() : option->take_last());
      if (is_list) lists_.push_back(&text);
      return;
    }
    std::string names = flag + "{true}";
    if (has_opposite) {
      flags_.push_back("--no-" + flag.substr(2));
      names += "," + flags_.back() + "{false}";
    }
    options_.emplace_back(&text, app_.add_flag(names, text)->take_last());
  }

  // Where the arguments behind a "--" begin; the end where there is none.
  static std::size_t separate_positionals(const std::vector<std::string>& arguments) {
    return static_cast<std::size_t>(std::find(arguments.begin(), arguments.end(), std::string("--")) -
                                    arguments.begin());
  }

  // A flag in the place of a value is a forgotten value.
  void check_value_follows(const std::string& flag, const std::string& next) const {
    const auto is_known = [](const std::vector<std::string>& known, const std::string& name) {
      return std::find(known.begin(), known.end(), name) != known.end();
    };
    if (is_known(valued_, flag) && is_known(flags_, next))
      refuse(base::str(flag, " needs a value, but ", next, " follows"), &command_);
  }

  void collect(const std::vector<std::string>& positionals) {
    if (wants_help_) {
      line_.action = CommandLine::Action::help;
      return;
    }
    for (std::string* list : lists_) std::replace(list->begin(), list->end(), '\n', ',');  // as CLI11 joins
    for (const auto& [text, option] : options_)
      if (option->count() == 0) forget(text);
    for (const std::string& extra : app_.remaining()) {
      if (extra.size() > 1 && extra[0] == '-') refuse_flag(extra);
      line_.arguments.push_back(extra);
    }
    line_.arguments.insert(line_.arguments.end(), positionals.begin(), positionals.end());
    const int count = static_cast<int>(line_.arguments.size());
    if (count < command_.least_arguments)
      refuse(base::str("'convoy ", command_.name, "' needs ", command_.arguments), &command_);
    if (count > command_.most_arguments)
      refuse(base::str("unexpected argument '",
                       line_.arguments[static_cast<std::size_t>(command_.most_arguments)], "'"),
             &command_);
  }

  void forget(const std::string* text) {
    std::erase_if(line_.settings, [text](const auto& entry) { return &entry.second == text; });
    std::erase_if(line_.options, [text](const auto& entry) { return &entry.second == text; });
  }

  [[noreturn]] void refuse_flag(const std::string& given) const {
    const std::string flag = given.substr(0, given.find('='));
    const std::vector<std::string_view> known(flags_.begin(), flags_.end());
    const std::string found = run::nearest(flag, known);
    refuse(base::str("unknown flag ", flag, found.empty() ? "" : ", did you mean " + found + "?"), &command_);
  }

  const Command& command_;
  CLI::App app_;
  bool wants_help_ = false;
  CommandLine line_;
  std::vector<std::string> flags_;   // all
  std::vector<std::string> valued_;  // those that need a value
  std::vector<std::pair<std::string*, CLI::Option*>> options_;
  std::vector<std::string*> lists_;
};

}  // namespace

std::string CommandLine::text(std::string_view option, std::string_view otherwise) const {
  const auto found = options.find(option);
  return found == options.end() ? std::string(otherwise) : found->second;
}

int CommandLine::integer(std::string_view option, int otherwise, int low, int high) const {
  const auto found = options.find(option);
  if (found == options.end()) return otherwise;
  const std::string& text = found->second;
  int value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || value < low || value > high)
    refuse(
        base::str(flag_of(option), " must be a whole number from ", low, " to ", high, ", not '", text, "'"),
        command);
  return value;
}

std::int64_t CommandLine::size_bytes(std::string_view option, std::int64_t otherwise) const {
  if (!has(option)) return otherwise;
  const std::string given = text(option, "");
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  const std::string unit(end, given.data() + given.size());
  const int shift = unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : unit.empty() ? 0 : -1;
  if (error != std::errc() || shift < 0 || value < 0 || value > std::int64_t{1} << 30)
    throw base::UsageError(
        base::str(flag_of(option), " must be a number of bytes, as in 16M, not '", given, "'"));
  return value << shift;
}

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  if (arguments.empty()) refuse("no command", nullptr);
  const std::string& first = arguments.front();
  CommandLine line;
  line.action = CommandLine::Action::help;
  if (first == "--help" || first == "-h") return line;
  if (first == "help") {
    if (arguments.size() == 1) return line;
    return parse_command_line({arguments[1], "--help"});
  }
  if (first == "--version") {
    line.action = CommandLine::Action::version;
    return line;
  }
  if (first.starts_with("-")) refuse(base::str("unknown flag ", first, " before the command"), nullptr);
  const Command* command = find_command(first);
  if (command == nullptr) {
    std::vector<std::string_view> names;
    for (const Command& known : commands()) names.push_back(known.name);
    const std::string found = run::nearest(first, names);
    refuse(base::str("unknown command '", first, "'", found.empty() ? "" : ", did you mean '" + found + "'?"),
           nullptr);
  }
  return Parser(*command).parse({arguments.begin() + 1, arguments.end()});
}

}  // namespace convoy::app
