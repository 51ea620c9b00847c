#include "convoy/benchkit/conv_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/convert.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::benchkit {
namespace {

constexpr std::int64_t kMostSamples = 4096, kLeastSamples = 32;
constexpr std::int64_t kSampledTerms = std::int64_t{1} << 24;  // some 50 ms in float64

std::size_t at(ConvArray array) { return static_cast<std::size_t>(array); }

std::int64_t bytes_of(const tensor::Shape& shape, const kernels::Layout& layout) {
  return layout.storage_bytes(shape, tensor::DType::f32);
}

tensor::Buffer random_array(const tensor::Shape& shape, std::uint64_t seed, std::uint64_t stream) {
  constexpr std::int64_t kGrain = 1 << 16;
  tensor::Buffer buffer(shape.count() * 4);
  auto* values = reinterpret_cast<float*>(buffer.data());
  base::parallel_for(shape.count(), kGrain, [&](const base::IndexRange& range) {
    for (std::int64_t begin = range.begin; begin < range.end; begin += kGrain) {
      base::RandomStream random(seed, base::Purpose::test, stream,
                                static_cast<std::uint64_t>(begin / kGrain));
      for (std::int64_t i = begin; i < std::min(begin + kGrain, range.end); ++i)
        values[i] = 2 * random.uniform() - 1;
    }
  });
  return buffer;
}

// A sum of products and of their absolute values.
struct Sum {
  double value = 0, absolute = 0;
  void add(float a, float b) {
    const double product = static_cast<double>(a) * static_cast<double>(b);
    value += product;
    absolute += std::abs(product);
  }
};

// The definition (docs/notation.md), one element at a time, over plain arrays.
class Definition {
 public:
  Definition(const ConvProblem& problem, const tensor::Shape& output, const float* x, const float* w,
             const float* y)
      : g_(problem), p_(output[2]), q_(output[3]), x_(x), w_(w), y_(y) {}

  Sum element(ConvArray written, const std::vector<std::int64_t>& i) const {
    switch (written) {
      case ConvArray::output:
        return output(i);
      case ConvArray::input:
        return input(i);
      case ConvArray::filters:
        break;
    }
    return filters(i);
  }

 private:
  std::int64_t row(std::int64_t p, std::int64_t r) const {
    return p * g_.stride_h - g_.pads[0] + r * g_.dilation_h;
  }
  std::int64_t column(std::int64_t q, std::int64_t s) const {
    return q * g_.stride_w - g_.pads[1] + s * g_.dilation_w;
  }
  float x(std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j) const {
    return x_[((n * g_.c + c) * g_.h + i) * g_.w + j];
  }
  float w(std::int64_t k, std::int64_t c, std::int64_t r, std::int64_t s) const {
    return w_[((k * (g_.c / g_.groups) + c) * g_.r + r) * g_.q + s];
  }
  float y(std::int64_t n, std::int64_t k, std::int64_t p, std::int64_t q) const {
    return y_[((n * g_.k + k) * p_ + p) * q_ + q];
  }

  Sum output(const std::vector<std::int64_t>& at) const {  // n, k, p, q
    const std::int64_t channels = g_.c / g_.groups, first = at[1] / (g_.k / g_.groups) * channels;
    Sum sum;
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t r = 0; r < g_.r; ++r) {
        const std::int64_t i = row(at[2], r);
        if (i < 0 || i >= g_.h) continue;
        for (std::int64_t s = 0; s < g_.q; ++s) {
          const std::int64_t j = column(at[3], s);
          if (j >= 0 && j < g_.w) sum.add(x(at[0], first + c, i, j), w(at[1], c, r, s));
        }
      }
    return sum;
  }

  // The output position that meets input position `i` at one tap; -1 where none does.
  static std::int64_t meeting(std::int64_t distance, std::int64_t stride, std::int64_t outputs) {
    return distance < 0 || distance % stride != 0 || distance / stride >= outputs ? -1 : distance / stride;
  }

  Sum input(const std::vector<std::int64_t>& at) const {  // n, c, i, j
    const std::int64_t channels = g_.c / g_.groups, filters = g_.k / g_.groups, c = at[1] % channels;
    const std::int64_t first = at[1] / channels * filters;
    Sum sum;
    for (std::int64_t k = first; k < first + filters; ++k)
      for (std::int64_t r = 0; r < g_.r; ++r) {
        const std::int64_t p = meeting(at[2] - row(0, r), g_.stride_h, p_);
        if (p < 0) continue;
        for (std::int64_t s = 0; s < g_.q; ++s) {
          const std::int64_t q = meeting(at[3] - column(0, s), g_.stride_w, q_);
          if (q >= 0) sum.add(y(at[0], k, p, q), w(k, c, r, s));
        }
      }
    return sum;
  }

  Sum filters(const std::vector<std::int64_t>& at) const {  // k, c, r, s
    const std::int64_t channel = at[0] / (g_.k / g_.groups) * (g_.c / g_.groups) + at[1];
    Sum sum;
    for (std::int64_t n = 0; n < g_.n; ++n)
      for (std::int64_t p = 0; p < p_; ++p) {
        const std::int64_t i = row(p, at[2]);
        if (i < 0 || i >= g_.h) continue;
        for (std::int64_t q = 0; q < q_; ++q) {
          const std::int64_t j = column(q, at[3]);
          if (j >= 0 && j < g_.w) sum.add(y(n, at[0], p, q), x(n, channel, i, j));
        }
      }
    return sum;
  }

  const ConvProblem& g_;
  std::int64_t p_, q_;
  const float *x_, *w_, *y_;
};

std::vector<std::int64_t> index_of(std::int64_t element, const tensor::Shape& shape) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (std::size_t d = index.size(); d-- > 0;) {
    index[d] = element % shape[static_cast<int>(d)];
    element /= shape[static_cast<int>(d)];
  }
  return index;
}

}  // namespace

ConvArray written_array(kernels::Pass pass) {
  switch (pass) {
    case kernels::Pass::forward:
      return ConvArray::output;
    case kernels::Pass::backward_data:
      return ConvArray::input;
    case kernels::Pass::backward_weights:
    case kernels::Pass::backward:
      break;
  }
  return ConvArray::filters;
}

ConvData::ConvData(const ConvProblem& problem, kernels::Pass pass, std::uint64_t seed)
    : problem_(problem), written_(written_array(pass)) {
  const kernels::Problem kernel = problem.kernel_problem(pass, kernels::LayoutFamily::plain);
  shapes_[at(ConvArray::input)] = kernel.inputs[0];
  shapes_[at(ConvArray::filters)] = kernel.params[0].shape;
  shapes_[at(ConvArray::output)] = kernel.outputs[0];
  for (const ConvArray array : {ConvArray::input, ConvArray::filters, ConvArray::output})
    if (array != written_)
      arrays_[at(array)].emplace(kernels::Layout::plain().tag(), random_array(shape(array), seed, at(array)));
  draw_samples(seed);
}

const tensor::Shape& ConvData::shape(ConvArray array) const { return shapes_[at(array)]; }

void ConvData::draw_samples(std::uint64_t seed) {
  const tensor::Shape& result = shape(written_);
  const double terms = problem_.flops() / 2 / static_cast<double>(result.count());
  const auto affordable =
      static_cast<std::int64_t>(static_cast<double>(kSampledTerms) / std::max(1.0, terms));
  const std::int64_t count = std::min(result.count(), std::clamp(affordable, kLeastSamples, kMostSamples));
  samples_.resize(static_cast<std::size_t>(count));
  base::RandomStream random(seed, base::Purpose::test, 3, 0);
  for (std::int64_t i = 0; i < count; ++i) {
    // The first and the last element are always among them: corners are where tiles end.
    std::int64_t element = i;
    if (count < result.count())
      element = i == 0 ? 0
                : i == 1
                    ? result.count() - 1
                    : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(result.count())));
    samples_[static_cast<std::size_t>(i)].index = index_of(element, result);
  }
  const auto plain = [this](ConvArray array) {
    return array == written_ ? nullptr : read(array, kernels::Layout::plain());
  };
  const Definition definition(problem_, shape(ConvArray::output), plain(ConvArray::input),
                              plain(ConvArray::filters), plain(ConvArray::output));
  base::parallel_for(count, 8, [&](const base::IndexRange& range) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      Sample& sample = samples_[static_cast<std::size_t>(i)];
      const Sum sum = definition.element(written_, sample.index);
      sample.value = sum.value;
      sample.absolute = sum.absolute;
    }
  });
}

const float* ConvData::read(ConvArray array, const kernels::Layout& layout) {
  CONVOY_CHECK(array != written_, "the pass writes this array");
  auto& copies = arrays_[at(array)];
  auto found = copies.find(layout.tag());
  if (found == copies.end()) {
    tensor::Buffer buffer(bytes_of(shape(array), layout));
    kernels::make_converter({.shape = shape(array), .from = kernels::Layout::plain(), .to = layout})
        ->run(copies.at(kernels::Layout::plain().tag()).data(), buffer.data());
    found = copies.emplace(layout.tag(), std::move(buffer)).first;
  }
  return reinterpret_cast<const float*>(found->second.data());
}

ConvError ConvData::error(const float* result, const kernels::Layout& layout) const {
  const kernels::LayoutMap map(shape(written_), layout);
  ConvError error;
  double largest = 0, difference = 0, squares = 0, squared_differences = 0;
  for (const Sample& sample : samples_) {
    const double off = std::abs(static_cast<double>(result[map.offset(sample.index)]) - sample.value);
    if (std::isnan(off)) return {.relative = INFINITY, .rms = INFINITY, .epsilons = INFINITY};
    squares += sample.value * sample.value;
    squared_differences += off * off;
    largest = std::max(largest, std::abs(sample.value));
    difference = std::max(difference, off);
    const double unit = std::numeric_limits<float>::epsilon() * sample.absolute;
    if (off > 0) error.epsilons = std::max(error.epsilons, unit > 0 ? off / unit : INFINITY);
  }
  error.relative = difference == 0 ? 0 : largest > 0 ? difference / largest : INFINITY;
  error.rms = difference == 0 ? 0 : largest > 0 ? std::sqrt(squared_differences / squares) : INFINITY;
  return error;
}

}  // namespace convoy::benchkit
