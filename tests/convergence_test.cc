// What the models reach on the data, through the whole of Convoy: minutes, so `make verify-long` runs it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "convoy/io/temporary_directory.h"
#include "convoy/run/training.h"

namespace convoy {
namespace {

double test_accuracy(std::map<std::string, std::string> settings) {
  const io::TemporaryDirectory directory;
  settings["output"] = directory.file("run");
  const run::ResolvedConfig config =
      run::resolve_config("", settings, [](const char* name) -> const char* { return std::getenv(name); });
  base::StopToken stop;
  return run::train(config, {}, stop).test_accuracy;
}

// The embedded digits are hard for a linear classifier and easy for LeNet-5.
TEST(Convergence, LinearStaysBelow95PercentOfTheDigits) {
  const double accuracy = test_accuracy({{"model", "linear"}, {"data", "digits"}, {"epochs", "10"}});
  EXPECT_LT(accuracy, 0.95);
  EXPECT_GT(accuracy, 0.80);
}

TEST(Convergence, LeNet5Exceeds98Point5PercentOfTheDigits) {
  for (const char* seed : {"1", "2", "3"}) {
    EXPECT_GT(test_accuracy({{"model", "lenet5"}, {"data", "digits"}, {"epochs", "2"}, {"seed", seed}}),
              0.985)
        << "seed " << seed;
  }
}

// Needs MNIST: in CONVOY_DATA_DIR or the cache, else it is downloaded.
TEST(Convergence, LeNet5Reaches99PercentOfMnist) {
  for (const char* seed : {"1", "2", "3", "4", "5"}) {
    EXPECT_GE(test_accuracy({{"model", "lenet5"}, {"data", "mnist"}, {"epochs", "10"}, {"seed", seed}}), 0.99)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace convoy
