// The readers of MNIST and CIFAR-10, on made-up and on real files.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>

#include "convoy/base/error.h"
#include "convoy/data/dataset.h"
#include "convoy/data/readers/cifar10.h"
#include "convoy/data/readers/idx.h"
#include "convoy/data/readers/locate.h"
#include "convoy/data/readers/mnist.h"
#include "convoy/io/archive.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::data {
namespace {

std::string word(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

// `count` images of 2x3 pixels that count upwards.
std::string images(std::uint32_t count) {
  std::string bytes = word(2051) + word(count) + word(2) + word(3);
  for (std::uint32_t i = 0; i < count * 6; ++i) bytes += static_cast<char>(i);
  return bytes;
}

std::string labels(const std::string& classes) {
  return word(2049) + word(static_cast<std::uint32_t>(classes.size())) + classes;
}

template <class Action>
std::string input_error_of(Action&& action) {
  try {
    action();
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "(no error)";
}

std::string images_problem(const std::string& bytes) {
  return input_error_of([&] { IdxImages(io::make_memory_file(std::as_bytes(std::span(bytes)), "f")); });
}

std::string labels_problem(const std::string& bytes) {
  return input_error_of(
      [&] { read_idx_labels(*io::make_memory_file(std::as_bytes(std::span(bytes)), "f"), 10); });
}

// Sets a variable of the environment, or removes it, for the time of a test.
class Environment {
 public:
  Environment(const char* name, std::optional<std::string> value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~Environment() { set(old_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const std::optional<std::string>& value) {
    if (value)
      ::setenv(name_, value->c_str(), 1);
    else
      ::unsetenv(name_);
  }

  const char* name_;
  std::optional<std::string> old_;
};

TEST(Idx, ReadsImagesAndLabels) {
  const std::string bytes = images(3);
  const IdxImages parsed(io::make_memory_file(std::as_bytes(std::span(bytes)), "f"));
  EXPECT_EQ(parsed.count(), 3);
  EXPECT_EQ(parsed.rows(), 2);
  EXPECT_EQ(parsed.columns(), 3);
  std::array<std::uint8_t, 6> pixels{};
  parsed.read(2, pixels);
  EXPECT_EQ(pixels, (std::array<std::uint8_t, 6>{12, 13, 14, 15, 16, 17}));
  const std::string classes = labels(std::string("\x05\x00\x09", 3));
  EXPECT_EQ(read_idx_labels(*io::make_memory_file(std::as_bytes(std::span(classes)), "f"), 10),
            (std::vector<std::uint8_t>{5, 0, 9}));
}

TEST(Idx, BadImagesAreRefused) {
  EXPECT_EQ(images_problem(""), "f: cut short: an IDX header of 16 bytes expected, 0 bytes found");
  EXPECT_EQ(images_problem(images(1).substr(0, 15)),
            "f: cut short: an IDX header of 16 bytes expected, 15 bytes found");
  EXPECT_EQ(images_problem(labels(std::string(20, '\0'))),
            "f: not an IDX file of images: starts with 2049, expected 2051");
  EXPECT_EQ(images_problem(images(3).substr(0, 33)),
            "f: cut short: 3 images of 2x3 take 34 bytes, 33 bytes found");
  EXPECT_EQ(images_problem(images(3) + "x"), "f: too long: 3 images of 2x3 take 34 bytes, 35 bytes found");
  EXPECT_NE(images_problem(images(0)).find("announces 0 images"), std::string::npos);
  EXPECT_NE(images_problem(word(2051) + word(1) + word(0) + word(3)).find("of 0x3"), std::string::npos);
  EXPECT_NE(images_problem(word(2051) + std::string(12, '\xff')).find("4294967295"), std::string::npos);
  EXPECT_NE(images_problem(word(2051) + word(0xffffffff) + word(4096) + word(4096)).find("cut short"),
            std::string::npos);
}

TEST(Idx, BadLabelsAreRefused) {
  EXPECT_EQ(labels_problem(word(2049)), "f: cut short: an IDX header of 8 bytes expected, 4 bytes found");
  EXPECT_EQ(labels_problem(images(1)), "f: not an IDX file of labels: starts with 2051, expected 2049");
  EXPECT_EQ(labels_problem(labels("\x01\x02").substr(0, 9)),
            "f: cut short: 2 labels take 10 bytes, 9 bytes found");
  EXPECT_EQ(labels_problem(labels("\x01\x02") + "x"), "f: too long: 2 labels take 10 bytes, 11 bytes found");
  EXPECT_EQ(labels_problem(labels("\x01\x0a")), "f: label 10 at byte 9 is out of range; expected 0 … 9");
}

TEST(Mnist, ReadsPlainFilesFromTheRoot) {
  const io::TemporaryDirectory dir;
  dir.write("mnist/train-images-idx3-ubyte", images(2));
  dir.write("mnist/train-labels-idx1-ubyte", labels("\x07\x03"));
  const auto dataset = open_dataset("mnist", {.split = Split::train, .data_dir = dir.path()});
  EXPECT_EQ(dataset->info().name, "mnist/train");
  EXPECT_EQ(dataset->info().size, 2);
  EXPECT_EQ(dataset->info().sample_shape, (tensor::Shape{1, 2, 3}));
  EXPECT_EQ(dataset->info().class_names.size(), 10u);
  std::array<std::uint8_t, 6> pixels{};
  EXPECT_EQ(dataset->read(1, pixels), 3);
  EXPECT_EQ(pixels[5], 11);
}

TEST(Mnist, EnvironmentNamesTheRootAndTheRequestGoesFirst) {
  const io::TemporaryDirectory dir;
  const Environment root("CONVOY_DATA_DIR", dir.file("env"));
  EXPECT_EQ(locate_data({}, "mnist").directory, dir.file("env/mnist"));
  EXPECT_FALSE(locate_data({}, "mnist").may_download);
  EXPECT_EQ(locate_data({.data_dir = "/flag"}, "mnist").directory, "/flag/mnist");
  const Environment none("CONVOY_DATA_DIR", std::nullopt);
  const Environment cache("XDG_CACHE_HOME", dir.file("cache"));
  EXPECT_EQ(locate_data({}, "mnist").directory, dir.file("cache/convoy/mnist"));
  EXPECT_TRUE(locate_data({}, "mnist").may_download);
  const Environment no_cache("XDG_CACHE_HOME", std::nullopt), no_home("HOME", std::nullopt);
  EXPECT_THROW(locate_data({}, "mnist"), base::UsageError);
}

TEST(Mnist, CountsMustAgree) {
  const io::TemporaryDirectory dir;
  dir.write("mnist/t10k-images-idx3-ubyte", images(2));
  dir.write("mnist/t10k-labels-idx1-ubyte", labels("\x01"));
  EXPECT_EQ(input_error_of([&] { open_mnist({.split = Split::test, .data_dir = dir.path()}); }),
            dir.file("mnist/t10k-labels-idx1-ubyte") + ": has 1 labels for the 2 images of " +
                dir.file("mnist/t10k-images-idx3-ubyte"));
}

TEST(Mnist, MissingFilesAreNamed) {
  const io::TemporaryDirectory dir;
  EXPECT_EQ(input_error_of([&] { open_mnist({.data_dir = dir.path()}); }),
            dir.file("mnist/train-images-idx3-ubyte") +
                ": no such file, nor with .gz or .xz; put the MNIST files there or give another --data-dir");
}

TEST(Mnist, OfflineSaysWhatToPutWhere) {
  const io::TemporaryDirectory dir;
  const Environment none("CONVOY_DATA_DIR", std::nullopt), cache("XDG_CACHE_HOME", dir.path());
  EXPECT_EQ(input_error_of([&] { open_mnist({.offline = true}); }),
            dir.file("convoy/mnist/train-images-idx3-ubyte.gz") +
                ": not there, and offline operation forbids the download; put the file from "
                "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz there");
  EXPECT_FALSE(std::filesystem::exists(dir.file("convoy")));
}

TEST(Mnist, DamagedGzipIsRefused) {
  const io::TemporaryDirectory dir;
  const Environment cache("XDG_CACHE_HOME", dir.file("cache"));
  dir.write("mnist/t10k-labels-idx1-ubyte", labels("\x01"));
  dir.write("mnist/t10k-images-idx3-ubyte", images(1));
  const std::string path = dir.file("mnist/t10k-images-idx3-ubyte.gz");
  ASSERT_EQ(std::system(("gzip -f " + dir.file("mnist/t10k-images-idx3-ubyte")).c_str()), 0);
  const DatasetRequest request{.split = Split::test, .data_dir = dir.path()};
  EXPECT_EQ(open_mnist(request)->info().size, 1);
  const std::string whole = io::read_file(path);
  dir.write("mnist/t10k-images-idx3-ubyte.gz", whole.substr(0, whole.size() - 3));
  EXPECT_NE(input_error_of([&] { open_mnist(request); }).find("cut short: the gzip data ends"),
            std::string::npos);
  std::string flipped = whole;
  flipped[whole.size() - 6] = static_cast<char>(flipped[whole.size() - 6] ^ 1);
  dir.write("mnist/t10k-images-idx3-ubyte.gz", flipped);
  EXPECT_NE(input_error_of([&] { open_mnist(request); }).find("corrupt gzip data"), std::string::npos);
}

std::string cifar_record(char label, char first_pixel) {
  std::string bytes(3073, '\0');
  bytes[0] = label;
  bytes[1] = first_pixel;
  return bytes;
}

std::string cifar_problem(const std::string& bytes, std::int64_t expected_records) {
  return input_error_of(
      [&] { CifarBatch(io::make_memory_file(std::as_bytes(std::span(bytes)), "f"), expected_records); });
}

TEST(Cifar10, ReadsRecords) {
  const std::string bytes = cifar_record(3, 17) + cifar_record(9, 18);
  const CifarBatch batch(io::make_memory_file(std::as_bytes(std::span(bytes)), "f"), 2);
  std::vector<std::uint8_t> pixels(3072);
  EXPECT_EQ(batch.read(1, pixels), 9);
  EXPECT_EQ(pixels[0], 18);
  EXPECT_EQ(batch.read(0, pixels), 3);
}

TEST(Cifar10, BadBatchesAreRefused) {
  const std::string two = cifar_record(3, 17) + cifar_record(9, 18);
  EXPECT_EQ(cifar_problem(two.substr(0, 6145), 2),
            "f: cut short: a batch of 2 pictures takes 6146 bytes, 6145 bytes found");
  EXPECT_EQ(cifar_problem(two + "x", 2),
            "f: too long: a batch of 2 pictures takes 6146 bytes, 6147 bytes found");
  EXPECT_EQ(cifar_problem(two + "x", 0), "f: has 6147 bytes, expected a multiple of 3073");
  EXPECT_EQ(cifar_problem("", 0), "f: has 0 bytes, expected a multiple of 3073");
  EXPECT_EQ(cifar_problem(two + cifar_record(10, 0), 3),
            "f: class 10 of picture 2 at byte 6146 is out of range; expected 0 … 9");
}

TEST(Cifar10, AbsentTrainingBatchesAreNamed) {
  const io::TemporaryDirectory dir;
  for (const char* name : {"cifar10/data_batch_2.bin", "cifar10/data_batch_4.bin"}) {
    dir.write(name, cifar_record(5, 1));
    ASSERT_EQ(::truncate(dir.file(name).c_str(), 30730000), 0);  // the rest: class 0, black
  }
  const auto dataset = open_dataset("cifar10", {.data_dir = dir.path()});
  EXPECT_EQ(dataset->info().size, 20000);
  ASSERT_EQ(dataset->info().notes.size(), 1u);
  EXPECT_EQ(dataset->info().notes[0],
            "absent and left out: data_batch_1.bin, data_batch_3.bin, data_batch_5.bin; 20000 of 50000 "
            "pictures are there");
  std::vector<std::uint8_t> pixels(3072);
  EXPECT_EQ(dataset->read(0, pixels), 5);
  EXPECT_EQ(dataset->read(10000, pixels), 5);
  EXPECT_EQ(dataset->read(10001, pixels), 0);
  EXPECT_EQ(input_error_of([&] {
              open_cifar10({.split = Split::test, .data_dir = dir.path()});
            }).find(dir.file("cifar10/test_batch.bin") + ": no such file"),
            0u);
}

TEST(Cifar10, OfflineSaysWhatToPutWhere) {
  const io::TemporaryDirectory dir;
  const Environment none("CONVOY_DATA_DIR", std::nullopt), cache("XDG_CACHE_HOME", dir.path());
  EXPECT_EQ(input_error_of([&] { open_cifar10({.offline = true}); })
                .find(dir.file("convoy/cifar10/cifar-10-binary.tar.gz") +
                      ": not there, and offline operation forbids"),
            0u);
}

TEST(Catalog, NamesAreUniqueAndUnknownOnesListThem) {
  std::set<std::string_view> names;
  for (const DatasetKind& kind : dataset_catalog()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_FALSE(kind.description.empty());
  }
  try {
    open_dataset("imagenet", {});
    FAIL();
  } catch (const base::UsageError& error) {
    EXPECT_EQ(std::string(error.what()),
              "unknown data set 'imagenet'; known are digits, mnist, cifar10, folder:PATH, shards:PATH");
  }
}

// Real files; the figures are those that the data sets' authors and many users publish.
class RealData : public testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("CONVOY_DATA_DIR");
    if (root == nullptr || *root == '\0') GTEST_SKIP() << "CONVOY_DATA_DIR is not set";
    root_ = root;
  }
  // Mean and standard deviation of a plane's values / 255, and the classes' counts.
  struct Statistics {
    double mean = 0, stddev = 0;
    std::vector<std::int64_t> counts = std::vector<std::int64_t>(10);
  };
  static Statistics statistics(const Dataset& dataset) {
    Statistics result;
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(dataset.info().sample_shape.count()));
    std::uint64_t sum = 0, sum_of_squares = 0;
    for (std::int64_t i = 0; i < dataset.info().size; ++i) {
      ++result.counts[static_cast<std::size_t>(dataset.read(i, pixels))];
      for (const std::uint8_t value : pixels) {
        sum += value;
        sum_of_squares += std::uint64_t{value} * value;
      }
    }
    const double count = static_cast<double>(dataset.info().size) * static_cast<double>(pixels.size());
    result.mean = static_cast<double>(sum) / count / 255;
    result.stddev =
        std::sqrt(static_cast<double>(sum_of_squares) / count / 255 / 255 - result.mean * result.mean);
    return result;
  }

  std::string root_;
};

TEST_F(RealData, Mnist) {
  if (!std::filesystem::exists(root_ + "/mnist")) GTEST_SKIP() << "no mnist in CONVOY_DATA_DIR";
  const auto train = open_dataset("mnist", {});
  EXPECT_EQ(train->info().size, 60000);
  EXPECT_EQ(train->info().sample_shape, (tensor::Shape{1, 28, 28}));
  std::vector<std::uint8_t> pixels(784);
  std::vector<std::int32_t> first;
  for (std::int64_t i = 0; i < 10; ++i) first.push_back(train->read(i, pixels));
  EXPECT_EQ(first, (std::vector<std::int32_t>{5, 0, 4, 1, 9, 2, 1, 3, 1, 4}));
  const Statistics found = statistics(*train);
  EXPECT_EQ(found.counts,
            (std::vector<std::int64_t>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}));
  EXPECT_NEAR(found.mean, train->info().mean[0], 5e-5);
  EXPECT_NEAR(found.stddev, train->info().stddev[0], 5e-5);
  EXPECT_EQ(open_dataset("mnist", {.split = Split::test})->info().size, 10000);
}

TEST_F(RealData, Cifar10) {
  if (!std::filesystem::exists(root_ + "/cifar10")) GTEST_SKIP() << "no cifar10 in CONVOY_DATA_DIR";
  const auto test = open_dataset("cifar10", {.split = Split::test});
  EXPECT_EQ(test->info().size, 10000);
  EXPECT_EQ(statistics(*test).counts, std::vector<std::int64_t>(10, 1000));
  const auto train = open_dataset("cifar10", {});
  EXPECT_EQ(train->info().size % 10000, 0);
  EXPECT_EQ(train->info().notes.empty(), train->info().size == 50000);
  std::vector<std::uint8_t> pixels(3072);
  EXPECT_EQ(train->read(0, pixels), 6);  // the first picture is a frog
  EXPECT_EQ(train->info().class_names[6], "frog");
}

TEST_F(RealData, Cifar10ExactRecords) {
  const std::string path = root_ + "/cifar10/lossless_train4000.bin.xz";
  if (!io::file_exists(path)) GTEST_SKIP() << path << " is absent";
  const CifarBatch batch(io::open_plain(path), 4000);
  std::vector<std::uint8_t> pixels(3072);
  EXPECT_EQ(batch.read(0, pixels), 6);
  EXPECT_EQ(std::vector<int>(pixels.begin(), pixels.begin() + 3), (std::vector<int>{59, 43, 50}));
  EXPECT_EQ(std::vector<int>(pixels.end() - 3, pixels.end()), (std::vector<int>{140, 84, 72}));
}

}  // namespace
}  // namespace convoy::data
