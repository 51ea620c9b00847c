// AlexNet, twice.
//
//   alexnet      the two towers of 2012 in one graph: the second, fourth and fifth convolution have two
//                groups. Local response normalisation behind the first two, overlapping pooling, dropout
//                behind the two hidden dense layers. 60,965,224 parameters, 724.4 M multiply-accumulates.
//   alexnet-owt  one tower, 64-192-384-256-256 channels, without response normalisation, as it is usually
//                trained and timed since. 61,100,840 parameters, 714.2 M multiply-accumulates.
//
// The border of 2 gives the 55x55 outputs of the first convolution that the paper names for images of 224.
// Its normalisation divides by (2 + 1e-4 sum)^0.75 over 5 channels; ONNX's alpha is 5 times that, as it takes
// the mean. Weights start from N(0, 0.01); biases of 1 give the rectifiers of conv2, conv4, conv5 and the
// hidden dense layers positive inputs. In alexnet-owt conv3 to conv5 start from N(0, 0.03), as in the
// author's code.
//
// Sources: Krizhevsky, Sutskever, Hinton, ImageNet Classification with Deep Convolutional Neural Networks,
// 2012, sections 3 to 5; Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {
namespace {

constexpr std::int64_t kLeast = 63;  // 15 after conv1, 7 after pool1, 3 after pool2, 1 after pool5
const layers::PoolOptions kOverlapping = {.kernel = 3, .stride = 2};
const layers::LrnOptions kNormalisation = {.size = 5, .alpha = 5e-4, .beta = 0.75, .bias = 2};
const char* const kNarrow = "gaussian:0.01";

// The dense layers, each hidden one followed by dropout.
base::Result<graph::Graph> finish(layers::Net& net, const ModelRequest& request) {
  net.flatten("flatten");
  for (const char* name : {"fc6", "fc7"})
    net.gemm(name, scaled(request, 4096), {.initialiser = kNarrow, .bias_value = 1}).relu().dropout();
  net.gemm("fc8", request.classes, {.initialiser = kNarrow}).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace

base::Result<graph::Graph> build_alexnet(const ModelRequest& request) {
  if (const auto verdict = check_image("alexnet", request, kLeast); !verdict) return verdict.reason();
  // Channels of both towers; `groups` says how many of them a filter sees.
  const auto conv = [&](std::int64_t tower, std::int64_t kernel, std::int64_t groups, double bias) {
    return layers::ConvOptions{.output_channels = 2 * scaled(request, tower),
                               .kernel = kernel,
                               .pad = kernel / 2,
                               .groups = groups,
                               .initialiser = kNarrow,
                               .bias_value = bias};
  };
  layers::Net net("alexnet", request.input_shape);
  layers::ConvOptions first = conv(48, 11, 1, 0);
  first.stride = 4;
  first.pad = 2;
  net.conv("conv1", first).relu().lrn(kNormalisation).max_pool("pool1", kOverlapping);
  net.conv("conv2", conv(128, 5, 2, 1)).relu().lrn(kNormalisation).max_pool("pool2", kOverlapping);
  net.conv("conv3", conv(192, 3, 1, 0)).relu();
  net.conv("conv4", conv(192, 3, 2, 1)).relu();
  net.conv("conv5", conv(128, 3, 2, 1)).relu().max_pool("pool5", kOverlapping);
  return finish(net, request);
}

base::Result<graph::Graph> build_alexnet_owt(const ModelRequest& request) {
  if (const auto verdict = check_image("alexnet-owt", request, kLeast); !verdict) return verdict.reason();
  const auto conv = [&](std::int64_t channels, double bias) {
    return layers::ConvOptions{.output_channels = scaled(request, channels),
                               .kernel = 3,
                               .pad = 1,
                               .initialiser = "gaussian:0.03",
                               .bias_value = bias};
  };
  layers::Net net("alexnet-owt", request.input_shape);
  net.conv(
      "conv1",
      {.output_channels = scaled(request, 64), .kernel = 11, .stride = 4, .pad = 2, .initialiser = kNarrow});
  net.relu().max_pool("pool1", kOverlapping);
  net.conv("conv2", {.output_channels = scaled(request, 192),
                     .kernel = 5,
                     .pad = 2,
                     .initialiser = kNarrow,
                     .bias_value = 1});
  net.relu().max_pool("pool2", kOverlapping);
  net.conv("conv3", conv(384, 0)).relu();
  net.conv("conv4", conv(256, 1)).relu();
  net.conv("conv5", conv(256, 1)).relu().max_pool("pool5", kOverlapping);
  return finish(net, request);
}

}  // namespace convoy::models
