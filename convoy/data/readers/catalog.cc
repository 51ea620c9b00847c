#include <array>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/dataset.h"
#include "convoy/data/digits.h"
#include "convoy/data/readers/cifar10.h"
#include "convoy/data/readers/folder.h"
#include "convoy/data/readers/mnist.h"
#include "convoy/data/readers/shards.h"

namespace convoy::data {
namespace {

constexpr std::array<DatasetKind, 5> kDatasets{{
    {"digits", "generated digits, 28x28 grey, 10 classes; needs no file", &open_digits, {{1, 28, 28}, 10}},
    {"mnist",
     "handwritten digits, 28x28 grey, 10 classes; files or a download of 12 MB",
     &open_mnist,
     {{1, 28, 28}, 10}},
    {"cifar10",
     "pictures, 32x32 colour, 10 classes; files or a download of 170 MB",
     &open_cifar10,
     {{3, 32, 32}, 10}},
    {"folder", "pictures in one folder a class, as folder:PATH", &open_folder, {}, &describe_folder},
    {"shards", "pictures in tar shards, as shards:PATH", &open_shards, {}, &describe_shards},
}};

struct NamedSet {
  const DatasetKind& kind;
  DatasetRequest request;
};

// "folder:PATH" is the kind "folder" with PATH as its source.
NamedSet parse_name(const std::string& name, const DatasetRequest& request) {
  const std::size_t colon = name.find(':');
  const DatasetKind* kind = find_dataset(name);
  if (kind == nullptr) {
    std::string known;
    for (const DatasetKind& each : kDatasets)
      known += base::str(known.empty() ? "" : ", ", each.name, each.describe == nullptr ? "" : ":PATH");
    throw base::UsageError(base::str("unknown data set '", name, "'; known are ", known));
  }
  const bool has_source = colon != std::string::npos && colon + 1 < name.size();
  if (has_source != (kind->describe != nullptr))
    throw base::UsageError(base::str("the data set '", kind->name, "' ",
                                     has_source ? "takes no place behind a colon" : "needs its place, as in ",
                                     has_source ? "" : kind->name, has_source ? "" : ":PATH"));
  NamedSet set{*kind, request};
  if (has_source) set.request.source = name.substr(colon + 1);
  return set;
}

}  // namespace

std::span<const DatasetKind> dataset_catalog() { return kDatasets; }

const DatasetKind* find_dataset(std::string_view name) {
  for (const DatasetKind& kind : kDatasets)
    if (kind.name == name.substr(0, name.find(':'))) return &kind;
  return nullptr;
}

DatasetShape describe_dataset(const std::string& name, const DatasetRequest& request) {
  const NamedSet set = parse_name(name, request);
  return set.kind.describe == nullptr ? set.kind.shape : set.kind.describe(set.request);
}

std::unique_ptr<Dataset> open_dataset(const std::string& name, const DatasetRequest& request) {
  const NamedSet set = parse_name(name, request);
  return set.kind.open(set.request);
}

}  // namespace convoy::data
