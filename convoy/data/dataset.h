// Labelled examples, read one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "convoy/tensor/shape.h"

namespace convoy::data {

// What every example of a data set looks like.
struct DatasetInfo {
  std::string name;            // "mnist/train"
  tensor::Shape sample_shape;  // {C, H, W}
  std::int64_t size = 0;       // examples
  std::vector<std::string> class_names;
  std::vector<float> mean;  // per channel, of values scaled to [0, 1]
  std::vector<float> stddev;
  std::vector<std::string> notes;  // what a user should know: absent parts, a lossy source
};

// A fixed, indexed collection of examples. Reads are positional and keep nothing, so memory does not grow
// with the size of the set. Thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual const DatasetInfo& info() const = 0;

  // Writes example `index`, channels first, raw 8-bit values 0 … 255, and returns its class,
  // 0 <= class < class_names.size(). Requires 0 <= index < size and pixels.size() == sample_shape.count().
  // Throws InputError for data that turns out to be bad.
  virtual std::int32_t read(std::int64_t index, std::span<std::uint8_t> pixels) const = 0;
};

// Which part of a data set.
enum class Split { train, test };

// How a data set is found and made.
struct DatasetRequest {
  Split split = Split::train;
  std::string data_dir = {};  // root that holds one folder a data set; empty: the cache, then a download
  bool offline = false;       // never touch the network
  std::uint64_t seed = 1;     // for generated data
  std::int64_t size = 0;      // for generated data; 0: the set's own default
};

// One line of the catalog of data sets (data/readers/catalog.cc).
struct DatasetKind {
  std::string_view name;         // "digits", "mnist", "cifar10"
  std::string_view description;  // one line for --help
  std::unique_ptr<Dataset> (*open)(const DatasetRequest&);
  // What its examples look like, known without its files: {C, H, W}, and how many classes there are.
  std::array<std::int64_t, 3> sample_shape = {};
  std::int64_t classes = 0;
};

std::span<const DatasetKind> dataset_catalog();

// Opens a data set by name. Throws UsageError for an unknown name (listing the known ones), InputError for
// missing or bad files, naming the file and what to do.
std::unique_ptr<Dataset> open_dataset(const std::string& name, const DatasetRequest& request);

}  // namespace convoy::data
