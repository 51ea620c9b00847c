// Convolution by oneDNN's Winograd implementations: F(4x4,3x3), F(3x3,4x4) for the gradient of the filters,
// and F(2x2,3x3) in inference. The library has them for AVX-512 alone.
#include <algorithm>
#include <array>
#include <cmath>

#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/conv-inl.h"
#include "convoy/kernels/onednn/entries.h"
#include "convoy/layers/window.h"

namespace convoy::kernels::onednn {
namespace {

std::optional<int> reluctance(const Problem&, const std::string& implementation) {
  if (implementation.find("wino") == std::string::npos) return std::nullopt;
  return 0;
}

constexpr ConvMethod kWinograd{.algorithm = dnnl::algorithm::convolution_winograd, .reluctance = reluctance};

base::Verdict supports(const Problem& problem) {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  constexpr auto kAvx512 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  if ((isa & kAvx512) != kAvx512) return base::Reason{"oneDNN has Winograd's algorithm for AVX-512 only"};
  if (problem.family != LayoutFamily::blocked)
    return base::Reason{"oneDNN has Winograd's algorithm in blocked layouts only"};
  const tensor::Shape& weight = problem.params[0].shape;
  const auto ones = [](const std::vector<std::int64_t>& list) {
    return std::all_of(list.begin(), list.end(), [](std::int64_t v) { return v == 1; });
  };
  const auto window = layers::resolve_window(problem.attributes, problem.inputs[0]);
  if (!window) return window.reason();
  if (weight.rank() != 4 || weight[2] != 3 || weight[3] != 3 || !ones(window->strides) ||
      !ones(window->dilations) || problem.attributes.integer("group") != 1)
    return base::Reason{"only filters of 3x3 without strides, dilation or groups"};
  // Measured with 2.6.3: exactly then its results are those of the paddings swapped.
  if (problem.pass == Pass::backward_data && window->pads_begin[0] != window->pads_end[0])
    return base::Reason{"oneDNN's Winograd mixes up unequal paddings above and below in backward_data"};
  return check_conv(problem, kWinograd);
}

std::unique_ptr<Kernel> make(const Problem& problem) { return make_conv(problem, kWinograd); }

// As winograd_amplification of convoy/kernels/cpu/winograd_matrices.h, at the library's points 0, 5/8, -5/8,
// 3/2, -3/2 and infinity: the largest over i of sum over j of |A^T[i][j]| max |G[j]| sum |B^T[j]|.
// docs/numerics.md, "oneDNN's Winograd".
double amplification(int outputs, int taps) {
  constexpr std::array<double, 5> kPoints{0, 0.625, -0.625, 1.5, -1.5};
  // Of the product of x - a over all finite points but one, lowest first.
  const auto coefficients = [&](int without) {
    std::array<double, 6> c{1};
    for (int l = 0, degree = 0; l < 5; ++l) {
      if (l == without) continue;
      ++degree;
      for (int i = degree; i >= 0; --i)
        c[static_cast<std::size_t>(i)] =
            (i > 0 ? c[static_cast<std::size_t>(i - 1)] : 0) -
            kPoints[static_cast<std::size_t>(l)] * c[static_cast<std::size_t>(i)];
    }
    return c;
  };
  std::array<double, 6> weight{};  // max |G[j]| sum |B^T[j]|
  for (int j = 0; j < 6; ++j) {
    double inputs = 0, tap = 1;
    for (const double c : coefficients(j)) inputs += std::abs(c);
    if (j < 5) {
      const double point = kPoints[static_cast<std::size_t>(j)];
      double slope = 1;
      for (int l = 0; l < 5; ++l)
        if (l != j) slope *= point - kPoints[static_cast<std::size_t>(l)];
      tap = std::max(1.0, std::pow(std::abs(point), taps - 1)) / std::abs(slope);
    }
    weight[static_cast<std::size_t>(j)] = inputs * tap;
  }
  double largest = 0;
  for (int i = 0; i < outputs; ++i) {
    double sum = i + 1 == outputs ? weight[5] : 0;
    for (std::size_t j = 0; j < 5; ++j) sum += std::pow(std::abs(kPoints[j]), i) * weight[j];
    largest = std::max(largest, sum);
  }
  return largest;
}

double error_growth(const Problem& problem) {
  const tensor::Shape &weight = problem.params[0].shape, &output = problem.outputs[0];
  const auto growth = [](int outputs, int taps, double terms) {
    const double magnified = amplification(outputs, taps);
    return magnified * magnified * sum_error_growth(terms + 2 * taps + 4 * (outputs + taps - 1) + 6);
  };
  if (problem.pass == Pass::forward) return growth(4, 3, static_cast<double>(weight[1]));
  if (problem.pass == Pass::backward_data) return growth(4, 3, static_cast<double>(weight[0]));
  const std::int64_t tiles = output[0] * ((output[2] + 3) / 4) * ((output[3] + 3) / 4);
  return growth(3, 4, static_cast<double>(tiles));
}

// Tiles of 6x6 over the map: products of all channels, whole vectors of them, at each of the 36 points, and
// transforms of everything to and fro, which memory slows down. Measured on Zen 4 over VGG's and smaller
// layers: the products run at 0.93 of peak, and one transformed element costs as much as 47 operations at
// peak, 75 where filters' gradients are formed; most layers are within 15 % of that.
double seconds(const Problem& problem, const machine::Machine& machine) {
  const tensor::Shape &x = problem.inputs[0], &y = problem.outputs[0];
  const tensor::Shape& tiled = problem.pass == Pass::backward_data ? x : y;
  const auto vectors = [](std::int64_t channels) { return static_cast<double>((channels + 15) / 16 * 16); };
  const double tiles = static_cast<double>(tiled[0] * ((tiled[2] + 3) / 4) * ((tiled[3] + 3) / 4));
  const double c = vectors(x[1]), k = vectors(y[1]);
  const bool keeps_filters = problem.pass == Pass::forward && !problem.training;
  const double transformed = 36 * (tiles * (c + k) + (keeps_filters ? 0 : c * k));
  const double cost = problem.pass == Pass::backward_weights ? 75 : 47;
  const double operations = 2 * 36 * tiles * c * k / 0.93 + cost * transformed;
  return roofline_seconds(problem, machine, pass_flops(problem) / operations);
}

}  // namespace

KernelEntry conv_winograd_entry() {
  return {.name = "onednn:winograd",
          .op = "Conv",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = error_growth,
          .error_terms = ErrorTerms::whole_maps,
          .exact_on_integers = false};
}

}  // namespace convoy::kernels::onednn
