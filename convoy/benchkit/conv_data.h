// The numbers that a convolution is measured on, and what float64 makes of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "convoy/benchkit/conv_problem.h"
#include "convoy/kernels/layout.h"
#include "convoy/tensor/view.h"

namespace convoy::benchkit {

// The three arrays of a convolution; each stands for its gradient too.
enum class ConvArray : std::uint8_t { input, filters, output };

// The array that a pass writes.
ConvArray written_array(kernels::Pass pass);

// How far a result is from float64.
struct ConvError {
  double relative = 0;  // largest |result - reference| over the largest |reference|
  double rms = 0;       // root mean square of result - reference over that of the reference
  double epsilons = 0;  // largest |result - reference| over (float32 epsilon times the sum of absolute terms)
};

// Random data of one problem and pass, uniform on [-1, 1), in plain layout and in any other on demand, and
// the float64 results at up to 4,096 sampled positions of what the pass writes: all positions where that is
// little work, fewer where each is much. Equal arguments give equal data. Not thread-safe.
class ConvData {
 public:
  // Requires problem.check(). Uses the compute team.
  ConvData(const ConvProblem& problem, kernels::Pass pass, std::uint64_t seed = 1);

  const tensor::Shape& shape(ConvArray array) const;
  // An array that the pass reads, in that layout; valid as long as this object.
  const float* read(ConvArray array, const kernels::Layout& layout);
  // Of the written array, in that layout. NaN results have infinite errors.
  ConvError error(const float* result, const kernels::Layout& layout) const;
  std::int64_t sample_count() const { return static_cast<std::int64_t>(samples_.size()); }

 private:
  struct Sample {
    std::vector<std::int64_t> index;  // in the written array
    double value = 0;                 // by the definition, in float64
    double absolute = 0;              // the sum of absolute terms
  };

  void draw_samples(std::uint64_t seed);

  ConvProblem problem_;
  ConvArray written_;
  tensor::Shape shapes_[3];
  std::vector<std::map<std::string, tensor::Buffer>> arrays_{3};  // by array, then by layout tag
  std::vector<Sample> samples_;
};

}  // namespace convoy::benchkit
