// A fluent way to write a model down. Each call applies a layer to the current value.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "convoy/graph/graph.h"

namespace convoy::layers {

// A size a spatial dimension: `= 5` means 5 in each, `= {3, 5}` gives them one by one.
struct PerDimension {
  PerDimension(std::int64_t every) : values{every}, is_uniform(true) {}
  PerDimension(std::initializer_list<std::int64_t> each) : values(each) {}

  std::vector<std::int64_t> values;
  bool is_uniform = false;
};

struct ConvOptions {
  std::int64_t output_channels = 0;
  PerDimension kernel = 1;
  PerDimension stride = 1;
  PerDimension pad = 0;  // at both ends of each dimension
  PerDimension dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  std::string auto_pad = "NOTSET";  // VALID, SAME_UPPER or SAME_LOWER instead of `pad`
  std::string initialiser = "he";   // glorot, gaussian:STDDEV, constant:VALUE
  double bias_value = 0;
};

struct PoolOptions {
  PerDimension kernel = 2;
  PerDimension stride = 2;
  PerDimension pad = 0;
  bool ceil_mode = false;
};

struct GemmOptions {
  bool bias = true;
  std::string initialiser = "he";
  double bias_value = 0;
};

struct LrnOptions {
  std::int64_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double bias = 1;
};

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.9;                // of the old running statistics
  std::int64_t statistics_samples = 0;  // 0: the whole global minibatch
  double scale_value = 1;               // what scale starts at
};

// Builds a Graph from left to right:
//
//   layers::Net net("tiny", {1, 28, 28});
//   net.conv("conv1", {.output_channels = 8, .kernel = 5}).relu().max_pool({.kernel = 2, .stride = 2});
//   net.flatten().gemm("fc", 10).softmax_cross_entropy();
//   base::Result<graph::Graph> graph = std::move(net).build();
//
// A layer without a name gets its kind's and a number: conv1, relu2, pool1. Branches: keep value(), go back
// with from(), join with concat() or add(). The first mistake is reported by build(); calls after it are
// harmless. Not thread-safe.
class Net {
 public:
  // `sample_shape` is of one example, {C, H, W}.
  Net(std::string name, tensor::Shape sample_shape);

  Net& conv(std::string name, const ConvOptions& options);
  Net& conv(const ConvOptions& options) { return conv("", options); }
  Net& gemm(std::string name, std::int64_t output_features, const GemmOptions& options = {});
  Net& gemm(std::int64_t output_features) { return gemm("", output_features); }
  Net& max_pool(std::string name, const PoolOptions& options);
  Net& max_pool(const PoolOptions& options = {}) { return max_pool("", options); }
  Net& average_pool(std::string name, const PoolOptions& options);
  Net& average_pool(const PoolOptions& options = {}) { return average_pool("", options); }
  Net& global_average_pool(std::string name = "");
  Net& relu(std::string name = "");
  Net& leaky_relu(double alpha = 0.01, std::string name = "");
  Net& sigmoid(std::string name = "");
  Net& tanh(std::string name = "");
  Net& softmax(std::string name = "");
  Net& flatten(std::string name = "");
  Net& reshape(const tensor::Shape& sample_shape, std::string name = "");  // without the batch dimension
  Net& scale(double factor, std::string name = "");
  Net& gather(std::vector<std::int64_t> channels, std::string name = "");  // picks channels, in this order
  Net& pad_channels(std::int64_t before, std::int64_t behind, std::string name = "");  // with zeros
  Net& dropout(double ratio = 0.5, std::string name = "");
  Net& lrn(const LrnOptions& options = {}, std::string name = "");
  Net& batch_norm(const BatchNormOptions& options = {}, std::string name = "");
  Net& add(graph::ValueId other, std::string name = "");
  Net& concat(std::vector<graph::ValueId> values, std::string name = "");  // channels of `values` alone

  // The current value becomes the output, and its loss the model's: against the labels, or against `target`;
  // auxiliary losses are added to it.
  Net& softmax_cross_entropy(std::string name = "loss");
  Net& mean_squared_error(graph::ValueId target, std::string name = "loss");
  // Adds `weight` times the loss of the current value against the labels to what training minimises: a head
  // beside the one that predicts. Call it before the model's own loss.
  Net& auxiliary_softmax_cross_entropy(double weight, const std::string& name);
  // The same for a current value that is a loss or a penalty itself, of the name `name`.
  Net& auxiliary_loss(double weight, const std::string& name);
  // The current value, a scalar, becomes the model's loss; auxiliary losses are added to it.
  Net& minimise(const std::string& name = "loss");
  // The current value becomes the output, without a loss.
  Net& output();
  Net& class_names(std::vector<std::string> names);

  // Any kind: `others` follow the current value as further inputs.
  Net& apply(const graph::LayerKind& kind, std::string name, const graph::Attributes& attributes,
             std::vector<graph::ValueId> others = {});

  graph::ValueId input() const { return 0; }
  graph::ValueId value() const { return current_; }
  Net& from(graph::ValueId value);
  // Of the current value, without the batch dimension; the first mistake freezes it.
  tensor::Shape sample_shape() const;

  // The graph, or the first mistake: layer, operator, shapes, reason.
  base::Result<graph::Graph> build() &&;

 private:
  std::string named(std::string name, const std::string& stem);
  Net& pool(const graph::LayerKind& kind, std::string name, const PoolOptions& options);
  // One entry a spatial dimension, `copies` times over.
  std::vector<std::int64_t> spread(const PerDimension& sizes, int copies = 1) const;

  graph::GraphBuilder builder_;
  graph::ValueId current_ = 0;
  std::map<std::string, int> numbers_;
  std::vector<graph::ValueId> auxiliary_losses_;
};

}  // namespace convoy::layers
