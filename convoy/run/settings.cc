#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/data/augment.h"
#include "convoy/data/division.h"
#include "convoy/kernels/kernel.h"
#include "convoy/optim/schedule.h"
#include "convoy/optim/update_rule.h"
#include "convoy/run/assemble.h"
#include "convoy/run/config.h"
#include "convoy/run/nearest.h"
#include "convoy/train/strategy.h"

namespace convoy::run {
namespace {

constexpr std::int64_t kMany = 1'000'000'000'000;  // steps, examples: far beyond any run, far below overflow
constexpr std::int64_t kMaxSize = std::int64_t{1} << 50;
constexpr std::int64_t kMaxSeed = 0x7fffffffffffffff;  // TOML's largest integer

// Intervals of real settings.
enum class Range { positive, not_negative, fraction, share, multiple };

base::Reason refusal(const std::string& expected, std::string_view text) {
  return base::Reason{base::str("must be ", expected, ", not '", text, "'")};
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end && !text.empty();
}

template <auto member, std::int64_t low, std::int64_t high>
base::Verdict set_integer(RunConfig& config, std::string_view text) {
  std::int64_t value = 0;
  if (!parse_number(text, value)) return refusal("a whole number", text);
  if (value < low) return refusal(base::str("at least ", low), text);
  if (value > high) return refusal(base::str("at most ", high), text);
  config.*member = static_cast<std::remove_reference_t<decltype(config.*member)>>(value);
  return {};
}

template <auto member, Range range>
base::Verdict set_real(RunConfig& config, std::string_view text) {
  double value = 0;
  if (!parse_number(text, value) || !std::isfinite(value)) return refusal("a number", text);
  if (range == Range::positive && !(value > 0)) return refusal("above 0", text);
  if (range == Range::not_negative && !(value >= 0)) return refusal("at least 0", text);
  if (range == Range::fraction && !(value >= 0 && value < 1)) return refusal("at least 0 and below 1", text);
  if (range == Range::share && !(value > 0 && value <= 1)) return refusal("above 0 and at most 1", text);
  if (range == Range::multiple && value != 0 && !(value >= 1)) return refusal("0 or at least 1", text);
  config.*member = value;
  return {};
}

template <auto member>
base::Verdict set_switch(RunConfig& config, std::string_view text) {
  if (text != "true" && text != "false") return refusal("true or false", text);
  config.*member = text == "true";
  return {};
}

template <auto member, base::Verdict (*check)(std::string_view)>
base::Verdict set_text(RunConfig& config, std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20)
      return base::Reason{"must be one line of text without control characters"};
  if (base::Verdict verdict = check(text); !verdict) return verdict;
  config.*member = std::string(text);
  return {};
}

// "16M": a whole number, and a power of 1,024.
template <auto member>
base::Verdict set_size(RunConfig& config, std::string_view text) {
  constexpr std::string_view kUnits = "KMG";
  const std::size_t unit = text.empty() ? kUnits.npos : kUnits.find(text.back());
  const int shift = unit == kUnits.npos ? 0 : static_cast<int>(unit + 1) * 10;
  std::int64_t value = 0;
  if (!parse_number(shift > 0 ? text.substr(0, text.size() - 1) : text, value) || value < 0)
    return refusal("a number of bytes such as 16M (K, M and G are powers of 1,024)", text);
  if (value > kMaxSize >> shift) return refusal("at most 1048576G", text);
  config.*member = value << shift;
  return {};
}

// In the largest unit that divides it.
template <auto member>
std::string get_size(const RunConfig& config) {
  const std::int64_t bytes = config.*member;
  for (const auto& [unit, shift] : {std::pair("G", 30), std::pair("M", 20), std::pair("K", 10)})
    if (bytes != 0 && bytes % (std::int64_t{1} << shift) == 0) return std::to_string(bytes >> shift) + unit;
  return std::to_string(bytes);
}

template <auto member>
std::string get_value(const RunConfig& config) {
  const auto& value = config.*member;
  using Value = std::remove_cvref_t<decltype(value)>;
  if constexpr (std::is_same_v<Value, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<Value, bool>) {
    return value ? "true" : "false";
  } else {
    std::array<char, 32> text{};
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
  }
}

base::Verdict any(std::string_view) { return {}; }

base::Verdict not_empty(std::string_view text) {
  if (text.empty()) return base::Reason{"must not be empty"};
  return {};
}

base::Verdict check_augment(std::string_view text) {
  const auto parsed = data::parse_augment(text);
  return parsed ? base::Verdict() : base::Verdict(parsed.reason());
}

base::Verdict check_input(std::string_view text) {
  if (text.empty()) return {};
  const auto parsed = parse_sample_shape(text);
  return parsed ? base::Verdict() : base::Verdict(parsed.reason());
}

base::Verdict check_fold(std::string_view text) {
  const auto parsed = data::parse_fold(text);
  return parsed ? base::Verdict() : base::Verdict(parsed.reason());
}

base::Verdict check_schedule(std::string_view text) {
  const auto parsed = optim::Schedule::parse(text, 1);
  return parsed ? base::Verdict() : base::Verdict(parsed.reason());
}

// Whether a catalog has an entry of that name.
template <class Catalog>
base::Verdict check_name(const Catalog& catalog, std::string_view text) {
  std::vector<std::string_view> names;
  std::string list;
  for (const auto& kind : catalog) {
    if (kind.name == text) return {};
    names.push_back(kind.name);
    list += (list.empty() ? "" : ", ") + std::string(kind.name);
  }
  return base::Reason{base::str(names.size() == 1 ? "must be " : "must be one of ", list, ", not '", text,
                                "'", suggestion(text, names))};
}

base::Verdict check_optimizer(std::string_view text) {
  return check_name(optim::update_rule_catalog(), text);
}
base::Verdict check_strategy(std::string_view text) { return check_name(train::strategy_catalog(), text); }

base::Verdict check_precision(std::string_view text) {
  for (const std::string_view known : {"float32", "bf16"})
    if (text == known) return {};
  return refusal("one of float32, bf16", text);
}

base::Verdict check_layout(std::string_view text) {
  if (text == "auto") return {};
  const auto family = kernels::parse_layout_family(text);
  return family ? base::Verdict()
                : base::Verdict(refusal("one of auto, plain, channels_last, blocked", text));
}

// LAYER=ENTRY pairs; whether they exist is known only with the model.
base::Verdict check_pairs(std::string_view text, std::string_view pairs, std::string_view example) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == pair.size())
      return refusal(base::str(pairs, " pairs with commas between them, such as ", example), pair);
    if (end + 1 == text.size()) return refusal(base::str(pairs, " pairs without a comma at the end"), text);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

base::Verdict check_kernels(std::string_view text) {
  return check_pairs(text, "LAYER=KERNEL", "conv1=reference");
}

base::Verdict check_algorithms(std::string_view text) {
  return check_pairs(text, "LAYER=ALGORITHM", "conv1=fft");
}

base::Verdict check_tune(std::string_view text) {
  for (const std::string_view known : {"auto", "off", "force"})
    if (text == known) return {};
  return refusal("one of auto, off, force", text);
}

base::Verdict check_recompute(std::string_view text) {
  if (text == "none" || text == "sqrt") return {};
  return refusal("one of none, sqrt", text);
}

// Rows of the table.
template <auto member, std::int64_t low, std::int64_t high>
constexpr Setting integer(std::string_view section, std::string_view name, std::string_view help) {
  return {section, name, help, set_integer<member, low, high>, get_value<member>, ValueType::integer};
}
template <auto member, Range range>
constexpr Setting real(std::string_view section, std::string_view name, std::string_view help) {
  return {section, name, help, set_real<member, range>, get_value<member>, ValueType::real};
}
template <auto member>
constexpr Setting boolean(std::string_view section, std::string_view name, std::string_view help) {
  return {section, name, help, set_switch<member>, get_value<member>, ValueType::boolean, true};
}
template <auto member, base::Verdict (*check)(std::string_view) = any>
constexpr Setting text(std::string_view section, std::string_view name, std::string_view help) {
  return {section, name, help, set_text<member, check>, get_value<member>, ValueType::text};
}

template <auto member, base::Verdict (*check)(std::string_view)>
constexpr Setting list(std::string_view section, std::string_view name, std::string_view help) {
  Setting setting = text<member, check>(section, name, help);
  setting.is_list = true;
  return setting;
}
template <auto member>
constexpr Setting size(std::string_view section, std::string_view name, std::string_view help) {
  return {section, name, help, set_size<member>, get_size<member>, ValueType::size};
}

using C = RunConfig;

// clang-format off
constexpr Setting kSettings[] = {
    text<&C::model, not_empty>("model", "model", "model to train ('convoy inspect --help' lists them), or a file such as net.onnx"),
    real<&C::width, Range::positive>("model", "width", "factor on the channels and features of hidden layers"),
    integer<&C::depth, 0, 10'000>("model", "depth", "layers, for models that take any: cifar-resnet, mlp; 0: the model's own"),
    text<&C::input, check_input>("model", "input", "shape of a sample, such as 3x224x224; empty: that of the data set"),
    integer<&C::classes, 0, 1 << 24>("model", "classes", "outputs of the last layer; 0: as many as the data set has"),
    boolean<&C::zero_gamma>("model", "zero_gamma", "start the last batch norm of each residual block at scale 0"),

    text<&C::data, not_empty>("data", "data", "data set: digits (generated), mnist, cifar10, folder:PATH, shards:PATH"),
    text<&C::data_dir>("data", "data_dir", "directory that holds mnist/, cifar10/; empty: the cache, then a download"),
    boolean<&C::offline>("data", "offline", "never use the network"),
    integer<&C::train_size, 0, kMany>("data", "train_size", "training examples of a generated set; 0: its default"),
    integer<&C::test_size, 0, kMany>("data", "test_size", "test examples of a generated set; 0: its default"),
    text<&C::augment, check_augment>("data", "augment", "changes to training images, such as crop=4,flip,rotate=15 or resized_crop,flip,jitter=0.4"),
    integer<&C::image_size, 1, 4096>("data", "image_size", "height and width that pictures of a folder or of shards are resized to"),
    real<&C::centre_crop, Range::share>("data", "centre_crop", "share of a picture's shorter side that testing sees"),
    real<&C::test_share, Range::fraction>("data", "test_share", "share of each class for testing, of pictures that are not divided into train and val"),
    text<&C::fold, check_fold>("data", "fold", "test on this fold of all pictures and train on the others, as in 1/5"),
    integer<&C::max_bad, 0, kMany>("data", "max_bad", "pictures that cannot be read and are passed over with a warning; one more ends the run"),

    integer<&C::epochs, 1, kMany>("train", "epochs", "passes over the training data"),
    integer<&C::steps, 0, kMany>("train", "steps", "stop after so many update steps; 0: as epochs says"),
    integer<&C::batch, 1, 1 << 24>("train", "batch", "images of one update step"),
    integer<&C::seed, 0, kMaxSeed>("train", "seed", "seed of all random numbers"),
    text<&C::optimizer, check_optimizer>("train", "optimizer", "sgd, momentum, nesterov, adagrad, rmsprop or adam"),
    real<&C::learning_rate, Range::positive>("train", "learning_rate", "base learning rate"),
    text<&C::schedule, check_schedule>("train", "schedule", "of the learning rate: cosine, constant, step:0.1@5epochs, cosine+warmup:1epochs and more"),
    real<&C::momentum, Range::fraction>("train", "momentum", "of the optimizers momentum and nesterov"),
    real<&C::weight_decay, Range::not_negative>("train", "weight_decay", "L2 penalty on weights; biases have none"),
    real<&C::epsilon, Range::not_negative>("train", "epsilon", "of adagrad, rmsprop and adam; 0: the optimizer's own"),
    real<&C::decay, Range::fraction>("train", "decay", "of rmsprop: what the mean square keeps in each step"),
    real<&C::beta1, Range::fraction>("train", "beta1", "of adam: what the mean keeps in each step"),
    real<&C::beta2, Range::fraction>("train", "beta2", "of adam: what the mean square keeps in each step"),
    text<&C::strategy, check_strategy>("train", "strategy", "how training is organised: sync"),
    text<&C::precision, check_precision>("train", "precision", "of activations and products: float32, or bf16 with float32 parameters, sums and updates"),

    integer<&C::threads, 0, 4096>("execution", "threads", "compute threads; 0: all processors available"),
    integer<&C::loader_workers, 0, 256>("execution", "loader_workers", "threads that prepare batches; 0: the training thread does"),
    text<&C::layout, check_layout>("execution", "layout", "arrays in memory: auto, plain, channels_last, blocked or batch_blocked"),
    list<&C::kernels, check_kernels>("execution", "kernels", "kernels of layers, such as conv1=reference,*=onednn"),
    list<&C::conv_algorithm, check_algorithms>("execution", "conv_algorithm", "convolution algorithms of layers, such as conv1=fft,*=winograd:f4,conv9=auto"),
    size<&C::workspace_limit>("execution", "workspace_limit", "scratch memory that one kernel may use, such as 16M; 0: no limit"),
    real<&C::error_limit, Range::multiple>("execution", "error_limit", "largest error bound of a convolution, in multiples of the direct sum's; 0: no limit"),
    text<&C::tune, check_tune>("execution", "tune", "time kernels where the plan is made: auto (those not timed before), off, force (all)"),
    boolean<&C::fuse>("execution", "fuse", "join a layer with the activation that follows it"),
    boolean<&C::share_memory>("execution", "share_memory", "let values that are never needed at once share memory"),
    text<&C::recompute, check_recompute>("execution", "recompute", "activations computed again instead of kept: none, or sqrt: all but those of about every sqrt(L)-th layer"),
    size<&C::memory>("execution", "memory", "most memory of a training step, such as 4G, met by computing activations again; 0: no limit"),

    text<&C::output>("output", "output", "run directory; empty: runs/MODEL-DATA-TIME"),
    text<&C::resume, not_empty>("output", "resume", "never, auto (continue in the run directory), or a checkpoint's path"),
    boolean<&C::replan>("output", "replan", "resume with a new plan instead of the checkpoint's"),
    integer<&C::checkpoint_every, 0, kMany>("output", "checkpoint_every", "steps between checkpoints; 0: one an epoch"),
    integer<&C::keep_last, 1, 1'000'000>("output", "keep_last", "checkpoints to keep"),
    boolean<&C::profile>("output", "profile", "clock some steps after the warm-up: a table by layer and direction, and a Chrome trace"),
    integer<&C::profile_steps, 1, 1000>("output", "profile_steps", "steps that --profile clocks"),
};
// clang-format on

}  // namespace

std::span<const Setting> settings() { return kSettings; }

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : kSettings)
    if (setting.name == name) return &setting;
  return nullptr;
}

}  // namespace convoy::run
