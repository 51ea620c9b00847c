#include "convoy/run/algorithms.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace convoy::run {
namespace {

std::set<std::string> convolutions(const graph::Graph& graph) {
  std::set<std::string> names;
  for (const graph::Layer& layer : graph.layers())
    if (layer.kind->op == "Conv") names.insert(layer.name);
  return names;
}

// A time that was predicted and not measured has a tilde.
std::string time_text(double seconds, bool measured) {
  const char* tilde = measured ? "" : "~";
  if (seconds < 1e-3) return fmt::format("{}{:.3g} us", tilde, seconds * 1e6);
  return seconds < 1 ? fmt::format("{}{:.3g} ms", tilde, seconds * 1e3)
                     : fmt::format("{}{:.3g} s", tilde, seconds);
}

std::string entry_of(const std::string& kernel) { return kernel.substr(0, kernel.find('/')); }

void append(std::string& list, const std::string& item, const char* separator) {
  if (!list.empty()) list += separator;
  list += item;
}

// "winograd:f2, winograd:f4 (only filters of 3x3, not 5x5); fft (only stride 1)": a reason once.
std::string refusals(const AlgorithmReport& report) {
  std::vector<std::pair<std::string, std::string>> groups;  // reason, entries
  for (const OtherAlgorithm& other : report.others) {
    if (other.seconds > 0) continue;
    const auto same = std::find_if(groups.begin(), groups.end(),
                                   [&](const auto& group) { return group.first == other.reason; });
    if (same == groups.end())
      groups.emplace_back(other.reason, entry_of(other.kernel));
    else
      same->second += ", " + entry_of(other.kernel);
  }
  std::string text;
  for (const auto& [reason, entries] : groups) append(text, fmt::format("{} ({})", entries, reason), "; ");
  return text;
}

// What follows the layer's name. The float64 reference, which serves everything, goes without saying.
std::string body(const AlgorithmReport& report) {
  std::string text = report.direction + ": " + report.kernel;
  if (report.seconds > 0) text += " " + time_text(report.seconds, report.measured);
  std::string slower, elsewhere;
  for (const OtherAlgorithm& other : report.others) {
    const std::string entry = entry_of(other.kernel);
    if (other.seconds <= 0 || entry == "reference") continue;
    append(other.seconds < report.seconds ? elsewhere : slower,
           entry + " " + time_text(other.seconds, other.measured), ", ");
  }
  if (!slower.empty()) text += "; slower: " + slower;
  if (!elsewhere.empty()) text += "; faster, but in layouts that slow the net: " + elsewhere;
  if (const std::string refused = refusals(report); !refused.empty()) text += "; refused: " + refused;
  return text;
}

}  // namespace

std::vector<AlgorithmReport> describe_algorithms(const graph::Graph& graph,
                                                 const plan::Resolution& resolution) {
  const std::set<std::string> wanted = convolutions(graph);
  std::vector<AlgorithmReport> reports;
  for (const plan::Chosen& chosen : resolution.chosen) {
    if (!wanted.contains(chosen.layer)) continue;
    AlgorithmReport report{.layer = chosen.layer,
                           .direction = std::string(kernels::name(chosen.pass)),
                           .kernel = plan::str(chosen.choice),
                           .seconds = chosen.cost.seconds,
                           .measured = chosen.cost.measured};
    for (const plan::PassedOver& passed : resolution.passed_over)
      if (passed.layer == chosen.layer && passed.pass == chosen.pass)
        report.others.push_back({passed.entry, passed.reason, passed.seconds, passed.measured});
    std::stable_sort(report.others.begin(), report.others.end(),
                     [](const OtherAlgorithm& a, const OtherAlgorithm& b) { return a.seconds < b.seconds; });
    reports.push_back(std::move(report));
  }
  return reports;
}

std::vector<AlgorithmReport> describe_algorithms(const graph::Graph& graph, const plan::Plan& plan) {
  const std::set<std::string> wanted = convolutions(graph);
  std::vector<AlgorithmReport> reports;
  for (const plan::LayerPlan& layer : plan.layers)
    for (const auto& [pass, choice] : layer.passes)
      if (wanted.contains(layer.layer))
        reports.push_back({.layer = layer.layer,
                           .direction = std::string(kernels::name(pass)),
                           .kernel = plan::str(choice)});
  return reports;
}

std::vector<std::string> algorithm_lines(const std::vector<AlgorithmReport>& reports) {
  std::vector<std::pair<std::string, std::string>> lines;  // layers, body
  for (const AlgorithmReport& report : reports) {
    const std::string text = body(report);
    const auto same =
        std::find_if(lines.begin(), lines.end(), [&](const auto& line) { return line.second == text; });
    if (same == lines.end())
      lines.emplace_back(report.layer, text);
    else
      same->first += ", " + report.layer;
  }
  std::vector<std::string> result;
  for (const auto& [layers, text] : lines) result.push_back(layers + " " + text);
  return result;
}

}  // namespace convoy::run
