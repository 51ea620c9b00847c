// What `train_throughput` is asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy::bench {

// One line of the table.
struct Case {
  std::string_view name;
  std::string_view model;  // of Convoy's catalog and of the peer's
  int batch = 0;
  double bar = 0;  // images/s over the peer's: at least; 0: none is set
  double aim = 0;
  double memory_bar = 0.35;  // peak memory over the peer's: at most
  bool bf16 = false;         // the precision of both sides, else float32
};
const std::vector<Case>& cases();

struct Options {
  bool help = false;
  bool json = false;  // print JSON instead of tables
  bool without_peer = false;
  bool memory_only = false;  // train one case for a moment and print peak memory
  double seconds = 0.5;      // of one repetition of one side
  int repetitions = 15;
  int threads = 2;
  std::vector<Case> chosen;  // all, or those named
  std::string record;        // file for the results
};

// Throws base::UsageError.
Options parse_options(const std::vector<std::string>& arguments);
std::string help_text();

}  // namespace convoy::bench
