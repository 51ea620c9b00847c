#include "bench/conv_algorithms/options.h"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::bench {
namespace {

using kernels::Pass;

// CLI11's own words and its status would differ from the house's.
class Parser {
 public:
  Parser() {
    app_.set_help_flag();
    app_.add_flag("-h,--help", options_.help, "this text");
    app_.add_flag("--json", options_.json, "print one JSON object instead of tables");
    app_.add_flag("--details", options_.details, "also print a line for each layer");
    app_.add_option("--set", sets_, "these layer sets alone (all)")->delimiter(',');
    app_.add_option("--direction", directions_, "these directions alone (all)")->delimiter(',');
    app_.add_option("--threads", options_.threads, "compute threads of all sides (1,2)")
        ->delimiter(',')
        ->check(CLI::Range(1, 1024));
    app_.add_option("--repetitions", options_.repetitions, "samples of each algorithm, at least (5)")
        ->check(CLI::Range(1, 1000));
    app_.add_option("--seconds", options_.seconds, "of each algorithm, at least (0.06)")
        ->check(CLI::Range(0.0, 60.0));
    app_.add_flag("--without-peer", options_.without_peer, "leave PyTorch out");
    app_.add_flag("--without-tuner", options_.without_tuner, "leave the tuner's pick out");
    app_.add_option("--record", options_.record, "also write bars and fastest times to this file, as JSON");
  }

  ConvOptions parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants it
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      throw base::UsageError(base::str("conv_algorithms: ", error.what(), "; see --help"));
    }
    choose_sets();
    choose_passes();
    if (options_.threads.empty()) options_.threads = {1, 2};
    return options_;
  }

  std::string text() const { return app_.help(); }

 private:
  void choose_sets() {
    std::string known;
    for (const benchkit::ConvSet& set : benchkit::conv_sets()) {
      known += base::str(known.empty() ? "" : ", ", set.name);
      if (sets_.empty()) options_.sets.push_back(&set);
    }
    for (const std::string& name : sets_) {
      options_.sets.push_back(benchkit::find_conv_set(name));
      if (options_.sets.back() == nullptr)
        throw base::UsageError(base::str("conv_algorithms: no layer set '", name, "'; there are: ", known));
    }
  }

  void choose_passes() {
    const std::vector<Pass> all = {Pass::forward, Pass::backward_data, Pass::backward_weights};
    if (directions_.empty()) options_.passes = all;
    for (const std::string& text : directions_) {
      const auto found =
          std::find_if(all.begin(), all.end(), [&](Pass pass) { return kernels::name(pass) == text; });
      if (found == all.end())
        throw base::UsageError(base::str("conv_algorithms: no direction '", text,
                                         "'; there are: forward, backward_data, backward_weights"));
      options_.passes.push_back(*found);
    }
  }

  CLI::App app_{"Convoy's convolution algorithms beside oneDNN and PyTorch, layer by layer, in one run.",
                "conv_algorithms"};
  ConvOptions options_;
  std::vector<std::string> sets_, directions_;
};

}  // namespace

ConvOptions parse_conv_options(const std::vector<std::string>& arguments) {
  return Parser().parse(arguments);
}

std::string conv_help_text() {
  return Parser().text() +
         "\nEach algorithm is timed in its own layout, conversions excluded, in turn with the others of the "
         "same\n"
         "layer. 'Ours' is every entry of the catalog but oneDNN's and the float64 reference. PyTorch is\n"
         "bench/peers/conv_torch.py under bench/peers/torch_env.sh, in the better of NCHW and NHWC, up to "
         "150 GFLOP a call.\n"
         "\nExample:\n  conv_algorithms --set vgg16 --direction forward --repetitions 15 --details\n";
}

}  // namespace convoy::bench
