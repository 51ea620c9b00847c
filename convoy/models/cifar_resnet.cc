// The residual nets for CIFAR-10: depth 6n+2, that is a convolution, three stages of n blocks of two 3x3
// convolutions with 16, 32 and 64 channels, the mean of each map and a dense layer. A shortcut into a
// wider and smaller stage takes every second pixel and adds the missing channels as zeros behind the
// others: it has no parameters (option A). 269,722, 464,154, 658,586, 853,018 and 1,727,962 parameters at
// depth 20, 32, 44, 56 and 110.
//
// Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016, section 4.2.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {
namespace {

struct Block {
  std::string name;
  std::int64_t channels, stride;
  double last_scale;  // what the last batch norm's scale starts at
};

layers::Net& normalised(layers::Net& net, const std::string& name, std::int64_t channels, std::int64_t stride,
                        double scale = 1) {
  net.conv(name, {.output_channels = channels, .kernel = 3, .stride = stride, .pad = 1, .bias = false});
  return net.batch_norm({.scale_value = scale}, name + "_bn");
}

// Option A, from the current value to the shape of a block's output.
graph::ValueId shortcut(layers::Net& net, const Block& block) {
  const std::int64_t missing = block.channels - net.sample_shape()[0];
  if (block.stride > 1) net.average_pool(block.name + "_every_second", {.kernel = 1, .stride = block.stride});
  if (missing > 0) net.pad_channels(0, missing, block.name + "_zeros");
  return net.value();
}

void add_block(layers::Net& net, const Block& block) {
  const graph::ValueId input = net.value();
  const graph::ValueId around = shortcut(net, block);
  net.from(input);
  normalised(net, block.name + "a", block.channels, block.stride).relu();
  normalised(net, block.name + "b", block.channels, 1, block.last_scale).add(around).relu();
}

}  // namespace

base::Result<graph::Graph> build_cifar_resnet(const ModelRequest& request) {
  const std::string name = base::str("cifar-resnet", request.depth);
  if (const auto verdict = check_image(name, request, 1); !verdict) return verdict.reason();
  if (request.depth < 8 || request.depth % 6 != 2)
    return base::Reason{base::str("model cifar-resnet: the depth ", request.depth,
                                  " is not 6n+2, such as 20, 32, 44, 56 and 110")};
  layers::Net net(name, request.input_shape);
  normalised(net, "conv1", scaled(request, 16), 1).relu();
  for (int stage = 0; stage < 3; ++stage)
    for (std::int64_t i = 1; i <= (request.depth - 2) / 6; ++i)
      add_block(net, {.name = base::str("conv", stage + 2, "_", i),
                      .channels = scaled(request, std::int64_t{16} << stage),
                      .stride = stage > 0 && i == 1 ? 2 : 1,
                      .last_scale = request.zero_gamma ? 0.0 : 1.0});
  net.global_average_pool("mean").flatten("flatten");
  net.gemm("fc", request.classes, {.initialiser = "glorot"}).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
