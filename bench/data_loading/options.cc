#include "bench/data_loading/options.h"

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
    app_.add_option("data", options_.data, "folder:PATH or shards:PATH, of JPEG pictures");
    app_.add_option("--augment", options_.augment, "as of convoy train (resized_crop,flip)");
    app_.add_option("--image-size", options_.image_size, "height and width of a sample (224)")
        ->check(CLI::Range(1, 4096));
    app_.add_option("--batch", options_.batch, "images of a batch (32)")->check(CLI::Range(1, 65536));
    app_.add_option("--images", options_.images, "of one sample of one side (256)")
        ->check(CLI::Range(1, 1000000));
    app_.add_option("--repetitions", options_.repetitions, "interleaved samples of each side (15)")
        ->check(CLI::Range(1, 1000));
    app_.add_option("--train", options_.model,
                    "also train this model, from the data and from a synthetic batch");
    app_.add_option("--workers", options_.workers, "with --train: threads of the loader (1)")
        ->check(CLI::Range(0, 256));
    app_.add_option("--threads", options_.threads, "with --train: compute threads, at most (2)")
        ->check(CLI::Range(1, 1024));
    app_.add_option("--seconds", options_.seconds, "with --train: of one sample of one side (2)")
        ->check(CLI::Range(0.01, 600.0));
    app_.add_flag("--json", options_.json, "print one JSON object instead of tables");
    app_.add_option("--record", options_.record, "also write the JSON object to this file");
  }

  LoadingOptions parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants it
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      throw base::UsageError(base::str("data_loading: ", error.what(), "; see --help"));
    }
    if (options_.data.empty() && !options_.help)
      throw base::UsageError("data_loading: which data? give folder:PATH or shards:PATH; see --help");
    return options_;
  }

  std::string text() const { return app_.help(); }

 private:
  LoadingOptions options_;
  CLI::App app_{"Images/s of the loader on one core, beside a bare TurboJPEG loop over the same files.",
                "data_loading"};
};

}  // namespace

LoadingOptions parse_loading_options(const std::vector<std::string>& arguments) {
  return Parser().parse(arguments);
}

std::string loading_help() {
  return Parser().text() +
         "\nThe loader decodes, crops, resizes, augments and normalises to float32 in the calling thread. "
         "The bare "
         "loop reads the\nsame files and decodes each whole to RGB, with TurboJPEG's defaults, and does "
         "nothing "
         "else.\n"
         "\nExample:\n  data_loading folder:flowers5 --train googlenet --record results.json\n";
}

}  // namespace convoy::bench
