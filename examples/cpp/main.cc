// Defines a small convolutional network, trains it on the embedded digits, saves it and uses what was saved.
#include <convoy/base/error.h>
#include <convoy/layers/net.h>
#include <convoy/run/model_file.h>
#include <convoy/run/training.h>

#include <cstdio>

using namespace convoy;

int main() try {
  layers::Net net("tiny", {1, 28, 28});
  net.conv("conv1", {.output_channels = 8, .kernel = 5, .pad = 2}).relu().max_pool();
  net.conv("conv2", {.output_channels = 16, .kernel = 5}).relu().max_pool();
  net.flatten().gemm("scores", 10).softmax_cross_entropy();
  const base::Result<graph::Graph> graph = std::move(net).build();
  if (!graph) {
    std::fprintf(stderr, "%s\n", graph.reason().text.c_str());
    return 1;
  }

  run::ResolvedConfig settings;  // every setting of `convoy train` is a member of settings.config
  settings.config.data = "digits";
  settings.config.train_size = 20000;
  settings.config.epochs = 2;
  settings.config.output = "tiny-run";
  settings.config.resume = "auto";

  run::RunObserver observer;
  observer.on_epoch = [](const run::EpochReport& epoch) {
    std::printf("epoch %d: loss %.3f, test accuracy %.2f %%, %.0f images/s\n",
                static_cast<int>(epoch.epoch) + 1, epoch.train_loss, 100 * epoch.test_accuracy,
                epoch.images_per_second);
  };
  base::StopToken stop;
  const run::TrainResult result = run::train(*graph, settings, observer, stop);

  const auto model = run::open_model({.path = result.checkpoint});
  std::printf("%s holds %s: %.2f %% of the test digits are right\n", result.checkpoint.c_str(),
              model->graph().name().c_str(),
              100 * model->evaluate(settings.config, /*test_split=*/true).accuracy());
  return 0;
} catch (const base::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return static_cast<int>(error.exit_code());
}
