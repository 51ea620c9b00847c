#include <array>

#include "convoy/base/error.h"
#include "convoy/data/dataset.h"
#include "convoy/data/digits.h"
#include "convoy/data/readers/cifar10.h"
#include "convoy/data/readers/mnist.h"

namespace convoy::data {
namespace {

constexpr std::array<DatasetKind, 3> kDatasets{{
    {"digits", "generated digits, 28x28 grey, 10 classes; needs no file", &open_digits, {1, 28, 28}, 10},
    {"mnist",
     "handwritten digits, 28x28 grey, 10 classes; files or a download of 12 MB",
     &open_mnist,
     {1, 28, 28},
     10},
    {"cifar10",
     "pictures, 32x32 colour, 10 classes; files or a download of 170 MB",
     &open_cifar10,
     {3, 32, 32},
     10},
}};

}  // namespace

std::span<const DatasetKind> dataset_catalog() { return kDatasets; }

std::unique_ptr<Dataset> open_dataset(const std::string& name, const DatasetRequest& request) {
  std::string known;
  for (const DatasetKind& kind : kDatasets) {
    if (kind.name == name) return kind.open(request);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw base::UsageError("unknown data set '" + name + "'; known are " + known);
}

}  // namespace convoy::data
