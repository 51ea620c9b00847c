#include "convoy/models/catalog.h"

#include <algorithm>
#include <cmath>

#include "convoy/models/kinds.h"

namespace convoy::models {

std::span<const ModelKind> catalog() {
  static const ModelKind kinds[] = {
      {"lenet5",
       "LeNet-5 with ReLU, maximum pooling and a dense second convolution",
       {1, 28, 28},
       10,
       build_lenet5},
      {"linear", "softmax regression: one fully connected layer", {1, 28, 28}, 10, build_linear},
      {"mlp", "two hidden layers of 1024 ReLU units", {1, 28, 28}, 10, build_mlp},
  };
  return kinds;
}

std::int64_t scaled(const ModelRequest& request, std::int64_t size) {
  return std::max<std::int64_t>(1, std::llround(request.width * static_cast<double>(size)));
}

base::Result<graph::Graph> build_model(std::string_view name, const ModelRequest& request) {
  std::string known;
  for (const ModelKind& kind : catalog()) {
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
    if (kind.name != name) continue;
    ModelRequest complete = request;
    if (complete.input_shape.rank() == 0) complete.input_shape = kind.default_input;
    if (complete.classes == 0) complete.classes = kind.default_classes;
    if (complete.classes < 1)
      return base::Reason{base::str("model ", name, ": ", complete.classes, " classes")};
    if (!(complete.width > 0 && complete.width <= 1024))
      return base::Reason{base::str("model ", name, ": the width ", complete.width, " is not in (0, 1024]")};
    const auto names = static_cast<std::int64_t>(complete.class_names.size());
    if (names != 0 && names != complete.classes)
      return base::Reason{
          base::str("model ", name, ": ", names, " class names for ", complete.classes, " classes")};
    return kind.build(complete);
  }
  return base::Reason{base::str("unknown model \"", name, "\"; known are ", known)};
}

}  // namespace convoy::models
