#include "convoy/data/digits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/data/digit_glyphs.h"

namespace convoy::data {
namespace {

using Image = std::array<std::uint8_t, kDigitPixels>;

Image rendered(std::uint64_t seed, Split split, std::int64_t index) {
  Image image;
  image.fill(0xA5);
  render_digit(seed, split, index, image);
  return image;
}

std::unique_ptr<Dataset> digit_set(Split split, std::int64_t size, std::uint64_t seed = 1) {
  DatasetRequest request;
  request.split = split;
  request.size = size;
  request.seed = seed;
  return open_digits(request);
}

TEST(DigitGlyphs, AreStrokesWithinTheirBox) {
  for (int digit = 0; digit < 10; ++digit) {
    ASSERT_GE(digit_glyphs(digit).size(), 3u);
    for (const Glyph& glyph : digit_glyphs(digit)) {
      ASSERT_GE(glyph.size(), 2u);
      EXPECT_EQ(glyph.front().pen, Pen::lift);
      EXPECT_NE(glyph.back().pen, Pen::lift);
      for (std::size_t i = 0; i < glyph.size(); ++i) {
        EXPECT_TRUE(glyph[i].x >= 0 && glyph[i].x <= 1 && glyph[i].y >= 0 && glyph[i].y <= 1);
        EXPECT_FALSE(i > 0 && glyph[i].pen == Pen::lift && glyph[i - 1].pen == Pen::lift);
      }
    }
  }
}

TEST(Digits, AreAFunctionOfSeedSplitAndIndex) {
  for (std::int64_t index : {std::int64_t{0}, std::int64_t{7}, (std::int64_t{1} << 32) - 1}) {
    const Image image = rendered(1, Split::train, index);
    EXPECT_EQ(image, rendered(1, Split::train, index));
    EXPECT_NE(image, rendered(2, Split::train, index));
    EXPECT_NE(image, rendered(1, Split::test, index));
    EXPECT_NE(image, rendered(1, Split::train, index == 0 ? 1 : index - 1));
  }
}

TEST(Digits, TestImagesAreNoTrainingImages) {
  std::vector<Image> images;
  for (std::int64_t i = 0; i < 2000; ++i) {
    images.push_back(rendered(1, Split::train, i));
    images.push_back(rendered(1, Split::test, i));
  }
  std::ranges::sort(images);
  EXPECT_TRUE(std::ranges::adjacent_find(images) == images.end());
}

// Guards the generator: whoever changes it changes every published figure, and must know. The means of the
// 4x4 blocks of one image, within 2 for compilers that contract; the exact sum of all bits where none does.
TEST(Digits, GoldenImage) {
  Image image;
  EXPECT_EQ(render_digit(1, Split::train, 0, image), 5);
  constexpr std::array<int, 49> kBlocks = {
      15,  12, 7,  10, 12, 8,  9,  8,   11, 62, 138, 74, 11, 11, 11, 9, 79, 160, 75, 12, 9, 4,  11, 22, 31,
      134, 9,  13, 4,  10, 45, 96, 109, 12, 8,  15,  8,  17, 90, 6,  6, 8,  8,   9,  12, 8, 11, 11, 10};
  std::array<int, 49> sums{};
  for (std::size_t i = 0; i < image.size(); ++i) sums[i / 112 * 7 + i % 28 / 4] += image[i];
  for (std::size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(sums[i] / 16, kBlocks[i], 2) << "block " << i;
}

TEST(Digits, GoldenHash) {
#if !defined(__x86_64__) || defined(__FMA__)
  GTEST_SKIP() << "this build may round a*b+c once";
#endif
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const Split split : {Split::train, Split::test})
    for (std::int64_t index = 0; index < 50; ++index) {
      Image image;
      add(static_cast<std::uint8_t>(render_digit(1, split, index, image)));
      for (std::uint8_t pixel : image) add(pixel);
    }
  EXPECT_EQ(hash, 0xd24ed403a8b25ae5);
}

TEST(Digits, ClassesAreBalanced) {
  Image image;
  for (const Split split : {Split::train, Split::test})
    for (std::int64_t block = 0; block < 50; ++block) {
      std::array<int, 10> count{};
      for (std::int64_t i = 0; i < 10; ++i)
        ++count[static_cast<std::size_t>(render_digit(3, split, block * 10 + i, image))];
      ASSERT_EQ(std::ranges::count(count, 1), 10);
    }
  // And the place within the ten says nothing about the class.
  std::array<int, 10> first{};
  for (std::int64_t block = 0; block < 1000; ++block)
    ++first[static_cast<std::size_t>(render_digit(3, Split::train, block * 10, image))];
  double chi2 = 0;
  for (int c : first) chi2 += (c - 100.0) * (c - 100.0) / 100.0;
  EXPECT_LT(chi2, 27.9);  // 9 degrees of freedom, p = 0.001
}

TEST(DigitSet, SaysWhatItHolds) {
  const auto set = digit_set(Split::test, 0);
  const DatasetInfo& info = set->info();
  EXPECT_EQ(info.name, "digits/test");
  EXPECT_EQ(info.size, 10000);
  EXPECT_EQ(info.sample_shape, (tensor::Shape{1, 28, 28}));
  EXPECT_EQ(info.class_names.size(), 10u);
  double sum = 0, squares = 0;
  Image image;
  for (std::int64_t i = 0; i < info.size; ++i) {
    set->read(i, image);
    for (std::uint8_t pixel : image) sum += pixel, squares += double{1} * pixel * pixel;
  }
  const double n = static_cast<double>(info.size) * kDigitPixels * 255;
  const double mean = sum / n;
  EXPECT_NEAR(mean, info.mean[0], 0.002);
  EXPECT_NEAR(std::sqrt(squares / n / 255 - mean * mean), info.stddev[0], 0.002);
}

TEST(DigitSet, AnyNumberOfThreadsGivesTheSamePixels) {
  const int threads = base::thread_count();
  std::vector<Image> expected;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < 300; ++i) {
    Image image;
    labels.push_back(render_digit(5, Split::train, i, image));
    expected.push_back(image);
  }
  for (int team : {1, 2, 3}) {
    base::set_thread_count(team);
    const auto set = digit_set(Split::train, 300, 5);
    for (std::int64_t i = 0; i < 300; ++i) {
      Image image;
      const auto at = static_cast<std::size_t>(i);
      ASSERT_EQ(set->read(i, image), labels[at]);
      ASSERT_EQ(image, expected[at]);
    }
  }
  base::set_thread_count(threads);
}

TEST(DigitSet, ALargeSetIsDrawnOnDemand) {
  const auto set = digit_set(Split::train, std::int64_t{1} << 32, 5);
  Image image;
  const std::int64_t index = 3'000'000'000;
  const std::int32_t label = set->read(index, image);
  EXPECT_EQ(image, rendered(5, Split::train, index));
  EXPECT_TRUE(label >= 0 && label < 10);
}

TEST(DigitSet, RefusesImpossibleSizes) {
  EXPECT_THROW(digit_set(Split::train, -1), base::UsageError);
  EXPECT_THROW(digit_set(Split::train, (std::int64_t{1} << 32) + 1), base::UsageError);
}

// Multinomial logistic regression by stochastic gradient descent; weights {784 + 1, 16}, ten columns in use
// and the rest zero, so that the inner loops are whole vectors.
class LinearClassifier {
 public:
  void train(const DatasetInfo& info, const Image& image, std::int32_t label, float step_size) {
    load(info, image);
    std::array<float, kColumns> error = scores();
    const float largest = *std::max_element(error.begin(), error.begin() + 10);
    float sum = 0;
    for (std::size_t k = 0; k < 10; ++k) sum += error[k] = std::exp(error[k] - largest);
    for (std::size_t k = 0; k < 10; ++k)
      error[k] = step_size * (error[k] / sum - (static_cast<std::int32_t>(k) == label ? 1.0f : 0.0f));
    for (std::size_t i = 0; i < x_.size(); ++i)
      for (std::size_t k = 0; k < kColumns; ++k) weights_[i * kColumns + k] -= x_[i] * error[k];
  }
  std::int32_t predict(const DatasetInfo& info, const Image& image) {
    load(info, image);
    const std::array<float, kColumns> s = scores();
    return static_cast<std::int32_t>(std::max_element(s.begin(), s.begin() + 10) - s.begin());
  }

 private:
  static constexpr std::size_t kColumns = 16;
  void load(const DatasetInfo& info, const Image& image) {
    for (std::size_t i = 0; i < image.size(); ++i)
      x_[i] = (static_cast<float>(image[i]) / 255 - info.mean[0]) / info.stddev[0];
  }
  std::array<float, kColumns> scores() const {
    std::array<float, kColumns> s{};
    for (std::size_t i = 0; i < x_.size(); ++i)
      for (std::size_t k = 0; k < kColumns; ++k) s[k] += x_[i] * weights_[i * kColumns + k];
    return s;
  }

  std::vector<float> x_ = std::vector<float>(kDigitPixels + 1, 1.0f);
  std::vector<float> weights_ = std::vector<float>((kDigitPixels + 1) * kColumns, 0.0f);
};

// A straight cut must not do: what separates the classes is shape, not which pixel is dark.
TEST(DigitSet, ALinearClassifierStaysBelow95Percent) {
  constexpr std::int64_t kTrain = 20000, kTest = 5000;
  const auto train = digit_set(Split::train, kTrain);
  const auto test = digit_set(Split::test, kTest);
  LinearClassifier classifier;
  Image image;
  for (const float step_size : {1e-3f, 3e-4f, 1e-4f})
    for (std::int64_t i = 0; i < kTrain; ++i) {
      const std::int32_t label = train->read(i, image);
      classifier.train(train->info(), image, label, step_size);
    }
  int correct = 0;
  for (std::int64_t i = 0; i < kTest; ++i) {
    const std::int32_t label = test->read(i, image);
    correct += classifier.predict(train->info(), image) == label;
  }
  const double accuracy = static_cast<double>(correct) / kTest;
  RecordProperty("accuracy", std::to_string(accuracy));
  EXPECT_LT(accuracy, 0.95);
  EXPECT_GT(accuracy, 0.80);  // the classifier is trained, and the classes are no noise
}

}  // namespace
}  // namespace convoy::data
