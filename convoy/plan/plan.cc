#include "convoy/plan/plan.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>
#include <utility>

namespace convoy::plan {
namespace {

using kernels::Pass;
constexpr int kMaxThreads = 4096;  // a text that asks for more is damaged, and the threads would be started
constexpr std::string_view kBf16 = "/bf16";
constexpr Pass kPasses[] = {Pass::forward, Pass::backward_data, Pass::backward_weights, Pass::backward};

// "onednn/blocked", "onednn/blocked/bf16": the family stands behind the last slash but that of the type.
base::Result<Choice> parse_choice(std::string_view text) {
  const bool bf16 = text.ends_with(kBf16);
  if (bf16) text.remove_suffix(kBf16.size());
  const auto slash = text.rfind('/');
  if (slash == std::string_view::npos || slash == 0)
    return base::Reason{base::str("'", text, "' is no kernel and layout such as onednn/blocked")};
  const auto family = kernels::parse_layout_family(text.substr(slash + 1));
  if (!family) return family.reason();
  return Choice{std::string(text.substr(0, slash)), *family, bf16};
}

base::Result<LayerPlan> parse_layer(const std::string& text) {
  std::istringstream words(text);
  LayerPlan layer;
  if (!(words >> layer.layer)) return base::Reason{"a layer line names no layer"};
  for (std::string word; words >> word;) {
    if (word == "fused") {
      layer.fused_into_producer = true;
      continue;
    }
    if (word == "recomputed") {
      layer.recomputed = true;
      continue;
    }
    const auto equals = word.find('=');
    const auto pass = std::find_if(std::begin(kPasses), std::end(kPasses), [&](Pass p) {
      return equals != std::string::npos && word.substr(0, equals) == kernels::name(p);
    });
    if (pass == std::end(kPasses)) return base::Reason{base::str("'", word, "' is no pass=kernel/layout")};
    const auto choice = parse_choice(std::string_view(word).substr(equals + 1));
    if (!choice) return choice.reason();
    layer.passes[*pass] = *choice;
  }
  return layer;
}

base::Verdict read_line(const std::string& keyword, const std::string& rest, Plan& plan) {
  if (keyword == "layer") {
    auto layer = parse_layer(rest);
    if (!layer) return layer.reason();
    plan.layers.push_back(std::move(layer).value());
    return {};
  }
  if (keyword == "storage") {
    const auto equals = rest.rfind('=');
    if (equals == std::string::npos) return base::Reason{base::str("'", rest, "' is no segment=layout")};
    plan.storage[rest.substr(0, equals)] = rest.substr(equals + 1);
    return {};
  }
  if (keyword == "threads") {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), plan.threads);
    if (error != std::errc() || end != rest.data() + rest.size() || plan.threads < 1 ||
        plan.threads > kMaxThreads)
      return base::Reason{base::str("'", rest, "' is no number of threads")};
    return {};
  }
  if (keyword == "memory" && (rest == "shared" || rest == "separate")) {
    plan.share_memory = rest == "shared";
    return {};
  }
  return base::Reason{base::str("'", keyword, " ", rest, "' is neither layer, storage, threads nor memory")};
}

}  // namespace

std::string str(const Choice& choice) {
  return base::str(choice.entry, "/", kernels::name(choice.family), choice.bf16 ? kBf16 : "");
}

bool Plan::uses_bf16() const {
  return std::any_of(layers.begin(), layers.end(), [](const LayerPlan& layer) {
    return std::any_of(layer.passes.begin(), layer.passes.end(),
                       [](const auto& pass_choice) { return pass_choice.second.bf16; });
  });
}

std::string Plan::str() const {
  std::string text;
  for (const LayerPlan& layer : layers) {
    text += "layer " + layer.layer;
    if (layer.fused_into_producer) text += " fused";
    if (layer.recomputed) text += " recomputed";
    for (const auto& [pass, choice] : layer.passes)
      text += base::str(" ", kernels::name(pass), "=", plan::str(choice));
    text += "\n";
  }
  for (const auto& [segment, tag] : storage) text += base::str("storage ", segment, "=", tag, "\n");
  return text + base::str("threads ", threads, "\nmemory ", share_memory ? "shared" : "separate", "\n");
}

base::Result<Plan> Plan::parse(std::string_view text) {
  Plan plan;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.find(' ');
    const std::string keyword = line.substr(0, space);
    const std::string rest = space == std::string::npos ? std::string() : line.substr(space + 1);
    if (const base::Verdict verdict = read_line(keyword, rest, plan); !verdict)
      return base::Reason{base::str("plan, line ", number + 1, ": ", verdict.reason().text)};
    ++number;
  }
  return plan;
}

}  // namespace convoy::plan
