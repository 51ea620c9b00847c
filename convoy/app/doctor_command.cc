#include <ostream>

#include "convoy/app/commands.h"
#include "convoy/base/check.h"
#include "convoy/io/json.h"
#include "convoy/report/table.h"
#include "convoy/run/doctor.h"

namespace convoy::app {
namespace {

using State = run::Finding::State;

std::string_view name(State state) {
  return state == State::good ? "good" : state == State::absent ? "absent" : "problem";
}

std::string_view mark(State state) { return state == State::good ? "✓" : state == State::absent ? "-" : "✗"; }

int run_doctor(const CommandLine& line, Session& session) {
  const std::vector<run::Finding> findings = run::examine_machine();
  if (line.has("json")) {
    io::Json list = io::Json::array();
    for (const run::Finding& finding : findings)
      list.append(io::Json::object({{"topic", finding.topic},
                                    {"state", name(finding.state)},
                                    {"detail", finding.detail},
                                    {"advice", finding.advice}}));
    session.out << io::Json::object({{"findings", list}}).dump(2);
    return 0;
  }
  report::Table table({{""}, {""}, {""}});
  std::string advice;
  for (const run::Finding& finding : findings) {
    table.add({std::string(mark(finding.state)), finding.topic, finding.detail});
    if (!finding.advice.empty())
      advice += base::str("  ", mark(finding.state), " ", finding.topic, ": ", finding.advice, "\n");
  }
  session.out << table.str() << (advice.empty() ? "" : "\nadvice:\n") << advice;
  return 0;
}

}  // namespace

Command doctor_command() {
  static constexpr OptionSpec kOptions[] = {{"json", "", "print the findings as one JSON object"}};
  return {.name = "doctor",
          .summary = "say what this machine and this build can do, and what is missing for what",
          .arguments = "",
          .example = "  convoy doctor\n",
          .settings = {},
          .options = kOptions,
          .run = run_doctor};
}

}  // namespace convoy::app
