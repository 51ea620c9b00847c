// The three networks on which Gupta et al. show that 16-bit fixed point trains with stochastic rounding.
//
//   gupta-mlp    784-1000-1000-10, ReLU; weights from N(0, 0.01), biases 0. 1,796,010 parameters.
//   gupta-cnn    8 maps 5x5, maximum 2x2, 16 maps 5x5, maximum 2x2, 128 units, 10; ReLU. 37,610 parameters.
//   gupta-cifar  three times 64 maps 5x5 with padding and an overlapping maximum 3x3 of stride 2, then 10.
//
// The paper gives no distribution for the convolutional nets' weights: He's. The fixed-point number formats
// are the training configuration's, the preprocessing of CIFAR-10 (contrast normalisation, ZCA) the data's.
// Source: Gupta, Agrawal, Gopalakrishnan, Narayanan, Deep Learning with Limited Numerical Precision, 2015.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {

base::Result<graph::Graph> build_gupta_mlp(const ModelRequest& request) {
  const layers::GemmOptions gaussian = {.initialiser = "gaussian:0.01"};
  layers::Net net("gupta-mlp", request.input_shape);
  net.flatten("flatten").gemm("fc1", scaled(request, 1000), gaussian).relu();
  net.gemm("fc2", scaled(request, 1000), gaussian).relu();
  net.gemm("fc3", request.classes, gaussian).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

base::Result<graph::Graph> build_gupta_cnn(const ModelRequest& request) {
  constexpr std::int64_t kLeast = 16;  // 12 after conv1, 6 after pool1, 2 after conv2, 1 after pool2
  if (const auto verdict = check_image("gupta-cnn", request, kLeast); !verdict) return verdict.reason();
  layers::Net net("gupta-cnn", request.input_shape);
  net.conv("conv1", {.output_channels = scaled(request, 8), .kernel = 5}).relu().max_pool();
  net.conv("conv2", {.output_channels = scaled(request, 16), .kernel = 5}).relu().max_pool();
  net.flatten("flatten").gemm("fc1", scaled(request, 128)).relu();
  net.gemm("fc2", request.classes).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

base::Result<graph::Graph> build_gupta_cifar(const ModelRequest& request) {
  constexpr std::int64_t kLeast = 15;  // 7 after pool1, 3 after pool2, 1 after pool3
  if (const auto verdict = check_image("gupta-cifar", request, kLeast); !verdict) return verdict.reason();
  layers::Net net("gupta-cifar", request.input_shape);
  for (int i = 1; i <= 3; ++i) {
    net.conv(base::str("conv", i), {.output_channels = scaled(request, 64), .kernel = 5, .pad = 2}).relu();
    net.max_pool({.kernel = 3, .stride = 2});
  }
  net.flatten("flatten").gemm("fc1", request.classes).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
