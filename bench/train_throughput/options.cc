#include "bench/train_throughput/options.h"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::bench {
namespace {

// CLI11's own words and its status would differ from the house's.
class Parser {
 public:
  Parser() {
    app_.set_help_flag();
    app_.add_flag("-h,--help", options_.help, "this text");
    app_.add_flag("--json", options_.json, "print one JSON object instead of tables");
    app_.add_option("--seconds", options_.seconds, "of one repetition of one side (0.5)")
        ->check(CLI::Range(0.01, 60.0));
    app_.add_option("--repetitions", options_.repetitions, "A B pairs of each case (15)")
        ->check(CLI::Range(1, 1000));
    app_.add_option("--threads", options_.threads, "compute threads of both sides, at most (2)")
        ->check(CLI::Range(1, 1024));
    app_.add_option("--one", names_, "these cases alone");
    app_.add_flag("--without-peer", options_.without_peer, "measure Convoy only");
    app_.add_option("--record", options_.record, "also write the JSON object to this file");
    app_.add_flag("--memory", options_.memory_only, "with --one: train it for a moment, print peak memory");
  }

  Options parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants it
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      throw base::UsageError(base::str("train_throughput: ", error.what(), "; see --help"));
    }
    choose();
    return options_;
  }

  std::string text() const { return app_.help(); }

 private:
  void choose() {
    std::string known;
    for (const Case& entry : cases()) {
      known += base::str(known.empty() ? "" : ", ", entry.name);
      if (names_.empty()) options_.chosen.push_back(entry);
    }
    for (const std::string& name : names_) {
      const auto found =
          std::find_if(cases().begin(), cases().end(), [&](const Case& entry) { return entry.name == name; });
      if (found == cases().end())
        throw base::UsageError(base::str("train_throughput: no case '", name, "'; there are: ", known));
      options_.chosen.push_back(*found);
    }
    if (options_.memory_only && options_.chosen.size() != 1)
      throw base::UsageError("train_throughput: --memory wants --one CASE");
  }

  CLI::App app_{"Training throughput of Convoy beside PyTorch as tuned as it gets, in one run.",
                "train_throughput"};
  Options options_;
  std::vector<std::string> names_;
};

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {.name = "lenet5-64", .model = "lenet5", .batch = 64, .bar = 1.8, .aim = 2.5},
      {.name = "lenet5-1", .model = "lenet5", .batch = 1, .bar = 6, .aim = 10},
      {.name = "mlp-128", .model = "mlp", .batch = 128, .bar = 1.4, .aim = 1.6},
      {.name = "mlp-1", .model = "mlp", .batch = 1, .bar = 0, .aim = 4},
      {.name = "alexnet-32", .model = "alexnet-owt", .batch = 32, .bar = 1.4, .aim = 1.6, .memory_bar = 0.65},
      {.name = "vgg16-8", .model = "vgg16", .batch = 8, .bar = 1.9, .aim = 2.3, .memory_bar = 0.65},
      {.name = "googlenet-16", .model = "googlenet", .batch = 16, .bar = 1.3, .aim = 1.5, .memory_bar = 0.65},
      {.name = "resnet50-8", .model = "resnet50", .batch = 8, .bar = 1.25, .aim = 1.4, .memory_bar = 0.65},
      {.name = "googlenet-16-bf16",
       .model = "googlenet",
       .batch = 16,
       .bar = 1.1,
       .aim = 1.3,
       .memory_bar = 0.65,
       .bf16 = true},
      {.name = "resnet50-8-bf16",
       .model = "resnet50",
       .batch = 8,
       .bar = 1.1,
       .aim = 1.3,
       .memory_bar = 0.65,
       .bf16 = true},
  };
  return all;
}

Options parse_options(const std::vector<std::string>& arguments) { return Parser().parse(arguments); }

std::string help_text() {
  return Parser().text() +
         "\nA step is forward, cross entropy, backward and SGD (momentum 0.9, weight decay 5e-4 of weights "
         "and\n"
         "biases) on one fixed synthetic batch, in float32 or, of cases that end in -bf16, with bf16 "
         "activations and\n"
         "products on both sides (PyTorch's autocast). The peer is bench/peers/train_torch.py under\n"
         "bench/peers/torch_env.sh, in its better layout and number of threads.\n"
         "\nExample:\n  train_throughput --one lenet5-64 --repetitions 25 --record results.json\n";
}

}  // namespace convoy::bench
