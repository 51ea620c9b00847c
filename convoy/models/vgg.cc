// VGG-16 and VGG-19: five blocks of 3x3 convolutions, each ending in a maximum 2x2, three dense layers,
// dropout behind the two hidden ones. 138,357,544 and 143,667,240 parameters at 3x224x224 and 1000 classes.
// The paper starts the deep nets from a shallow one that was trained before; He's initialisation needs none.
// Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015,
// table 1, configurations D and E.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {

base::Result<graph::Graph> build_vgg(const ModelRequest& request) {
  constexpr std::int64_t kLeast = 32;  // five times halved
  const std::string name = base::str("vgg", request.depth);
  if (const auto verdict = check_image(name, request, kLeast); !verdict) return verdict.reason();
  layers::Net net(name, request.input_shape);
  const std::int64_t channels[] = {64, 128, 256, 512, 512};
  for (int block = 1; block <= 5; ++block) {
    const std::int64_t convolutions = block <= 2 ? 2 : (request.depth - 3 - 4) / 3;  // 3 dense, 4 above
    for (std::int64_t i = 1; i <= convolutions; ++i)
      net.conv(base::str("conv", block, "_", i),
               {.output_channels = scaled(request, channels[block - 1]), .kernel = 3, .pad = 1})
          .relu();
    net.max_pool();
  }
  net.flatten("flatten");
  for (const char* dense : {"fc1", "fc2"}) net.gemm(dense, scaled(request, 4096)).relu().dropout();
  net.gemm("fc3", request.classes).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
