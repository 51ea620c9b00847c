// Pictures of any size: crops, resizing, decoding and folders of classes.
#include "convoy/data/pictures.h"

#include <gtest/gtest.h>
#include <turbojpeg.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "convoy/base/error.h"
#include "convoy/data/image.h"
#include "convoy/data/loader.h"
#include "convoy/data/picture_decoder.h"
#include "convoy/data/readers/folder.h"
#include "convoy/data/resample.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::data {
namespace {

namespace fs = std::filesystem;
using Values = std::vector<std::uint8_t>;

base::RandomStream stream(std::uint64_t sample) { return {1, base::Purpose::test, 0, sample}; }

// {3, height, width} with value(c, y, x).
template <class Value>
Image picture(std::int64_t height, std::int64_t width, Value&& value) {
  Image image{.channels = 3, .height = height, .width = width, .pixels = {}};
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x)
        image.pixels.push_back(static_cast<std::uint8_t>(value(c, y, x)));
  return image;
}

std::string jpeg_of(const Image& image) {
  Values values(image.pixels.size());
  const std::size_t plane = values.size() / 3;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = image.pixels[i % 3 * plane + i / 3];
  const tjhandle jpeg = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(jpeg, values.data(), static_cast<int>(image.width), 0, static_cast<int>(image.height),
                        TJPF_RGB, &bytes, &size, TJSAMP_444, 95, 0),
            0);
  std::string out(reinterpret_cast<char*>(bytes), size);
  tjFree(bytes);
  tjDestroy(jpeg);
  return out;
}

Values decode(const std::string& bytes, const ImageSize& size, const ChooseBox& choose) {
  Values pixels(static_cast<std::size_t>(size.count()));
  make_picture_decoder()->decode(std::as_bytes(std::span(bytes)), "f", size, choose, pixels);
  return pixels;
}

template <class Action>
std::string problem_of(Action&& action) {
  try {
    action();
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "(no problem)";
}

TEST(RandomCrop, StaysWithinThePictureAndItsRanges) {
  for (std::uint64_t sample = 0; sample < 2000; ++sample) {
    base::RandomStream random = stream(sample);
    const Box box = random_crop(300, 400, {0.2, 0.5}, random);
    EXPECT_GE(box.top, 0);
    EXPECT_GE(box.left, 0);
    EXPECT_LE(box.top + box.height, 300);
    EXPECT_LE(box.left + box.width, 400);
    const double area = box.height * box.width / (300.0 * 400.0), ratio = box.width / box.height;
    EXPECT_GT(area, 0.2 - 0.005);
    EXPECT_LT(area, 0.5 + 0.005);
    EXPECT_GT(ratio, 0.75 - 0.01);
    EXPECT_LT(ratio, 4.0 / 3.0 + 0.015);
  }
}

TEST(RandomCrop, AreasAndPlacesAreUniform) {
  constexpr int kCount = 4000;
  double area = 0, middle = 0, log_ratio = 0;
  for (std::uint64_t sample = 0; sample < kCount; ++sample) {
    base::RandomStream random = stream(sample);
    const Box box = random_crop(1000, 1000, {0.1, 0.3}, random);
    area += box.height * box.width / 1e6;
    middle += (box.top + box.height / 2) / 1000;
    log_ratio += std::log(box.width / box.height);
  }
  EXPECT_NEAR(area / kCount, 0.2, 5 * 0.2 / std::sqrt(12.0 * kCount));
  EXPECT_NEAR(middle / kCount, 0.5, 5 * 1 / std::sqrt(12.0 * kCount));
  EXPECT_NEAR(log_ratio / kCount, 0, 5 * 0.6 / std::sqrt(12.0 * kCount));
}

TEST(RandomCrop, PicturesTooNarrowForItGiveTheirCentre) {
  base::RandomStream random = stream(0);
  EXPECT_EQ(random_crop(100, 10, {0.9, 1}, random), (Box{43, 0, 13, 10}));
  EXPECT_EQ(random_crop(1, 1, {1, 1}, random), (Box{0, 0, 1, 1}));
}

TEST(CentreCrop, KeepsTheSamplesRatio) {
  EXPECT_EQ(centre_crop(300, 500, {3, 224, 224}, 1), (Box{0, 100, 300, 300}));
  EXPECT_EQ(centre_crop(400, 200, {3, 224, 224}, 0.5), (Box{150, 50, 100, 100}));
  EXPECT_EQ(centre_crop(100, 100, {3, 50, 100}, 1), (Box{25, 0, 50, 100}));
  EXPECT_EQ(centre_crop(32, 32, {3, 32, 32}, 0.875), (Box{0, 0, 32, 32}));
}

Values resample(const Image& image, const Box& box, std::int64_t height, std::int64_t width) {
  return decode(encode_pnm(image), {3, height, width}, [&](auto, auto) { return box; });
}

TEST(Resample, WholeBoxesOfTheSameSizeAreCopied) {
  const Image image = picture(9, 12, [](auto c, auto y, auto x) { return 70 * c + 13 * y + x; });
  const Values cut = resample(image, {2, 3, 5, 7}, 5, 7);
  const Image expected = picture(5, 7, [](auto c, auto y, auto x) { return 70 * c + 13 * (y + 2) + x + 3; });
  EXPECT_EQ(cut, expected.pixels);
}

// Against the definition in float64, at sizes on both sides of the box's.
TEST(Resample, FollowsItsDefinition) {
  const Image image =
      picture(23, 31, [](auto c, auto y, auto x) { return (c * 91 + y * 57 + x * x * 7) % 256; });
  const Box box{1.25, 2.5, 17.5, 26.75};
  for (const auto& [height, width] :
       {std::pair(5, 40), std::pair(40, 5), std::pair(17, 26), std::pair(1, 1)}) {
    const Values found = resample(image, box, height, width);
    const auto weights = [](double begin, double length, std::int64_t out, std::int64_t o, std::int64_t in) {
      const double scale = length / static_cast<double>(out), reach = std::max(1.0, scale);
      std::vector<double> list(static_cast<std::size_t>(in));
      double sum = 0;
      for (std::int64_t i = 0; i < in; ++i) {
        const double distance =
            std::abs(static_cast<double>(i) + 0.5 - begin - (static_cast<double>(o) + 0.5) * scale);
        sum += list[static_cast<std::size_t>(i)] = std::max(0.0, 1 - distance / reach);
      }
      for (double& weight : list) weight /= sum;
      return list;
    };
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x) {
          const auto down = weights(box.top, box.height, height, y, 23);
          const auto across = weights(box.left, box.width, width, x, 31);
          double expected = 0;
          for (std::size_t i = 0; i < 23; ++i)
            for (std::size_t j = 0; j < 31; ++j)
              expected += down[i] * across[j] * image.pixels[(static_cast<std::size_t>(c) * 23 + i) * 31 + j];
          EXPECT_NEAR(found[static_cast<std::size_t>((c * height + y) * width + x)], expected, 0.5001);
        }
  }
}

TEST(Resample, ConstantPicturesStayConstant) {
  const Image image = picture(7, 5, [](auto c, auto, auto) { return 100 + 70 * c; });
  for (std::int64_t height = 1; height < 20; height += 3)
    for (std::int64_t width = 1; width < 20; width += 2) {
      const Image expected = picture(height, width, [](auto c, auto, auto) { return 100 + 70 * c; });
      EXPECT_EQ(resample(image, {0.5, 0.25, 6, 4.5}, height, width), expected.pixels);
    }
}

// Decoding at a part of the size may not change what is seen: it is compared with decoding the whole picture
// and resizing it.
TEST(PictureDecoder, ScaledDecodingShowsTheSame) {
  const auto wave = [](auto c, auto y, auto x) {
    return 128 + 100 * std::sin(static_cast<double>(y + 40 * c) / 37) * std::cos(static_cast<double>(x) / 53);
  };
  const Image image = picture(641, 483, wave);
  const std::string jpeg = jpeg_of(image), lossless = encode_png(image);
  for (const Box& box :
       {Box{0, 0, 641, 483}, Box{100, 50, 400, 300}, Box{320.5, 200.25, 64.5, 70}, Box{600, 0, 41, 40}})
    for (const std::int64_t side : {8, 33, 100, 224}) {
      const Values a = decode(jpeg, {3, side, side}, [&](auto, auto) { return box; });
      const Values b = decode(lossless, {3, side, side}, [&](auto, auto) { return box; });
      double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int{a[i]} - int{b[i]});
      EXPECT_LT(sum / static_cast<double>(a.size()), 2) << side << " " << box.top;
    }
}

TEST(PictureDecoder, GreyIsRepeatedAndDamageRefused) {
  const Image grey{.channels = 1, .height = 2, .width = 2, .pixels = {1, 2, 3, 4}};
  const auto whole = [](std::int64_t height, std::int64_t width) {
    return Box{0, 0, static_cast<double>(height), static_cast<double>(width)};
  };
  EXPECT_EQ(decode(encode_png(grey), {3, 2, 2}, whole), (Values{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}));
  const std::string jpeg = jpeg_of(picture(64, 64, [](auto c, auto y, auto x) { return c + y + x; }));
  for (std::size_t bytes = 4; bytes + 10 < jpeg.size(); bytes += 11)
    EXPECT_EQ(problem_of([&] {
                decode(jpeg.substr(0, bytes), {3, 8, 8}, whole);
              }).substr(0, 13),
              "f: bad JPEG: ");
}

class Folder : public testing::Test {
 protected:
  // A picture whose pixels all have the value.
  void write(const std::string& name, int value) const {
    const std::string path = directory_.file(name);
    fs::create_directories(fs::path(path).parent_path());
    directory_.write(name, encode_pnm(picture(4, 6, [&](auto, auto, auto) { return value; })));
  }
  std::unique_ptr<Dataset> open(const DatasetRequest& request = {}) const {
    DatasetRequest full = request;
    full.image_size = 4;
    return open_dataset("folder:" + directory_.path(), full);
  }
  std::string problem(const DatasetRequest& request = {}) const {
    std::string text = problem_of([&] { open(request); });
    const std::size_t at = text.find(directory_.path());
    return at == std::string::npos ? text : text.replace(at, directory_.path().size(), "DIR");
  }
  // The pixels' value of each example, and that labels are those of the classes.
  static std::vector<int> values(const Dataset& set) {
    std::vector<int> list;
    Values pixels(48);
    for (std::int64_t i = 0; i < set.info().size; ++i) {
      const std::int32_t label = set.read(i, pixels);
      EXPECT_EQ(label, pixels[0] / 100) << i;
      list.push_back(pixels[0]);
    }
    return list;
  }

  io::TemporaryDirectory directory_;
};

TEST_F(Folder, ClassesAreItsFoldersSorted) {
  for (const auto& [name, value] :
       {std::pair("a/2.ppm", 2), std::pair("a/1.PPM", 1), std::pair("a/deep/er/3.jpg", 3),
        std::pair("b/x.ppm", 100), std::pair("b/.hidden.ppm", 9), std::pair("c/y.ppm", 200)})
    write(std::string("train/") + name, value);
  for (const auto& [name, value] :
       {std::pair("a/7.ppm", 7), std::pair("b/7.ppm", 107), std::pair("c/7.ppm", 207)})
    write(std::string("val/") + name, value);
  directory_.write("train/a/readme.txt", "text");
  const auto train = open(), test = open({.split = Split::test});
  EXPECT_EQ(train->info().class_names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(train->info().name, io::base_name(directory_.path()) + "/train");
  EXPECT_EQ(train->info().sample_shape, (tensor::Shape{3, 4, 4}));
  EXPECT_EQ(values(*train), (std::vector<int>{1, 2, 3, 100, 200}));
  EXPECT_EQ(values(*test), (std::vector<int>{7, 107, 207}));
  EXPECT_EQ(train->info().notes.size(), 1u);
  EXPECT_EQ(describe_dataset("folder:" + directory_.path(), {.image_size = 32}).classes, 3);
  EXPECT_EQ(describe_dataset("folder:" + directory_.path(), {.image_size = 32}).sample_shape[1], 32);
}

TEST_F(Folder, FoldsPoolBothPartsAndTestEverythingOnce) {
  for (int i = 0; i < 10; ++i) {
    const std::string name = std::to_string(i) + ".ppm";
    write((i < 8 ? "train/a/" : "test/a/") + name, i);
    write((i < 8 ? "train/b/" : "test/b/") + name, 100 + i);
  }
  std::multiset<int> tested;
  for (std::int64_t f = 1; f <= 5; ++f) {
    const std::vector<int> test = values(*open({.split = Split::test, .fold = {f, 5}}));
    const std::vector<int> train = values(*open({.fold = {f, 5}}));
    EXPECT_EQ(test.size(), 4u);
    EXPECT_EQ(train.size(), 16u);
    for (const int value : test) EXPECT_EQ(std::count(train.begin(), train.end(), value), 0) << value;
    tested.insert(test.begin(), test.end());
  }
  EXPECT_EQ(tested.size(), 20u);
  EXPECT_EQ(std::set<int>(tested.begin(), tested.end()).size(), 20u);
}

TEST_F(Folder, UndividedOnesAreDividedTheSameWayAlways) {
  for (int i = 0; i < 10; ++i)
    for (const int c : {0, 1}) write((c == 0 ? "a/" : "b/") + std::to_string(i) + ".ppm", 100 * c + i);
  const std::vector<int> test = values(*open({.split = Split::test, .test_share = 0.3}));
  const std::vector<int> train = values(*open({.test_share = 0.3}));
  EXPECT_EQ(test.size(), 6u);
  EXPECT_EQ(train.size(), 14u);
  EXPECT_EQ(values(*open({.split = Split::test, .seed = 9, .test_share = 0.3})), test);
}

TEST_F(Folder, WhatIsWrongIsSaid) {
  EXPECT_EQ(problem(), "DIR: no folder in it; put the pictures of each class into a folder of its own");
  write("a/1.ppm", 1);
  EXPECT_EQ(problem(), "DIR: one class only, 'a'; there is nothing to tell apart");
  fs::create_directories(directory_.file("b"));
  EXPECT_EQ(problem(),
            "DIR/b: no picture (.jpg, .png, .ppm and the like) in this class's folder; remove it or fill it");
  write("b/1.ppm", 100);
  EXPECT_EQ(problem(), "(no problem)");
  write("train/a/1.ppm", 1);
  write("train/b/1.ppm", 1);
  write("val/a/1.ppm", 1);
  EXPECT_EQ(problem(), "DIR: the class 'b' is in the training part only; both parts need the same classes");
  EXPECT_EQ(problem_of([] { open_dataset("folder:/no/such/place", {}); }),
            "/no/such/place: no such directory");
  EXPECT_THROW(open_dataset("folder", {}), base::UsageError);
  EXPECT_THROW(open_dataset("mnist:/tmp", {}), base::UsageError);
}

TEST_F(Folder, BadPicturesAreNamed) {
  write("a/1.ppm", 1);
  directory_.write("a/2.jpg", "no picture");
  write("b/1.ppm", 100);
  fs::create_symlink("nowhere.ppm", directory_.file("b/2.ppm"));
  const auto set = open({.test_share = 0});
  ASSERT_EQ(set->info().size, 2);
  const auto all = open_folder_store(directory_.path());
  std::string bytes;
  EXPECT_EQ(problem_of([&] { all->read(3, bytes); }), directory_.file("b/2.ppm") + ": no such file");
}

TEST_F(Folder, ReadsAreTheSameOnManyThreads) {
  for (int i = 0; i < 20; ++i) {
    write("a/" + std::to_string(i) + ".ppm", i);
    write("b/" + std::to_string(i) + ".ppm", 100 + i);
  }
  const auto set = open();
  const std::vector<int> expected = values(*set);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { EXPECT_EQ(values(*set), expected); });
}

// Random crops, flips and colours are the same whatever the number of workers, and not those of another
// epoch.
TEST_F(Folder, TrainingBatchesDependOnSeedAndStepAlone) {
  for (int i = 0; i < 12; ++i)
    for (const int c : {0, 1}) {
      const std::string name = (c == 0 ? "a/" : "b/") + std::to_string(i) + ".jpg";
      write(name, 0);
      directory_.write(name, jpeg_of(picture(90 + i, 120 - i, [&](auto k, auto y, auto x) {
                         return (k * 50 + y * (i + 1) + x * 2) % 256;
                       })));
    }
  const auto set = std::shared_ptr<const Dataset>(
      open_dataset("folder:" + directory_.path(), {.image_size = 32, .fold = {1, 4}}));
  ASSERT_EQ(set->info().size, 18);
  std::vector<std::vector<float>> expected;
  for (const int workers : {0, 1, 3}) {
    LoaderConfig config{
        .batch_size = 6, .augment = *parse_augment("resized_crop,flip,jitter=0.4"), .workers = workers};
    const auto loader = make_loader(set, config);
    std::vector<std::vector<float>> found;
    for (std::int64_t step = 0; step < 6; ++step) {
      const tensor::Batch batch = loader->batch(step);
      const float* values = batch.inputs.as<float>().data();
      found.emplace_back(values, values + batch.inputs.shape().count());
    }
    if (expected.empty()) expected = found;
    EXPECT_EQ(found, expected) << workers;
    EXPECT_NE(found[0], found[3]);
  }
}

TEST(RealPictures, FlowersAreCompleteInEveryFold) {
  const char* root = std::getenv("CONVOY_DATA_DIR");
  if (root == nullptr || *root == '\0') GTEST_SKIP() << "CONVOY_DATA_DIR is not set";
  const std::string name = std::string("folder:") + root + "/flowers5";
  EXPECT_EQ(open_dataset(name, {})->info().size, 500);
  EXPECT_EQ(open_dataset(name, {.split = Split::test})->info().size, 100);
  Values pixels(3 * 64 * 64);
  std::vector<int> labels(5);
  for (std::int64_t f = 1; f <= 5; ++f) {
    const auto test = open_dataset(name, {.split = Split::test, .image_size = 64, .fold = {f, 5}});
    EXPECT_EQ(test->info().class_names,
              (std::vector<std::string>{"daisy", "dandelion", "roses", "sunflowers", "tulips"}));
    ASSERT_EQ(test->info().size, 120);
    for (std::int64_t i = 0; i < 120; ++i) ++labels[static_cast<std::size_t>(test->read(i, pixels))];
  }
  EXPECT_EQ(labels, (std::vector<int>{120, 120, 120, 120, 120}));
}

}  // namespace
}  // namespace convoy::data
