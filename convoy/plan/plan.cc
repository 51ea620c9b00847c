#include "convoy/plan/plan.h"

#include <sstream>

namespace convoy::plan {
namespace {

using kernels::Pass;
constexpr Pass kPasses[] = {Pass::forward, Pass::backward_data, Pass::backward_weights, Pass::backward};

base::Reason broken(int line, const std::string& problem) {
  return {base::str("plan, line ", line, ": ", problem)};
}

// "onednn/blocked": the family stands behind the last slash.
base::Result<Choice> parse_choice(std::string_view text) {
  const auto slash = text.rfind('/');
  if (slash == std::string_view::npos || slash == 0)
    return base::Reason{base::str("'", text, "' is no kernel and layout such as onednn/blocked")};
  const auto family = kernels::parse_layout_family(text.substr(slash + 1));
  if (!family) return family.reason();
  return Choice{std::string(text.substr(0, slash)), *family};
}

base::Result<LayerPlan> parse_layer(const std::string& text, int line) {
  std::istringstream words(text);
  LayerPlan layer;
  words >> layer.layer;
  for (std::string word; words >> word;) {
    if (word == "fused") {
      layer.fused_into_producer = true;
      continue;
    }
    const auto equals = word.find('=');
    bool known = false;
    for (const Pass pass : kPasses) {
      if (equals == std::string::npos || word.substr(0, equals) != kernels::name(pass)) continue;
      const auto choice = parse_choice(std::string_view(word).substr(equals + 1));
      if (!choice) return broken(line, choice.reason().text);
      layer.passes[pass] = *choice;
      known = true;
    }
    if (!known) return broken(line, base::str("'", word, "' is no pass=kernel/layout"));
  }
  return layer;
}

}  // namespace

std::string str(const Choice& choice) { return base::str(choice.entry, "/", kernels::name(choice.family)); }

std::string Plan::str() const {
  std::string text;
  for (const LayerPlan& layer : layers) {
    text += layer.layer;
    if (layer.fused_into_producer) text += " fused";
    for (const auto& [pass, choice] : layer.passes)
      text += base::str(" ", kernels::name(pass), "=", plan::str(choice));
    text += "\n";
  }
  return text + (share_memory ? "memory=shared\n" : "memory=separate\n");
}

base::Result<Plan> Plan::parse(std::string_view text) {
  Plan plan;
  std::istringstream lines{std::string(text)};
  int number = 0;
  bool memory_seen = false;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    if (memory_seen) return broken(number, "nothing may follow memory=…");
    if (line == "memory=shared" || line == "memory=separate") {
      plan.share_memory = line == "memory=shared";
      memory_seen = true;
      continue;
    }
    auto layer = parse_layer(line, number);
    if (!layer) return layer.reason();
    plan.layers.push_back(std::move(layer).value());
  }
  if (!memory_seen) return broken(number, "it ends before memory=…");
  return plan;
}

}  // namespace convoy::plan
