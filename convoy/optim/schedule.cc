#include "convoy/optim/schedule.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

namespace convoy::optim {
namespace {

using base::Reason;
using base::Result;

constexpr std::string_view kForms =
    "write constant, step:FACTOR@N[epochs|steps], exponential:FACTOR, polynomial:POWER[,FINAL] or "
    "cosine[:FINAL], each with +warmup:N[epochs|steps] where wanted";

// The schedule's text that is being read, the part of it that is at fault, and what is wrong with it.
Reason refuse(std::string_view text, std::string_view part, std::string_view problem) {
  return Reason{fmt::format("schedule \"{}\": \"{}\" {}; {}", text, part, problem, kForms)};
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// Splits at the first `separator`; the second part is absent where there is none.
std::pair<std::string_view, std::optional<std::string_view>> split(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

// "500", "500steps" or "2.5epochs" in steps, at least 1.
std::optional<std::int64_t> parse_duration(std::string_view text, std::int64_t steps_per_epoch) {
  constexpr std::string_view kEpochs = "epochs", kSteps = "steps";
  double unit = 1;
  if (text.ends_with(kEpochs)) {
    unit = static_cast<double>(steps_per_epoch);
    text.remove_suffix(kEpochs.size());
  } else if (text.ends_with(kSteps)) {
    text.remove_suffix(kSteps.size());
  }
  const std::optional<double> count = parse_number(text);
  if (!count) return std::nullopt;
  const double steps = std::round(*count * unit);
  if (!(steps >= 1 && steps <= 1e15) || (unit == 1 && steps != *count)) return std::nullopt;
  return static_cast<std::int64_t>(steps);
}

// The argument of one rule, as it is being read.
struct Argument {
  std::string_view whole;  // the schedule's text, for messages
  std::optional<std::string_view> text;
  std::int64_t steps_per_epoch = 1;
};

Result<Schedule> parse_constant(const Argument& argument) {
  if (argument.text) return refuse(argument.whole, *argument.text, "is an argument, but constant has none");
  return Schedule{.rule = Schedule::Rule::constant};
}

Result<Schedule> parse_step(const Argument& argument) {
  const std::string_view text = argument.text.value_or("");
  const auto [factor_text, period_text] = split(text, '@');
  const auto factor = parse_number(factor_text);
  if (!factor || *factor <= 0) return refuse(argument.whole, factor_text, "is no positive factor");
  if (!period_text) return refuse(argument.whole, text, "lacks @N, the steps or epochs between two drops");
  const auto period = parse_duration(*period_text, argument.steps_per_epoch);
  if (!period)
    return refuse(argument.whole, *period_text, "is no number of steps or epochs, at least one step");
  return Schedule{.rule = Schedule::Rule::step, .factor = *factor, .period_steps = *period};
}

Result<Schedule> parse_exponential(const Argument& argument) {
  const std::string_view text = argument.text.value_or("");
  const auto factor = parse_number(text);
  if (!factor || *factor <= 0) return refuse(argument.whole, text, "is no positive factor");
  return Schedule{.rule = Schedule::Rule::exponential, .factor = *factor};
}

Result<Schedule> parse_polynomial(const Argument& argument) {
  const auto [power_text, final_text] = split(argument.text.value_or(""), ',');
  const auto power = parse_number(power_text);
  if (!power || *power <= 0) return refuse(argument.whole, power_text, "is no positive power");
  const auto final_rate = parse_number(final_text.value_or("0"));
  if (!final_rate || *final_rate < 0) return refuse(argument.whole, *final_text, "is no rate, at least 0");
  return Schedule{.rule = Schedule::Rule::polynomial, .power = *power, .final_rate = *final_rate};
}

Result<Schedule> parse_cosine(const Argument& argument) {
  const std::string_view text = argument.text.value_or("0");
  const auto final_rate = parse_number(text);
  if (!final_rate || *final_rate < 0) return refuse(argument.whole, text, "is no rate, at least 0");
  return Schedule{.rule = Schedule::Rule::cosine, .final_rate = *final_rate};
}

struct RuleParser {
  std::string_view name;
  Result<Schedule> (*parse)(const Argument&);
};
constexpr std::array kParsers = {
    RuleParser{"constant", parse_constant},       RuleParser{"step", parse_step},
    RuleParser{"exponential", parse_exponential}, RuleParser{"polynomial", parse_polynomial},
    RuleParser{"cosine", parse_cosine},
};

std::string rule_text(const Schedule& schedule) {
  switch (schedule.rule) {
    case Schedule::Rule::constant:
      return "constant";
    case Schedule::Rule::step:
      return fmt::format("step:{}@{}steps", schedule.factor, schedule.period_steps);
    case Schedule::Rule::exponential:
      return fmt::format("exponential:{}", schedule.factor);
    case Schedule::Rule::polynomial:
      if (schedule.final_rate == 0) return fmt::format("polynomial:{}", schedule.power);
      return fmt::format("polynomial:{},{}", schedule.power, schedule.final_rate);
    case Schedule::Rule::cosine:
      return schedule.final_rate == 0 ? "cosine" : fmt::format("cosine:{}", schedule.final_rate);
  }
  CONVOY_CHECK(false, "rule ", static_cast<int>(schedule.rule));
}

}  // namespace

double Schedule::rate(std::int64_t t) const {
  CONVOY_CHECK(t >= 0, "step ", t);
  if (t < warmup_steps) return base_rate * static_cast<double>(t + 1) / static_cast<double>(warmup_steps);
  const std::int64_t length = std::max<std::int64_t>(total_steps - warmup_steps, 1);
  const std::int64_t s = std::min(t - warmup_steps, length);
  const double progress = static_cast<double>(s) / static_cast<double>(length);
  switch (rule) {
    case Rule::constant:
      return base_rate;
    case Rule::step:
      return base_rate * std::pow(factor, static_cast<double>((t - warmup_steps) / period_steps));
    case Rule::exponential:
      return base_rate * std::pow(factor, progress);
    case Rule::polynomial:
      return final_rate + (base_rate - final_rate) * std::pow(1 - progress, power);
    case Rule::cosine:
      return final_rate + (base_rate - final_rate) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
  CONVOY_CHECK(false, "rule ", static_cast<int>(rule));
}

Result<Schedule> Schedule::parse(std::string_view text, std::int64_t steps_per_epoch) {
  CONVOY_CHECK(steps_per_epoch >= 1, steps_per_epoch, " steps an epoch");
  // Not at the first '+': a number may be written 1e+2.
  constexpr std::string_view kWarmup = "+warmup:";
  const std::size_t plus = text.find(kWarmup);
  const auto head = split(text.substr(0, plus), ':');
  const auto parser = std::find_if(kParsers.begin(), kParsers.end(),
                                   [&](const RuleParser& p) { return p.name == head.first; });
  if (parser == kParsers.end()) return refuse(text, head.first, "is no schedule");
  Result<Schedule> parsed = parser->parse({text, head.second, steps_per_epoch});
  if (!parsed || plus == std::string_view::npos) return parsed;
  const std::string_view duration = text.substr(plus + kWarmup.size());
  const auto warmup = parse_duration(duration, steps_per_epoch);
  if (!warmup) return refuse(text, duration, "is no number of steps or epochs, at least one step");
  Schedule schedule = std::move(parsed).value();
  schedule.warmup_steps = *warmup;
  return schedule;
}

std::string Schedule::str() const {
  const std::string text = rule_text(*this);
  return warmup_steps == 0 ? text : fmt::format("{}+warmup:{}steps", text, warmup_steps);
}

}  // namespace convoy::optim
