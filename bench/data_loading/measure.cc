#include "bench/data_loading/measure.h"

#include <turbojpeg.h>

#include <memory>

#include "convoy/base/check.h"
#include "convoy/base/clock.h"
#include "convoy/base/error.h"
#include "convoy/benchkit/step_bench.h"
#include "convoy/data/pictures.h"
#include "convoy/run/feed.h"

namespace convoy::bench {
namespace {

// What a program without Convoy would begin with: all pixels of every file.
class BareDecoder {
 public:
  explicit BareDecoder(std::shared_ptr<const data::PictureStore> store)
      : store_(std::move(store)),
        count_(data::picture_count(*store_)),
        jpeg_(tjInitDecompress(), tjDestroy) {}

  void decode_next() {
    const std::string name = store_->read(next_++ % count_, bytes_);
    const auto* data = reinterpret_cast<const unsigned char*>(bytes_.data());
    int width = 0, height = 0, subsampling = 0, colours = 0;
    if (tjDecompressHeader3(jpeg_.get(), data, bytes_.size(), &width, &height, &subsampling, &colours) != 0)
      throw base::InputError(name, "no JPEG picture, which the bare decoder needs");
    pixels_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
    if (tjDecompress2(jpeg_.get(), data, bytes_.size(), pixels_.data(), width, 0, height, TJPF_RGB, 0) != 0)
      throw base::InputError(name, tjGetErrorStr2(jpeg_.get()));
  }

 private:
  std::shared_ptr<const data::PictureStore> store_;
  std::int64_t count_;
  std::unique_ptr<void, int (*)(void*)> jpeg_;
  std::int64_t next_ = 0;
  std::string bytes_;
  std::vector<unsigned char> pixels_;
};

run::RunConfig run_config(const LoadingOptions& options) {
  run::RunConfig config;
  config.data = options.data;
  config.augment = options.augment;
  config.image_size = options.image_size;
  config.batch = options.batch;
  config.model = options.model;
  config.loader_workers = options.workers;
  config.learning_rate = 0.001;
  return config;
}

// The calling thread's own work: one core.
std::unique_ptr<data::BatchSource> make_loader(const LoadingOptions& options) {
  data::LoaderConfig config = run::loader_config(run_config(options));
  config.workers = 0;
  return data::make_loader(run::open_split(run_config(options), data::Split::train), config);
}

Rates measure_both(const LoadingOptions& options, data::BatchSource& loader) {
  const auto clock = base::make_steady_clock();
  BareDecoder bare(data::find_pictures(options.data).train());
  std::int64_t step = 0;
  Rates rates;
  for (int repetition = -1; repetition < options.repetitions; ++repetition) {  // the first warms up
    double begin = clock->now();
    std::int64_t loaded = 0;
    while (loaded < options.images) loaded += loader.batch(step++).size;
    const double loader_seconds = clock->now() - begin;
    begin = clock->now();
    for (std::int64_t i = 0; i < loaded; ++i) bare.decode_next();
    const double bare_seconds = clock->now() - begin;
    if (repetition < 0) continue;
    rates.first.push_back(static_cast<double>(loaded) / loader_seconds);
    rates.second.push_back(static_cast<double>(loaded) / bare_seconds);
  }
  return rates;
}

void measure_training(const LoadingOptions& options, LoadingResult& result) {
  benchkit::StepBenchConfig config{.run = run_config(options), .threads = options.threads};
  const auto synthetic = benchkit::make_step_bench(config);
  config.real_data = true;
  const auto real = benchkit::make_step_bench(config);
  Rates rates;
  for (int repetition = 0; repetition < options.repetitions; ++repetition)
    for (const auto& [bench, samples] :
         {std::pair(real.get(), &rates.first), std::pair(synthetic.get(), &rates.second)}) {
      const benchkit::Window window = bench->measure(options.seconds);
      samples->push_back(static_cast<double>(options.batch * std::ssize(window.step_seconds)) /
                         window.total_seconds());
    }
  result.training = std::move(rates);
  result.wait_share = real->profile(options.seconds).data;
}

}  // namespace

double Rates::ratio() const { return benchkit::median(first) / benchkit::median(second); }

benchkit::Interval Rates::interval() const { return benchkit::bootstrap_ratio(first, second); }

LoadingResult measure_loading(const LoadingOptions& options) {
  LoadingResult result;
  const auto loader = make_loader(options);
  result.set_size = loader->info().size;
  result.loading = measure_both(options, *loader);
  if (!options.model.empty()) measure_training(options, result);
  return result;
}

}  // namespace convoy::bench
