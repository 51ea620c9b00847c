#include "convoy/data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "convoy/data/colour.h"

namespace convoy::data {
namespace {

using Image = std::vector<std::uint8_t>;
using Kind = AugmentStep::Kind;

AugmentConfig config_of(const std::string& text) {
  auto config = parse_augment(text);
  EXPECT_TRUE(config.ok()) << text;
  return std::move(config).value();
}

// One bright dot in the middle, {1, 15, 15}.
const tensor::Shape kDotShape{1, 15, 15};
Image dot() {
  Image image(225);
  image[7 * 15 + 7] = 255;
  return image;
}

Image augmented(const Augmenter& augmenter, Image image, std::uint64_t epoch, std::uint64_t sample) {
  AugmentScratch scratch = augmenter.make_scratch();
  base::RandomStream random(1, base::Purpose::augment, epoch, sample);
  augmenter.apply(image, random, scratch);
  return image;
}

TEST(ParseAugment, ReadsAndPrintsBack) {
  const AugmentConfig config = config_of("crop=4,flip,translate=2,rotate=15,elastic=34:4");
  ASSERT_EQ(config.steps.size(), 5u);
  EXPECT_EQ(config.steps[0], (AugmentStep{.kind = Kind::crop, .amount = 4}));
  EXPECT_EQ(config.steps[1], (AugmentStep{.kind = Kind::flip}));
  EXPECT_EQ(config.steps[2], (AugmentStep{.kind = Kind::translate, .amount = 2}));
  EXPECT_EQ(config.steps[3], (AugmentStep{.kind = Kind::rotate, .amount = 15}));
  EXPECT_EQ(config.steps[4], (AugmentStep{.kind = Kind::elastic, .amount = 34, .sigma = 4}));
  for (const char* text : {"none", "flip", "crop=4:reflect,flip", "elastic=8.25:1.5,rotate=0.1",
                           "crop=4,flip,translate=2,rotate=15,elastic=34:4"})
    EXPECT_EQ(augment_text(config_of(text)), text);
  EXPECT_EQ(config_of(""), config_of("none"));
  EXPECT_EQ(config_of("crop=4:zero"), config_of("crop=4"));
}

TEST(ParseAugment, StepsOfPhotographs) {
  const AugmentConfig config = config_of("resized_crop=0.25:0.9,flip,jitter=0.4:0.3:0");
  ASSERT_EQ(config.steps.size(), 3u);
  EXPECT_EQ(config.steps[0], (AugmentStep{.kind = Kind::resized_crop, .amount = 0.25, .most = 0.9}));
  EXPECT_EQ(config.steps[2], (AugmentStep{.kind = Kind::jitter, .amount = 0.4, .contrast = 0.3}));
  EXPECT_EQ(augment_text(config), "resized_crop=0.25:0.9,flip,jitter=0.4:0.3:0");
  EXPECT_EQ(config_of("resized_crop"), config_of("resized_crop=0.08:1"));
  EXPECT_EQ(config_of(augment_text(config_of("resized_crop"))), config_of("resized_crop"));
  EXPECT_EQ(config_of("jitter=0.5"), config_of("jitter=0.5:0.5:0.5"));
  EXPECT_EQ(crop_range(config), (CropRange{0.25, 0.9}));
  EXPECT_FALSE(crop_range(config_of("flip")).has_value());
}

TEST(ParseAugment, RefusesAndNamesThePart) {
  for (const char* part : {"flop",
                           "crop",
                           "crop=",
                           "crop=0",
                           "crop=-1",
                           "crop=1.5",
                           "crop=4:",
                           "crop=4:wrap",
                           "crop=5000",
                           "flip=1",
                           "flip=",
                           "translate",
                           "translate=x",
                           "translate=2x",
                           "rotate=0",
                           "rotate=181",
                           "rotate=nan",
                           "rotate=inf",
                           "elastic=34",
                           "elastic=34:",
                           "elastic=:4",
                           "elastic=34:0",
                           "elastic=34:100",
                           "elastic=nan:4",
                           " flip",
                           "none",
                           "resized_crop=",
                           "resized_crop=0",
                           "resized_crop=2",
                           "resized_crop=0.5:0.4",
                           "resized_crop=0.5:",
                           "jitter",
                           "jitter=",
                           "jitter=2",
                           "jitter=0",
                           "jitter=0.1:0.1",
                           "jitter=0:0:0"}) {
    const auto config = parse_augment(std::string("flip,") + part);
    ASSERT_FALSE(config.ok()) << part;
    EXPECT_NE(config.reason().text.find(std::string("'") + part + "'"), std::string::npos)
        << config.reason().text;
  }
  EXPECT_FALSE(parse_augment("flip,").ok());
  EXPECT_FALSE(parse_augment(",flip").ok());
}

TEST(Augmenter, RefusesShapesItCannotServe) {
  EXPECT_TRUE(Augmenter::check(config_of("none"), {10}));
  EXPECT_FALSE(Augmenter::check(config_of("flip"), {10}));
  EXPECT_TRUE(Augmenter::check(config_of("crop=7:reflect"), {1, 8, 9}));
  EXPECT_FALSE(Augmenter::check(config_of("crop=8:reflect"), {1, 8, 9}));
  EXPECT_TRUE(Augmenter::check(config_of("crop=8"), {1, 8, 9}));
}

TEST(Augmenter, ResizedCropComesFirst) {
  EXPECT_TRUE(Augmenter::check(config_of("resized_crop,flip"), {3, 8, 8}).ok());
  const base::Verdict verdict = Augmenter::check(config_of("flip,resized_crop"), {3, 8, 8});
  ASSERT_FALSE(verdict.ok());
  EXPECT_NE(verdict.reason().text.find("must come first"), std::string::npos);
  EXPECT_FALSE(Augmenter::check(config_of("jitter=0.2"), {2, 8, 8}).ok());
}

// Each property alone, against its definition on a picture of few values.
TEST(ChangeColours, FollowsItsDefinition) {
  const ImageSize size{3, 1, 2};
  const auto changed = [&](const ColourFactors& factors) {
    Image image{200, 100, 40, 100, 10, 100};  // pixels (200, 40, 10) and (100, 100, 100)
    change_colours(image, size, factors);
    return image;
  };
  EXPECT_EQ(changed({}), (Image{200, 100, 40, 100, 10, 100}));
  EXPECT_EQ(changed({.brightness = 1.5}), (Image{255, 150, 60, 150, 15, 150}));
  // Greys 84 and 100, of mean 92.
  EXPECT_EQ(changed({.contrast = 0.5}), (Image{146, 96, 66, 96, 51, 96}));
  EXPECT_EQ(changed({.saturation = 0}), (Image{84, 100, 84, 100, 84, 100}));
  EXPECT_EQ(changed({.saturation = 1.5}), (Image{255, 100, 18, 100, 0, 100}));
  Image grey{10, 20};
  change_colours(grey, {1, 1, 2}, {.contrast = 2, .saturation = 0});
  EXPECT_EQ(grey, (Image{5, 25}));
}

TEST(Augmenter, JitterStaysWithinItsRange) {
  const Augmenter augmenter(config_of("jitter=0.3:0:0"), {1, 15, 15});
  int least = 255, most = 0;
  for (std::uint64_t sample = 0; sample < 500; ++sample) {
    const int value = augmented(augmenter, Image(225, 100), 0, sample)[0];
    least = std::min(least, value);
    most = std::max(most, value);
  }
  EXPECT_GE(least, 70);
  EXPECT_LE(least, 72);
  EXPECT_GE(most, 128);
  EXPECT_LE(most, 130);
}

TEST(Augmenter, DependsOnTheStreamAlone) {
  const Augmenter augmenter(config_of("crop=2:reflect,flip,translate=2,rotate=15,elastic=34:4"), {3, 12, 10});
  Image image(360);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(i * 7);
  std::set<Image> seen;
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch)
    for (std::uint64_t sample = 0; sample < 10; ++sample) {
      const Image once = augmented(augmenter, image, epoch, sample);
      EXPECT_EQ(once, augmented(augmenter, image, epoch, sample));
      seen.insert(once);
    }
  EXPECT_EQ(seen.size(), 30u);
}

TEST(Augmenter, TranslationReachesEveryOffsetEquallyOften) {
  const Augmenter augmenter(config_of("translate=2"), kDotShape);
  std::map<std::ptrdiff_t, int> count;
  for (std::uint64_t sample = 0; sample < 5000; ++sample) {
    const Image out = augmented(augmenter, dot(), 0, sample);
    ++count[std::ranges::find(out, 255) - out.begin()];
  }
  ASSERT_EQ(count.size(), 25u);
  double chi2 = 0;
  for (const auto& [position, c] : count) {
    EXPECT_LE(std::abs(position / 15 - 7), 2);
    EXPECT_LE(std::abs(position % 15 - 7), 2);
    chi2 += (c - 200.0) * (c - 200.0) / 200.0;
  }
  EXPECT_LT(chi2, 51.2);  // 24 degrees of freedom, p = 0.001
}

TEST(Augmenter, CropIsAShiftWithThePaddingAsked) {
  const Augmenter zero(config_of("crop=3"), {1, 4, 4}), mirror(config_of("crop=3:reflect"), {1, 4, 4});
  const Image bright(16, 200);
  int with_border = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    EXPECT_EQ(augmented(mirror, bright, 0, sample), bright);
    with_border += std::ranges::count(augmented(zero, bright, 0, sample), 0) > 0;
  }
  EXPECT_NEAR(with_border / 200.0, 48.0 / 49, 0.05);
}

TEST(Augmenter, FlipsHalfOfTheImages) {
  const Augmenter augmenter(config_of("flip"), {1, 1, 2});
  int flipped = 0;
  for (std::uint64_t sample = 0; sample < 4000; ++sample)
    flipped += augmented(augmenter, {1, 2}, 0, sample) == Image{2, 1};
  EXPECT_NEAR(flipped, 2000, 158);  // five standard deviations
}

TEST(Augmenter, RotationStaysWithinItsAngle) {
  const Augmenter augmenter(config_of("rotate=30"), kDotShape);
  Image image(225);
  image[7 * 15 + 13] = 255;  // six pixels right of the centre
  double largest = 0;
  for (std::uint64_t sample = 0; sample < 500; ++sample) {
    const Image out = augmented(augmenter, image, 0, sample);
    double mass = 0, x = 0, y = 0;
    for (int i = 0; i < 225; ++i) {
      const double value = out[static_cast<std::size_t>(i)];
      mass += value;
      x += value * (i % 15 - 7);
      y += value * (7 - i / 15);
    }
    const double degrees = std::atan2(y / mass, x / mass) * 180 / 3.14159265358979;
    EXPECT_LT(std::abs(degrees), 31);
    largest = std::max(largest, std::abs(degrees));
  }
  EXPECT_GT(largest, 28);
}

// A ramp shows the displacement itself: its mean square must be that of smoothed uniform noise,
// alpha^2 / 3 * (Σ g^2)^2 with Σ g^2 = 1 / (2 sqrt(pi) sigma) in each direction.
TEST(Augmenter, ElasticDisplacementsHaveTheirVarianceAndAreSmooth) {
  constexpr std::int64_t kSide = 64;
  const Augmenter augmenter(config_of("elastic=20:3"), {1, kSide, kSide});
  Image ramp(kSide * kSide);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<std::uint8_t>(3 * (i % kSide));
  double square = 0, step_square = 0;
  std::int64_t count = 0;
  for (std::uint64_t sample = 0; sample < 40; ++sample) {
    const Image out = augmented(augmenter, ramp, 0, sample);
    for (std::size_t y = 14; y < kSide - 14; ++y)
      for (std::size_t x = 14; x < kSide - 14; ++x) {
        const auto shift = [&](std::size_t at) { return (out[y * kSide + at] - 3.0 * at) / 3; };
        square += shift(x) * shift(x);
        step_square += (shift(x + 1) - shift(x)) * (shift(x + 1) - shift(x));
        ++count;
      }
  }
  const double gain = 1 / (2 * std::sqrt(3.14159265358979) * 3);
  const double expected = 20.0 * 20 / 3 * gain * gain + 1.0 / 9 / 12;  // and rounding to bytes
  EXPECT_NEAR(square / count / expected, 1, 0.15);
  // Neighbours differ by far less than independent displacements would (factor 2).
  EXPECT_LT(step_square / square, 0.2);
}

}  // namespace
}  // namespace convoy::data
