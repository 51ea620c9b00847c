#include "bench/fft_transforms/product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/rng.h"
#include "convoy/benchkit/statistics.h"
#include "convoy/kernels/cpu/conv_fft_product.h"
#include "convoy/kernels/family.h"
#include "convoy/report/table.h"
#include "convoy/tensor/view.h"
#include "convoy/tune/peak.h"

namespace convoy::bench {
namespace {

using kernels::cpu::ComplexProduct;

constexpr double kSampleSeconds = 0.002;
constexpr double kRealOperations = 6;  // of one complex multiplication and addition

struct Size {
  std::int64_t rows = 0, terms = 0, blocks = 0;  // tiles of the batch, input channels, blocks of outputs
};
// 64 to 64 channels with 9 and 4 tiles an image, 128 to 128, and few tiles.
constexpr Size kSizes[] = {{288, 64, 4}, {128, 64, 4}, {128, 128, 8}, {16, 256, 16}};

class Values {
 public:
  explicit Values(std::int64_t count) : buffer_(count * 4) {
    base::RandomStream random(1, base::Purpose::test, static_cast<std::uint64_t>(count), 0);
    for (std::int64_t i = 0; i < count; ++i) data()[i] = 2 * random.uniform() - 1;
  }
  float* data() const { return reinterpret_cast<float*>(buffer_.data()); }

 private:
  tensor::Buffer buffer_;
};

std::vector<double> measure(const Size& size, int repetitions) {
  const std::int64_t l = kernels::family_block(), in_blocks = (size.terms + l - 1) / l;
  const ComplexProduct product{.rows = size.rows,
                               .terms = size.terms,
                               .blocks = size.blocks,
                               .a_row = in_blocks * 2 * l,
                               .a_term = 1,
                               .run = l,
                               .a_jump = l,
                               .b_term = 2 * l,
                               .b_block = size.terms * 2 * l,
                               .out_row = size.blocks * 2 * l,
                               .out_block = 2 * l};
  const Values a(size.rows * product.a_row), b(size.blocks * product.b_block),
      out(size.rows * product.out_row);
  const auto multiply = kernels::cpu::find_complex_product();
  const auto clock = base::make_steady_clock();
  const auto time = [&](int calls) {
    const double begin = clock->now();
    for (int i = 0; i < calls; ++i) multiply(product, a.data(), b.data(), out.data());
    return (clock->now() - begin) / calls;
  };
  time(1);
  const int calls = std::max(1, static_cast<int>(std::lround(kSampleSeconds / time(3))));
  std::vector<double> samples;
  for (int i = 0; i < repetitions; ++i) samples.push_back(time(calls));
  return samples;
}

}  // namespace

std::string product_table(int repetitions) {
  if (kernels::cpu::find_complex_product() == nullptr) return "";
  const double peak = tune::measure_peak(1).best_flops;
  report::Table table({{"complex product"},
                       {"channels", report::Align::right},
                       {"outputs", report::Align::right},
                       {"GFLOP/s", report::Align::right},
                       {"% of peak", report::Align::right},
                       {"95 % interval", report::Align::right}});
  for (const Size& size : kSizes) {
    const std::vector<double> samples = measure(size, repetitions);
    const std::int64_t outputs = size.blocks * kernels::family_block();
    const double flops = kRealOperations * static_cast<double>(size.rows * size.terms * outputs);
    const benchkit::Interval seconds = benchkit::bootstrap_median(samples);
    const double rate = flops / benchkit::median(samples);
    table.add({fmt::format("{} tiles", size.rows), std::to_string(size.terms), std::to_string(outputs),
               fmt::format("{:.1f}", rate / 1e9), fmt::format("{:.1f}", 100 * rate / peak),
               fmt::format("{:.1f} .. {:.1f}", 100 * flops / seconds.high / peak,
                           100 * flops / seconds.low / peak)});
  }
  return table.str();
}

}  // namespace convoy::bench
