// How fast are Convoy's batched real 2-D transforms beside FFTW's, and how large is their share of peak?
// A program of its own, because FFTW is GPL: it is built where FFTW is found and never installed.
#include <fftw3.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fft_transforms/product.h"
#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/benchkit/statistics.h"
#include "convoy/kernels/cpu/fft.h"
#include "convoy/kernels/family.h"
#include "convoy/report/table.h"
#include "convoy/tensor/view.h"
#include "convoy/tune/peak.h"

namespace {

using namespace convoy;

constexpr int kLeastPoints = 8, kMostPoints = 64;
constexpr double kSampleSeconds = 0.002, kBar = 2;

struct Options {
  std::int64_t batch = 256;
  int repetitions = 15;
  std::vector<int> threads = {1, 2};
};

// Floats of 64-byte alignment.
class Floats {
 public:
  explicit Floats(std::int64_t count) : buffer_(count * 4) {
    std::memset(buffer_.data(), 0, static_cast<std::size_t>(count * 4));
  }
  float* data() const { return reinterpret_cast<float*>(buffer_.data()); }

 private:
  tensor::Buffer buffer_;
};

// A side of the comparison: `batch` transforms of n x n points there and back.
class Side {
 public:
  virtual ~Side() = default;
  // Of image i; the pixels of both sides are the same.
  virtual void set_pixel(std::int64_t image, int row, int column, float value) = 0;
  virtual std::complex<double> frequency(std::int64_t image, int u, int v) const = 0;
  virtual void forward() = 0;
  virtual void inverse() = 0;
};

// One transform a vector lane; the team shares the vectors.
class Ours final : public Side {
 public:
  Ours(int n, std::int64_t batch, int threads)
      : n_(n),
        lanes_(kernels::family_block()),
        vectors_((batch + lanes_ - 1) / lanes_),
        fft_(n, n),
        tiles_(vectors_ * fft_.tile_floats()),
        spectra_(vectors_ * fft_.spectrum_floats()) {
    for (int t = 0; t < threads; ++t) scratch_.emplace_back(fft_.scratch_floats());
  }

  void set_pixel(std::int64_t image, int row, int column, float value) override {
    tiles_.data()[image / lanes_ * fft_.tile_floats() + (row * n_ + column) * lanes_ + image % lanes_] =
        value;
  }
  std::complex<double> frequency(std::int64_t image, int u, int v) const override {
    const float* at = spectra_.data() + image / lanes_ * fft_.spectrum_floats() + (v * n_ + u) * 2 * lanes_ +
                      image % lanes_;
    return {at[0] / 2.0, at[lanes_] / 2.0};  // it comes out doubled
  }
  void forward() override {
    on_team([this](const base::IndexRange& range, float* scratch) {
      fft_.forward(tiles_.data() + range.begin * fft_.tile_floats(), range.size(),
                   spectra_.data() + range.begin * fft_.spectrum_floats(), scratch);
    });
  }
  void inverse() override {
    on_team([this](const base::IndexRange& range, float* scratch) {
      fft_.inverse(spectra_.data() + range.begin * fft_.spectrum_floats(), range.size(),
                   tiles_.data() + range.begin * fft_.tile_floats(), scratch);
    });
  }

 private:
  template <class Body>
  void on_team(const Body& body) {
    const int team = static_cast<int>(scratch_.size());
    base::parallel_for(team, 1, [&](const base::IndexRange& members) {
      for (std::int64_t member = members.begin; member < members.end; ++member)
        body(base::split_range(vectors_, team, static_cast<int>(member)),
             scratch_[static_cast<std::size_t>(member)].data());
    });
  }

  int n_;
  std::int64_t lanes_, vectors_;
  kernels::cpu::RealFft2d fft_;
  Floats tiles_, spectra_;
  std::vector<Floats> scratch_;
};

struct DestroyPlan {
  void operator()(fftwf_plan plan) const { fftwf_destroy_plan(plan); }
};
using Plan = std::unique_ptr<std::remove_pointer_t<fftwf_plan>, DestroyPlan>;

// Planned by measurement, each thread's share of the images by one plan.
class Fftw final : public Side {
 public:
  Fftw(int n, std::int64_t batch, int threads)
      : n_(n), pixels_(batch * n * n), half_(batch * n * (n / 2 + 1) * 2) {
    for (int t = 0; t < threads; ++t) {
      const base::IndexRange share = base::split_range(batch, threads, t);
      const int sizes[] = {n, n}, images = static_cast<int>(share.size());
      float* pixels = pixels_.data() + share.begin * n * n;
      fftwf_complex* half = reinterpret_cast<fftwf_complex*>(half_.data()) + share.begin * n * (n / 2 + 1);
      there_.emplace_back(fftwf_plan_many_dft_r2c(2, sizes, images, pixels, nullptr, 1, n * n, half, nullptr,
                                                  1, n * (n / 2 + 1), FFTW_MEASURE));
      back_.emplace_back(fftwf_plan_many_dft_c2r(2, sizes, images, half, nullptr, 1, n * (n / 2 + 1), pixels,
                                                 nullptr, 1, n * n, FFTW_MEASURE | FFTW_DESTROY_INPUT));
    }
  }

  void set_pixel(std::int64_t image, int row, int column, float value) override {
    pixels_.data()[(image * n_ + row) * n_ + column] = value;
  }
  std::complex<double> frequency(std::int64_t image, int u, int v) const override {
    const float* at = half_.data() + ((image * n_ + u) * (n_ / 2 + 1) + v) * 2;
    return {at[0], at[1]};
  }
  void forward() override { execute(there_); }
  void inverse() override { execute(back_); }

 private:
  static void execute(const std::vector<Plan>& plans) {
    base::parallel_for(std::ssize(plans), 1, [&](const base::IndexRange& range) {
      for (std::int64_t t = range.begin; t < range.end; ++t)
        fftwf_execute(plans[static_cast<std::size_t>(t)].get());
    });
  }

  int n_;
  Floats pixels_, half_;
  std::vector<Plan> there_, back_;
};

void fill(Side& side, int n, std::int64_t batch) {
  for (std::int64_t image = 0; image < batch; ++image) {
    base::RandomStream random(1, base::Purpose::test, static_cast<std::uint64_t>(image), 0);
    for (int row = 0; row < n; ++row)
      for (int column = 0; column < n; ++column) side.set_pixel(image, row, column, 2 * random.uniform() - 1);
  }
}

// Both sides must have computed the same thing: largest difference over the largest magnitude.
double difference(const Side& a, const Side& b, int n, std::int64_t batch) {
  double largest = 0, off = 0;
  for (std::int64_t image = 0; image < batch; image += std::max<std::int64_t>(1, batch / 19))
    for (int u = 0; u < n; ++u)
      for (int v = 0; v <= n / 2; ++v) {
        largest = std::max(largest, std::abs(b.frequency(image, u, v)));
        off = std::max(off, std::abs(a.frequency(image, u, v) - b.frequency(image, u, v)));
      }
  return off / largest;
}

// Seconds of one call of each, in turn.
struct Samples {
  std::vector<double> ours, theirs;
};

Samples measure(Side& ours, Side& theirs, void (Side::*direction)(), int repetitions) {
  const auto clock = base::make_steady_clock();
  const auto time = [&](Side& side, int calls) {
    const double begin = clock->now();
    for (int i = 0; i < calls; ++i) (side.*direction)();
    return (clock->now() - begin) / calls;
  };
  const auto calls = [&](Side& side) {
    return std::max(1, static_cast<int>(std::lround(kSampleSeconds / time(side, 3))));
  };
  const int our_calls = calls(ours), their_calls = calls(theirs);
  Samples samples;
  for (int i = 0; i < repetitions; ++i) {
    samples.ours.push_back(time(ours, our_calls));
    samples.theirs.push_back(time(theirs, their_calls));
  }
  return samples;
}

struct Totals {
  std::vector<std::vector<double>> samples;  // ours and theirs in turn
  int sizes = 0;
};

double geometric_mean(std::span<const double> medians) {
  double sum = 0;
  for (std::size_t i = 0; i < medians.size(); i += 2) sum += std::log(medians[i + 1] / medians[i]);
  return std::exp(2 * sum / static_cast<double>(medians.size()));
}

// One line of the table for each direction.
void compare(int n, int threads, double peak, const Options& options, report::Table& table, Totals& totals) {
  Ours ours(n, options.batch, threads);
  Fftw theirs(n, options.batch, threads);
  fill(ours, n, options.batch);
  fill(theirs, n, options.batch);
  ours.forward();
  theirs.forward();
  const double off = difference(ours, theirs, n, options.batch);
  CONVOY_CHECK(off < 1e-5, "both transforms of ", n, " points differ by ", off);
  const double points = static_cast<double>(n) * n;
  const double flops = 2.5 * points * std::log2(points) * static_cast<double>(options.batch);
  // FFTW's inverse destroys its input, so that its later calls see other numbers; that costs it no time.
  for (const bool is_forward : {true, false}) {
    const Samples samples =
        measure(ours, theirs, is_forward ? &Side::forward : &Side::inverse, options.repetitions);
    const benchkit::Interval interval = benchkit::bootstrap_ratio(samples.theirs, samples.ours);
    const double a = benchkit::median(samples.ours), b = benchkit::median(samples.theirs);
    table.add({fmt::format("{0}x{0}", n), is_forward ? "forward" : "inverse", std::to_string(threads),
               fmt::format("{:.1f}", flops / a / 1e9), fmt::format("{:.1f}", 100 * flops / a / peak),
               fmt::format("{:.1f}", flops / b / 1e9), fmt::format("{:.1f}", 100 * flops / b / peak),
               fmt::format("{:.2f}", b / a), fmt::format("{:.2f} .. {:.2f}", interval.low, interval.high),
               fmt::format("{:.1e}", off)});
    totals.samples.push_back(samples.ours);
    totals.samples.push_back(samples.theirs);
  }
  ++totals.sizes;
}

int run(const Options& options) {
  report::Table table({{"tile"},
                       {"direction"},
                       {"threads", report::Align::right},
                       {"GFLOP/s", report::Align::right},
                       {"% of peak", report::Align::right},
                       {"FFTW GFLOP/s", report::Align::right},
                       {"% of peak", report::Align::right},
                       {"ratio", report::Align::right},
                       {"95 % interval", report::Align::right},
                       {"difference", report::Align::right}});
  std::string verdicts;
  for (const int threads : options.threads) {
    base::set_thread_count(threads);
    const double peak = tune::measure_peak(threads).best_flops;
    Totals totals;
    for (const int n : kernels::cpu::fft_sizes())
      if (n >= kLeastPoints && n <= kMostPoints && kernels::cpu::find_fft(n) != nullptr)
        compare(n, threads, peak, options, table, totals);
    if (totals.sizes == 0) continue;
    const benchkit::Interval interval = benchkit::bootstrap_medians(totals.samples, geometric_mean);
    std::vector<double> medians;
    for (const auto& samples : totals.samples) medians.push_back(benchkit::median(samples));
    verdicts +=
        fmt::format("T{}: {:.2f} times FFTW's speed in geometric mean ({:.2f} .. {:.2f}); >= {:.0f}: {}\n",
                    threads, geometric_mean(medians), interval.low, interval.high, kBar,
                    interval.low >= kBar ? "holds" : "does not hold");
  }
  fmt::print("{}\n{}", table.str(), verdicts);
  fmt::print(
      "{} real images a call, each side in its own order of them; {} interleaved samples. Operations by the "
      "usual\ncount 2.5 n^2 lg(n^2) of a real transform, which both sides undercut.\n",
      options.batch, options.repetitions);
  fmt::print("\n{}One thread; six real operations for each complex multiplication and addition.\n",
             bench::product_table(options.repetitions));
  if (options.repetitions < 15) fmt::print("Fewer than 15 repetitions: no claim rests on this run.\n");
  return 0;
}

// [--batch N] [--repetitions N] [--threads N]
std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    const int value = i + 1 < argc ? std::atoi(argv[i + 1]) : 0;
    if (value < 1 || value > 1'000'000) return std::nullopt;
    if (flag == "--batch")
      options.batch = value;
    else if (flag == "--repetitions")
      options.repetitions = value;
    else if (flag == "--threads")
      options.threads = {value};
    else
      return std::nullopt;
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto options = parse(argc, argv)) return run(*options);
  fmt::print(stderr, "usage: fft_transforms [--batch N] [--repetitions N] [--threads N]\n");
  return 2;
}
