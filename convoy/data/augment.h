// Random changes of an image that keep its class.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/base/rng.h"
#include "convoy/data/crop.h"
#include "convoy/data/warp.h"
#include "convoy/tensor/shape.h"

namespace convoy::data {

// One change. What uncovers paper beyond the border fills with 0, except where `reflect` says otherwise.
struct AugmentStep {
  enum class Kind {
    crop,          // pad by `amount` pixels on each side, then cut a random window of the old size
    flip,          // left to right, with probability 1/2
    translate,     // by a whole number of pixels, uniform in [-amount, amount] in each direction
    rotate,        // about the centre, uniform in [-amount, amount] degrees, bilinear
    elastic,       // per-pixel displacements, uniform in [-1, 1], Gaussian-smoothed, times `amount`, bilinear
    resized_crop,  // see random_crop: area from `amount` to `most` of the picture's; made by the data set
    jitter,  // see change_colours: each factor uniform in [1 - x, 1 + x], x being `amount` for brightness
  };
  Kind kind = Kind::flip;
  double amount = 0;
  double sigma = 0;      // elastic: standard deviation of the Gaussian, pixels
  bool reflect = false;  // crop: mirror the image into the padding (the border pixel is not repeated)
  double most = 1;       // resized_crop
  double contrast = 0;   // jitter
  double saturation = 0;

  friend bool operator==(const AugmentStep&, const AugmentStep&) = default;
};

// Applied in order.
struct AugmentConfig {
  std::vector<AugmentStep> steps = {};

  friend bool operator==(const AugmentConfig&, const AugmentConfig&) = default;
};

// Reads a comma-separated list of crop=PIXELS[:zero|:reflect], flip, translate=PIXELS, rotate=DEGREES,
// elastic=ALPHA:SIGMA, resized_crop[=LEAST[:MOST]] and jitter=AMOUNT[:CONTRAST:SATURATION], such as
// "crop=4,flip,translate=2,rotate=15,elastic=34:4" or "resized_crop,flip,jitter=0.4"; "" and "none" are no
// steps. The Reason names the part that is wrong and what would be right.
base::Result<AugmentConfig> parse_augment(std::string_view text);

// The text that parse_augment reads back to the same configuration; "none" for no steps.
std::string augment_text(const AugmentConfig& config);
std::string augment_text(const AugmentStep& step);

// The range of the resized_crop that the configuration begins with; none where it does not.
std::optional<CropRange> crop_range(const AugmentConfig& config);

// Working memory of one thread for Augmenter::apply. Made by Augmenter::make_scratch.
struct AugmentScratch {
  std::vector<std::uint8_t> image;  // the image before the step
  std::vector<float> x;             // where each pixel comes from
  std::vector<float> y;
  std::vector<float> smooth;
};

// Applies a configuration to images of one shape. Immutable, so thread-safe with a scratch a thread.
class Augmenter {
 public:
  // Refuses shapes that are not {C, H, W}, reflecting by as much as the image's height or width, jitter of
  // other than 1 and 3 channels, and a resized_crop that is not the first step.
  static base::Verdict check(const AugmentConfig& config, const tensor::Shape& sample_shape);

  // Requires check(config, sample_shape).
  Augmenter(AugmentConfig config, const tensor::Shape& sample_shape);

  AugmentScratch make_scratch() const;

  // Changes the image in place, by all steps but resized_crop, which Dataset::read_crop has made. All that is
  // random comes from `random`, in the order of the steps, so the same stream gives the same image on any
  // thread and rank; nothing is allocated. pixels: {C, H, W}, 0 … 255. Rotation and the Gaussian call the C
  // library's sin, cos and exp, whose last bit may differ between C libraries; the other steps are the same
  // everywhere. Source: Simard, Steinkraus and Platt, Best Practices for Convolutional Neural Networks (ICDAR
  // 2003), section 2, for the elastic step.
  void apply(std::span<std::uint8_t> pixels, base::RandomStream& random, AugmentScratch& scratch) const;

 private:
  void apply_shift(const Shift& shift, std::span<std::uint8_t> pixels, AugmentScratch& scratch) const;
  void apply_field(std::span<std::uint8_t> pixels, AugmentScratch& scratch) const;
  void fill_elastic(std::size_t step, base::RandomStream& random, AugmentScratch& scratch) const;

  AugmentConfig config_;
  ImageSize size_;
  std::vector<std::vector<float>> kernels_;  // per step; empty unless elastic
};

}  // namespace convoy::data
