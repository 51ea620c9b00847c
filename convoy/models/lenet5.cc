// LeNet-5 as it is trained today: the second convolution sees all channels, ReLU instead of tanh, maxima
// instead of averages, softmax instead of radial basis functions. 61,706 parameters at 1x28x28, 10 classes.
// Source: LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, 1998.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {

base::Result<graph::Graph> build_lenet5(const ModelRequest& request) {
  constexpr std::int64_t kLeast = 12;  // 6 after pool1, 2 after conv2, 1 after pool2
  if (const auto verdict = check_image("lenet5", request, kLeast); !verdict) return verdict.reason();
  layers::Net net("lenet5", request.input_shape);
  net.conv("conv1", {.output_channels = scaled(request, 6), .kernel = 5, .pad = 2}).relu().max_pool();
  net.conv("conv2", {.output_channels = scaled(request, 16), .kernel = 5}).relu().max_pool();
  net.flatten("flatten").gemm("fc1", scaled(request, 120)).relu();
  net.gemm("fc2", scaled(request, 84)).relu();
  net.gemm("fc3", request.classes).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
