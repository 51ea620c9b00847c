// LocalContrastNormalization: each pixel less the mean of its neighbourhood, over the deviation of that.
//
//   v[n,c,q] = x[n,c,q] - 1/C * sum over c', u of  g[q,u] * x[n,c',u]
//   s[n,q]   = sqrt(1/C * sum over c, u of  g[q,u] * v[n,c,u]^2)
//   y[n,c,q] = v[n,c,q] / max(floor, s[n,q])
//
// g is a Gaussian of deviation `sigma` on a window of `size` (odd) in each dimension around q, scaled so that
// what lies inside the image adds up to 1. x, y {N, C, H, W…}. With m = max(floor, s) and
// a[q] = 1/C * sum over c of dy[c,q] v[c,q] / s[q]^3 where s > floor, else 0:
//
//   dv[c,u] = dy[c,u] / m[u] - v[c,u] * sum over q of g[q,u] a[q]
//   dx[c,u] = dv[c,u] - 1/C * sum over q of  g[q,u] * sum over c' of dv[c',q]
//
// ONNX has no such operator. Sources: Jarrett, Kavukcuoglu, Ranzato, LeCun, What is the Best Multi-Stage
// Architecture for Object Recognition?, 2009, section 2, where floor is the mean of s over the image; Le et
// al., Building High-Level Features Using Large Scale Unsupervised Learning, 2012, where it is 0.01 as here.
#include <algorithm>
#include <cmath>

#include "convoy/layers/catalog.h"
#include "convoy/layers/support.h"
#include "convoy/layers/window.h"

namespace convoy::layers {
namespace {

using graph::ReferenceArgs;
using Ints = std::vector<std::int64_t>;

const graph::AttributeSpec kAttributes[] = {{"size", std::int64_t{5}}, {"sigma", 2.0}, {"floor", 0.01}};

base::Result<Window> neighbourhoods(const graph::Attributes& attributes, const tensor::Shape& input) {
  const std::int64_t size = attributes.integer("size");
  const auto spatial = at(std::max(0, input.rank() - 2));
  return resolve_window({{"kernel_shape", Ints(spatial, size)},
                         {"strides", Ints{}},
                         {"pads", Ints(2 * spatial, size / 2)},
                         {"auto_pad", std::string("NOTSET")}},
                        input);
}

base::Result<graph::Signature> infer(const graph::Attributes& attributes,
                                     std::span<const tensor::Shape> inputs) {
  const std::int64_t size = attributes.integer("size");
  if (size < 1 || size > 1023 || size % 2 == 0)
    return base::Reason{base::str("size is ", size, "; an odd number up to 1023 is wanted")};
  if (!(attributes.real("sigma") > 0) || !(attributes.real("floor") > 0))
    return base::Reason{"sigma and floor must be positive"};
  const base::Result<Window> window = neighbourhoods(attributes, inputs[0]);
  if (!window) return window.reason();
  if (const auto verdict = check_work(inputs[0], 2 * window->kernel_count() + 9); !verdict)
    return verdict.reason();
  return same_shape(attributes, inputs);
}

// A pixel of C channels, s taps: the sum over channels, its weighted sum, C differences; C squares added up,
// their weighted sum, root and maximum; C quotients. Backward, with v and m kept: C products for a, its scale
// (3) and weighted sum, 3C for dv, the sum over channels, its weighted sum, C differences.
graph::Work work(const graph::Attributes& attributes, std::span<const tensor::Shape> inputs,
                 const graph::Signature&) {
  const Window window = neighbourhoods(attributes, inputs[0]).value();
  const std::int64_t elements = inputs[0].count(), pixels = elements / inputs[0][1];
  const std::int64_t tree = ceil_log2(inputs[0][1]) + window_depth(window);
  return {.other_flops = 4 * elements + (2 * window.kernel_count() + 2) * pixels,
          .other_flops_backward = 6 * elements + (2 * window.kernel_count() + 3) * pixels,
          .depth = 2 * tree + 4,
          .depth_backward_data = 2 * tree + 6};
}

// The weights of all neighbourhoods, and what one image passes through.
class Filter {
 public:
  Filter(const graph::Attributes& attributes, const tensor::Shape& shape)
      : channels_(at(shape[1])), floor_(attributes.real("floor")) {
    const Window window = neighbourhoods(attributes, shape).value();
    taps_ = tap_offsets(window);
    pixels_ = at(window.input_count());
    kernel_ = at(window.kernel_count());
    fill_weights(attributes, window);
  }

  std::size_t image() const { return channels_ * pixels_; }

  void forward(std::span<const double> x, std::span<double> y) const {
    const Centred centred = centre(x);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = centred.v[i] / centred.m[i % pixels_];
  }

  void backward(std::span<const double> x, std::span<const double> dy, std::span<double> dx) const {
    const Centred centred = centre(x);
    std::vector<double> a(pixels_, 0.0);
    for (std::size_t i = 0; i < dx.size(); ++i) a[i % pixels_] += dy[i] * centred.v[i];
    for (std::size_t q = 0; q < pixels_; ++q) {
      const double s = centred.s[q];
      a[q] = s > floor_ ? a[q] / (s * s * s * static_cast<double>(channels_)) : 0;
    }
    const std::vector<double> pull = spread(a);
    for (std::size_t i = 0; i < dx.size(); ++i)
      dx[i] = dy[i] / centred.m[i % pixels_] - centred.v[i] * pull[i % pixels_];
    const std::vector<double> mean = spread(channel_means(dx));
    for (std::size_t i = 0; i < dx.size(); ++i) dx[i] -= mean[i % pixels_];
  }

 private:
  // v of one image, and m and s of its pixels.
  struct Centred {
    std::vector<double> v, m, s;
  };
  Centred centre(std::span<const double> x) const {
    Centred out{{x.begin(), x.end()}, {}, {}};
    const std::vector<double> mean = gather(channel_means(x));
    for (std::size_t i = 0; i < out.v.size(); ++i) out.v[i] -= mean[i % pixels_];
    std::vector<double> squares = out.v;
    for (double& square : squares) square *= square;
    out.s = gather(channel_means(squares));
    for (double& s : out.s) {
      s = std::sqrt(s);
      out.m.push_back(std::max(floor_, s));
    }
    return out;
  }

  std::vector<double> channel_means(std::span<const double> values) const {
    std::vector<double> means(pixels_, 0.0);
    for (std::size_t i = 0; i < values.size(); ++i)
      means[i % pixels_] += values[i] / static_cast<double>(channels_);
    return means;
  }

  // sum over u of g[q,u] values[u] for every q, and its transpose: sum over q of g[q,u] values[q] for every
  // u.
  std::vector<double> gather(const std::vector<double>& values) const {
    std::vector<double> sums(pixels_, 0.0);
    for_each_weight([&](std::size_t q, std::size_t u, double g) { sums[q] += g * values[u]; });
    return sums;
  }
  std::vector<double> spread(const std::vector<double>& values) const {
    std::vector<double> sums(pixels_, 0.0);
    for_each_weight([&](std::size_t q, std::size_t u, double g) { sums[u] += g * values[q]; });
    return sums;
  }

  void fill_weights(const graph::Attributes& attributes, const Window& window) {
    const double sigma = attributes.real("sigma");
    std::vector<double> gaussian;
    std::vector<std::int64_t> tap(window.kernel.size(), 0);
    do {
      double distance = 0;
      for (const std::int64_t t : tap) {
        const double offset = static_cast<double>(t - attributes.integer("size") / 2);
        distance += offset * offset;
      }
      gaussian.push_back(std::exp(-distance / (2 * sigma * sigma)));
    } while (advance(tap, window.kernel));
    weights_.resize(taps_.size());
    for (std::size_t q = 0; q < pixels_; ++q) {
      double sum = 0;
      for (std::size_t r = 0; r < kernel_; ++r) sum += taps_[q * kernel_ + r] >= 0 ? gaussian[r] : 0;
      for (std::size_t r = 0; r < kernel_; ++r) weights_[q * kernel_ + r] = gaussian[r] / sum;
    }
  }

  // Calls visit(q, u, g[q,u]) for every pixel u in the neighbourhood of q.
  template <class Visit>
  void for_each_weight(Visit&& visit) const {
    for (std::size_t i = 0; i < taps_.size(); ++i)
      if (taps_[i] >= 0) visit(i / kernel_, at(taps_[i]), weights_[i]);
  }

  std::size_t channels_, pixels_ = 0, kernel_ = 0;
  double floor_;
  std::vector<std::int64_t> taps_;
  std::vector<double> weights_;
};

void forward(const ReferenceArgs& args) {
  const Filter filter(args.attributes, args.inputs[0].shape());
  const auto x = f64(args.inputs[0]);
  const auto y = f64(args.outputs[0]);
  for (std::size_t i = 0; i < x.size(); i += filter.image())
    filter.forward(x.subspan(i, filter.image()), y.subspan(i, filter.image()));
}

void backward(const ReferenceArgs& args) {
  const auto dx = wanted(args.input_gradients[0]);
  if (dx.empty()) return;
  const Filter filter(args.attributes, args.inputs[0].shape());
  const auto x = f64(args.inputs[0]), dy = f64(args.output_gradients[0]);
  for (std::size_t i = 0; i < x.size(); i += filter.image())
    filter.backward(x.subspan(i, filter.image()), dy.subspan(i, filter.image()),
                    dx.subspan(i, filter.image()));
}

std::vector<graph::LayerSample> samples() {
  const auto size = [](std::int64_t value) { return graph::AttributeValue(value); };
  return {{"5x5", {}, {{2, 3, 6, 7}}},
          {"3x3", {{"size", size(3)}, {"sigma", 0.8}}, {{2, 1, 4, 4}}},
          {"flat images", {{"size", size(3)}, {"floor", 100.0}}, {{1, 2, 4, 5}}},
          {"larger than the image, 1-D", {{"size", size(7)}}, {{3, 2, 4}}}};
}

}  // namespace

const graph::LayerKind kLocalContrastNormalization = {
    .op = "LocalContrastNormalization",
    .description = "pixels less the mean of their neighbourhood, over its deviation",
    .attributes = kAttributes,
    .infer = infer,
    .work = work,
    .forward = forward,
    .backward = backward,
    .samples = samples,
    .traits = {.has_kinks = true}};

}  // namespace convoy::layers
