#include "convoy/models/catalog.h"

#include <algorithm>
#include <cmath>

#include "convoy/models/kinds.h"

namespace convoy::models {
namespace {

constexpr std::int64_t kMaxDepth = 10'000;

base::Verdict check_depth(const ModelKind& kind, std::int64_t depth) {
  if (depth == 0 || depth == kind.depth) return {};
  if (kind.depth == 0) return base::Reason{base::str("it has one depth; ", depth, " cannot be asked for")};
  if (!kind.is_depth_free)
    return base::Reason{base::str("the name says depth ", kind.depth, ", not ", depth)};
  if (depth < 1 || depth > kMaxDepth)
    return base::Reason{base::str("the depth ", depth, " is not in 1 ... ", kMaxDepth)};
  return {};
}

bool is_too_large(const tensor::Shape& input) {
  constexpr double kMostElements = 1LL << 40;
  double elements = 1;
  for (const std::int64_t size : input) elements *= static_cast<double>(size);
  return elements > kMostElements;
}

base::Verdict check(const ModelKind& kind, const ModelRequest& request) {
  if (is_too_large(request.input_shape))
    return base::Reason{base::str("the input ", request.input_shape.str(), " is too large")};
  if (kind.default_classes > 0 && request.classes < 1)
    return base::Reason{base::str(request.classes, " classes")};
  if (!(request.width > 0 && request.width <= 1024))
    return base::Reason{base::str("the width ", request.width, " is not in (0, 1024]")};
  if (request.zero_gamma && !kind.is_residual)
    return base::Reason{"it has no residual blocks whose scale could start at 0"};
  const auto names = static_cast<std::int64_t>(request.class_names.size());
  if (names != 0 && names != request.classes)
    return base::Reason{base::str(names, " class names for ", request.classes, " classes")};
  return check_depth(kind, request.depth);
}

}  // namespace

std::span<const ModelKind> catalog() {
  static const tensor::Shape kDigit = {1, 28, 28}, kCifar = {3, 32, 32}, kPhoto = {3, 224, 224};
  // clang-format off
  static const ModelKind kinds[] = {
      {"alexnet", "AlexNet of 2012: two towers, response normalisation, dropout", kPhoto, 1000, build_alexnet},
      {"alexnet-owt", "AlexNet in one tower, 64-192-384-256-256 channels", kPhoto, 1000, build_alexnet_owt},
      {"cifar-resnet", "residual net for small images, any depth 6n+2", kCifar, 10, build_cifar_resnet, 20, true, true},
      {"cifar-resnet110", "the same with 110 layers", kCifar, 10, build_cifar_resnet, 110, false, true},
      {"cifar-resnet20", "the same with 20 layers", kCifar, 10, build_cifar_resnet, 20, false, true},
      {"cifar-resnet32", "the same with 32 layers", kCifar, 10, build_cifar_resnet, 32, false, true},
      {"cifar-resnet44", "the same with 44 layers", kCifar, 10, build_cifar_resnet, 44, false, true},
      {"cifar-resnet56", "the same with 56 layers", kCifar, 10, build_cifar_resnet, 56, false, true},
      {"googlenet", "GoogLeNet: nine inception modules, one head", kPhoto, 1000, build_googlenet},
      {"googlenet-aux", "GoogLeNet as its paper trains it: two auxiliary heads, response normalisation", kPhoto, 1000, build_googlenet_aux},
      {"gupta-cifar", "Gupta's net for CIFAR-10: three convolutions of 64 channels", kCifar, 10, build_gupta_cifar},
      {"gupta-cnn", "Gupta's convolutional net for MNIST", kDigit, 10, build_gupta_cnn},
      {"gupta-mlp", "Gupta's fully connected net for MNIST: 784-1000-1000-10", kDigit, 10, build_gupta_mlp},
      {"lenet5", "LeNet-5 with ReLU, maximum pooling and a dense second convolution", kDigit, 10, build_lenet5},
      {"lenet5-paper", "LeNet-5 of 1998: partial connections, tanh, means, radial basis functions", kDigit, 10, build_lenet5_paper},
      {"linear", "softmax regression: one fully connected layer", kDigit, 10, build_linear},
      {"mlp", "hidden layers of 1024 ReLU units; the depth counts them and the last", kDigit, 10, build_mlp, 3, true},
      {"resnet101", "ResNet-101", kPhoto, 1000, build_resnet, 101, false, true},
      {"resnet152", "ResNet-152", kPhoto, 1000, build_resnet, 152, false, true},
      {"resnet18", "ResNet-18", kPhoto, 1000, build_resnet, 18, false, true},
      {"resnet34", "ResNet-34", kPhoto, 1000, build_resnet, 34, false, true},
      {"resnet50", "ResNet-50", kPhoto, 1000, build_resnet, 50, false, true},
      {"sparse-autoencoder", "local filters of each place, L2 pooling, contrast normalisation: three levels, no labels", kDigit, 0, build_sparse_autoencoder, 3, true},
      {"sparse-autoencoder-conv", "the same with filters that all places share", kDigit, 0, build_sparse_autoencoder_conv, 3, true},
      {"sparse-autoencoder-tied", "the same with decoders that are the filters' transposes", kDigit, 0, build_sparse_autoencoder_tied, 3, true},
      {"vgg16", "VGG-16, configuration D", kPhoto, 1000, build_vgg, 16},
      {"vgg19", "VGG-19, configuration E", kPhoto, 1000, build_vgg, 19},
  };
  // clang-format on
  return kinds;
}

std::int64_t scaled(const ModelRequest& request, std::int64_t size) {
  return std::max<std::int64_t>(1, std::llround(request.width * static_cast<double>(size)));
}

base::Verdict check_image(std::string_view model, const ModelRequest& request, std::int64_t least) {
  const tensor::Shape& input = request.input_shape;
  if (input.rank() != 3)
    return base::Reason{base::str("model ", model, ": the input ", input.str(), " is not {C, H, W}")};
  for (int d = 1; d <= 2; ++d)
    if (input[d] < least)
      return base::Reason{base::str("model ", model, ": the input ", input.str(), " is too small; at least ",
                                    least, "x", least, " pixels are wanted")};
  return {};
}

base::Result<graph::Graph> build_model(std::string_view name, const ModelRequest& request) {
  std::string known;
  for (const ModelKind& kind : catalog()) {
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
    if (kind.name != name) continue;
    ModelRequest complete = request;
    if (complete.input_shape.rank() == 0) complete.input_shape = kind.default_input;
    if (complete.classes == 0) complete.classes = kind.default_classes;
    if (const base::Verdict verdict = check(kind, complete); !verdict)
      return base::Reason{base::str("model ", name, ": ", verdict.reason().text)};
    if (complete.depth == 0) complete.depth = kind.depth;
    return kind.build(complete);
  }
  return base::Reason{base::str("unknown model \"", name, "\"; known are ", known)};
}

}  // namespace convoy::models
