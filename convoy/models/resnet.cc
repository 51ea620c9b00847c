// ResNet-18, -34, -50, -101, -152: residual blocks y = relu(x + f(x)) in four stages, batch norm behind every
// convolution. f has two 3x3 convolutions up to 34 layers, above that 1x1, 3x3 and 1x1 with a fourfold width
// behind. Where size or width change, the shortcut is a 1x1 convolution with batch norm (option B).
// 11,689,512, 21,797,672, 25,557,032, 44,549,160 and 60,192,808 parameters at 1000 classes.
//
// In the deep ones the 3x3 convolution has the stride, not the 1x1 before it as in the paper: what has come
// to be called version 1.5. Parameters are the same, ResNet-50 has 4.1 G multiply-accumulates in place
// of 3.9. With zero_gamma f starts as 0 (Goyal et al., Accurate, Large Minibatch SGD, 2017, section 5.1).
//
// Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016, table 1.
#include <array>

#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {
namespace {

struct Depth {
  std::int64_t layers;
  std::array<int, 4> blocks;  // of each stage
  bool is_bottleneck;
};

constexpr Depth kDepths[] = {{18, {2, 2, 2, 2}, false},
                             {34, {3, 4, 6, 3}, false},
                             {50, {3, 4, 6, 3}, true},
                             {101, {3, 4, 23, 3}, true},
                             {152, {3, 8, 36, 3}, true}};

struct Block {
  std::string name;
  std::int64_t channels;  // of the 3x3 convolution
  std::int64_t stride;
  bool is_bottleneck;
  double last_scale;  // what the last batch norm's scale starts at

  std::int64_t outputs() const { return is_bottleneck ? 4 * channels : channels; }
};

struct Filter {
  std::int64_t channels, kernel, stride = 1;
};

// A convolution without bias, which batch norm would cancel, and its batch norm.
layers::Net& normalised(layers::Net& net, const std::string& name, const Filter& filter, double scale = 1) {
  net.conv(name, {.output_channels = filter.channels,
                  .kernel = filter.kernel,
                  .stride = filter.stride,
                  .pad = filter.kernel / 2,
                  .bias = false});
  return net.batch_norm({.scale_value = scale}, name + "_bn");
}

void add_block(layers::Net& net, const Block& block) {
  const graph::ValueId input = net.value();
  graph::ValueId shortcut = input;
  if (block.stride != 1 || net.sample_shape()[0] != block.outputs()) {
    normalised(net, block.name + "_shortcut", {block.outputs(), 1, block.stride});
    shortcut = net.value();
    net.from(input);
  }
  if (block.is_bottleneck) {
    normalised(net, block.name + "a", {block.channels, 1}).relu();
    normalised(net, block.name + "b", {block.channels, 3, block.stride}).relu();
    normalised(net, block.name + "c", {block.outputs(), 1}, block.last_scale);
  } else {
    normalised(net, block.name + "a", {block.channels, 3, block.stride}).relu();
    normalised(net, block.name + "b", {block.channels, 3}, block.last_scale);
  }
  net.add(shortcut).relu();
}

}  // namespace

base::Result<graph::Graph> build_resnet(const ModelRequest& request) {
  const std::string name = base::str("resnet", request.depth);
  if (const auto verdict = check_image(name, request, 1); !verdict) return verdict.reason();
  const Depth* depth = kDepths;
  while (depth->layers != request.depth) ++depth;  // the catalog names no other
  layers::Net net(name, request.input_shape);
  normalised(net, "conv1", {scaled(request, 64), 7, 2}).relu();
  net.max_pool("pool1", {.kernel = 3, .stride = 2, .pad = 1});
  for (int stage = 0; stage < 4; ++stage)
    for (int i = 0; i < depth->blocks[static_cast<std::size_t>(stage)]; ++i)
      add_block(net, {.name = base::str("conv", stage + 2, "_", i + 1),
                      .channels = scaled(request, std::int64_t{64} << stage),
                      .stride = stage > 0 && i == 0 ? 2 : 1,
                      .is_bottleneck = depth->is_bottleneck,
                      .last_scale = request.zero_gamma ? 0.0 : 1.0});
  net.global_average_pool("mean").flatten("flatten");
  net.gemm("fc", request.classes, {.initialiser = "glorot"}).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
