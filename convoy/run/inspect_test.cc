#include "convoy/run/inspect.h"

#include <gtest/gtest.h>

#include "convoy/base/error.h"
#include "convoy/kernels/bf16.h"
#include "convoy/run/assemble.h"

namespace convoy::run {
namespace {

RunConfig lenet(std::int64_t batch) {
  RunConfig config;
  config.batch = batch;
  config.threads = 1;
  config.tune = "off";  // whatever this machine's tuning cache holds
  return config;
}

// 5·5·1·6+6 + 5·5·6·16+16 + 400·120+120 + 120·84+84 + 84·10+10 parameters (LeCun et al. 1998, fully connected
// convolutions), and the products of the convolutions' output positions and filters.
TEST(Inspect, CountsLenet5) {
  const InspectReport report = inspect(lenet(64));
  EXPECT_EQ(report.parameters, 61'706);
  EXPECT_EQ(report.macs, 28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10);
  EXPECT_EQ(report.input_shape, "1x28x28");
  std::int64_t parameters = 0;
  for (const LayerReport& layer : report.layers) {
    parameters += layer.parameters;
    EXPECT_FALSE(layer.kernels.empty() && layer.op != "Flatten") << layer.name;
  }
  EXPECT_EQ(parameters, report.parameters);
  EXPECT_GT(report.predicted_step_seconds, 0);
  EXPECT_FALSE(report.plan_text.empty());
  EXPECT_FALSE(report.program_text.empty());
}

// A chain: the network's depth is the sum. Convolutions 0 + 3 + 3 and 3 + 3 + 3, pooling 1 + 1, dense layers
// 9, 7 and 7, a level a Relu; the loss two trees over ten classes, one over the batch, and 5.
TEST(Inspect, CountsWorkAndDepthOfLenet5) {
  const InspectReport report = inspect(lenet(64));
  std::int64_t work = 0;
  for (const LayerReport& layer : report.layers) work += layer.forward.work;
  EXPECT_EQ(report.forward_of_one.work, work);
  EXPECT_EQ(report.forward.work, 64 * work);
  const std::int64_t layers = 6 + 9 + 2 + 2 + 9 + 7 + 7 + 4, loss = 2 * 4 + 5;
  EXPECT_EQ(report.forward_of_one.depth, layers + loss);
  EXPECT_EQ(report.forward.depth, layers + loss + 6);
  // Two products more a layer but for the gradient of the images.
  const std::int64_t macs = 64 * report.macs;
  EXPECT_GT(report.step.work, 3 * macs - 64 * 117'600);
  EXPECT_GT(report.step.depth, report.forward.depth + layers / 2);
}

TEST(Inspect, MemoryFollowsBatchAndOptimizer) {
  RunConfig config = lenet(1);
  config.layout = "plain";  // others pad weights, as the batch favours
  const InspectReport one = inspect(config);
  config.batch = 64;
  config.optimizer = "adam";
  const InspectReport many = inspect(config);
  EXPECT_EQ(one.memory.data, 28 * 28 * 4 + 4);
  EXPECT_EQ(many.memory.data, 64 * one.memory.data);
  EXPECT_EQ(many.memory.weights, one.memory.weights);
  EXPECT_GE(one.memory.weights, 61'706 * 4);
  EXPECT_EQ(many.memory.optimizer, 2 * one.memory.optimizer);
  EXPECT_GT(one.memory.gradients, 0);
  EXPECT_LT(one.memory.gradients, one.memory.weights);  // never all at once
  EXPECT_GT(many.memory.arena, one.memory.arena);
  EXPECT_LT(many.memory.arena, many.memory.arena_unshared);
  EXPECT_GT(many.memory.activation_gradients, 0);
  config.share_memory = false;
  const InspectReport unshared = inspect(config);
  EXPECT_EQ(unshared.memory.arena, unshared.memory.arena_unshared);
}

TEST(Inspect, MeetsAMemoryLimitByRecomputation) {
  RunConfig config = lenet(64);
  config.tune = "off";
  config.model = "cifar-resnet20";
  config.input = "3x32x32";
  const InspectReport open = inspect(config);
  EXPECT_FALSE(open.recomputation.was_requested());
  EXPECT_EQ(open.recomputation.memory_bytes, open.memory.total());
  config.memory = open.memory.total() * 7 / 10;
  const InspectReport tight = inspect(config);
  EXPECT_LE(tight.memory.total(), config.memory);
  EXPECT_EQ(tight.recomputation.memory_bytes, tight.memory.total());
  EXPECT_GT(tight.recomputation.layers, 0);
  EXPECT_GT(tight.predicted_step_seconds, open.predicted_step_seconds);
  EXPECT_NEAR(tight.predicted_step_seconds, tight.recomputation.step_seconds,
              0.02 * tight.predicted_step_seconds);
  config.recompute = "sqrt";
  EXPECT_THROW(inspect(config), base::UsageError);
  config.memory = 0;
  EXPECT_LT(inspect(config).memory.total(), open.memory.total());
}

TEST(Inspect, ShowsThePlanInTheTrainingsPrecision) {
  RunConfig config = lenet(64);
  config.precision = "bf16";
  config.kernels = "conv1=onednn";
  if (!kernels::check_bf16_products()) {
    EXPECT_THROW(inspect(config), base::UsageError);
    return;
  }
  const InspectReport report = inspect(config);
  EXPECT_NE(report.plan_text.find("/bf16"), std::string::npos) << report.plan_text;
  EXPECT_NE(report.program_text.find(" bf16 "), std::string::npos) << report.program_text;
}

TEST(Inspect, TakesTheShapeOfTheData) {
  RunConfig config = lenet(2);
  config.model = "mlp";
  config.data = "cifar10";
  EXPECT_EQ(inspect(config).input_shape, "3x32x32");
  config.data = "something-else";
  EXPECT_EQ(inspect(config).input_shape, "1x28x28");
}

TEST(Inspect, TakesWidthDepthInputAndClasses) {
  RunConfig config = lenet(2);
  config.model = "cifar-resnet";
  config.data = "mnist";
  config.width = 0.5;
  config.depth = 14;
  config.input = "3x20x24";
  config.classes = 4;
  config.layout = "plain";
  const InspectReport report = inspect(config);
  EXPECT_EQ(report.model, "cifar-resnet14");
  EXPECT_EQ(report.input_shape, "3x20x24");
  // conv1; then 5, 4 and 4 convolutions within the stages, and one into each wider one; batch norm; dense.
  const std::int64_t filters = 9 * (3 * 8 + 4 * 8 * 8 + 8 * 16 + 3 * 16 * 16 + 16 * 32 + 3 * 32 * 32),
                     norms = 2 * (5 * 8 + 4 * 16 + 4 * 32);
  EXPECT_EQ(report.parameters, filters + norms + 33 * 4);
}

TEST(Inspect, HasTheModelsOwnShapeWhereNobodyChoseData) {
  ResolvedConfig resolved = resolve_config("", {{"model", "cifar-resnet20"}}, {});
  take_own_shape(resolved);
  resolved.config.tune = "off";
  resolved.config.layout = "plain";
  EXPECT_EQ(inspect(resolved.config).input_shape, "3x32x32");
  resolved = resolve_config("", {{"model", "cifar-resnet20"}, {"data", "digits"}}, {});
  take_own_shape(resolved);
  EXPECT_EQ(resolved.config.data, "digits");
}

// The nets that the survey quotes, and the paths around and out of the usual chain.
TEST(Inspect, CountsLargeNets) {
  RunConfig config = lenet(1);
  config.data.clear();
  config.layout = "plain";
  config.model = "alexnet";
  const InspectReport alexnet = inspect(config);
  EXPECT_EQ(alexnet.macs, 724'406'816);
  std::int64_t operations = 0;  // with biases: the survey's 725 M
  for (const LayerReport& layer : alexnet.layers)
    if (layer.op == "Conv" || layer.op == "Gemm") operations += layer.forward.work;
  EXPECT_EQ(operations, 725'066'088);
  config.model = "googlenet-aux";
  const InspectReport report = inspect(config);
  EXPECT_EQ(report.parameters, 13'378'280);
  EXPECT_EQ(report.layers.back().name, "loss_total");
}

std::string refusal(const RunConfig& config) {
  try {
    inspect(config);
  } catch (const base::UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return {};
}

TEST(Inspect, RefusesWhatDoesNotExist) {
  RunConfig config = lenet(2);
  config.model = "lenet6";
  EXPECT_NE(refusal(config).find("did you mean 'lenet5'?"), std::string::npos) << refusal(config);
  config.model = "resnet50";
  config.depth = 20;
  EXPECT_EQ(refusal(config), "model resnet50: the name says depth 50, not 20");
  config = lenet(2);
  config.kernels = "conv1=warp";
  EXPECT_NE(refusal(config).find("warp"), std::string::npos) << refusal(config);
  config.kernels = "conv1=onednn,conv1=reference";
  EXPECT_NE(refusal(config).find("twice"), std::string::npos);
  config = lenet(2);
  config.layout = "sideways";
  EXPECT_NE(refusal(config).find("--layout"), std::string::npos);
}

TEST(Assemble, ReadsThePlanRequest) {
  RunConfig config;
  config.kernels = "conv1=reference,*=onednn";
  config.layout = "plain";
  config.fuse = false;
  const plan::PlanRequest request = plan_request(config);
  EXPECT_EQ(request.layout, kernels::LayoutFamily::plain);
  EXPECT_EQ(request.kernels, (std::map<std::string, std::string>{{"conv1", "reference"}, {"*", "onednn"}}));
  EXPECT_FALSE(request.fuse);
  config.layout = "auto";
  EXPECT_FALSE(plan_request(config).layout.has_value());
}

}  // namespace
}  // namespace convoy::run
