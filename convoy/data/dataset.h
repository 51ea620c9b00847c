// Labelled examples, read one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "convoy/base/rng.h"
#include "convoy/data/crop.h"
#include "convoy/data/division.h"
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
  bool crops = false;              // pictures of any size, of which read_crop shows a part
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

  // The same with a random part of the picture, drawn from `random`; the other shows the centre. Requires
  // info().crops.
  virtual std::int32_t read_crop(std::int64_t index, const CropRange& range, base::RandomStream& random,
                                 std::span<std::uint8_t> pixels) const;
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

  // For pictures of any size.
  std::string source = {};        // where they are: what follows the colon of "folder:PATH"
  std::int64_t image_size = 224;  // height and width of a sample
  double centre_crop = 0.875;     // share of the shorter side that read() shows, see centre_crop()
  double test_share = 0.2;        // of pictures that are not divided into training and test
  Fold fold = {};                 // test on this one; the pictures' own division does not count then
};

// What the examples of a data set look like.
struct DatasetShape {
  std::array<std::int64_t, 3> sample_shape = {};  // {C, H, W}
  std::int64_t classes = 0;
};

// One line of the catalog of data sets (data/readers/catalog.cc).
struct DatasetKind {
  std::string_view name;         // "digits", "mnist", "cifar10"
  std::string_view description;  // one line for --help
  std::unique_ptr<Dataset> (*open)(const DatasetRequest&);
  DatasetShape shape = {};  // where it is known without its files
  // Where it is not: reads as few of them as it takes. Such sets are named with their place: "folder:PATH".
  DatasetShape (*describe)(const DatasetRequest&) = nullptr;
};

std::span<const DatasetKind> dataset_catalog();

// The catalog's entry of a name, without what follows a colon; null where there is none.
const DatasetKind* find_dataset(std::string_view name);

// What the examples of a data set look like. Throws as open_dataset does.
DatasetShape describe_dataset(const std::string& name, const DatasetRequest& request);

// Opens a data set by name, such as "mnist" or "folder:PATH". Throws UsageError for an unknown name (listing
// the known ones), InputError for missing or bad files, naming the file and what to do.
std::unique_ptr<Dataset> open_dataset(const std::string& name, const DatasetRequest& request);

}  // namespace convoy::data
