#include "convoy/run/model_file.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/base/threads.h"
#include "convoy/data/image.h"
#include "convoy/data/pictures.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/io/file.h"
#include "convoy/run/checkpoint_texts.h"
#include "convoy/run/feed.h"
#include "convoy/run/run_directory.h"
#include "convoy/run/segment_codec.h"

namespace convoy::run {
namespace {

// softmax of one row of scores, largest subtracted first.
std::vector<double> probabilities(std::span<const float> scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> p;
  for (const float score : scores) p.push_back(std::exp(score - largest));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

class CheckpointModel final : public Model {
 public:
  CheckpointModel(const std::string& path, train::Manifest manifest, CheckpointTexts texts)
      : manifest_(std::move(manifest)), texts_(std::move(texts)) {
    objective_ = exec::make_graph_objective(texts_.graph, texts_.plan, {}, kernels::catalog());
    store_ = train::make_local_store({.layout = objective_->layout(), .codec = make_segment_codec()});
    train::load_checkpoint(path, *store_, {.model_hash = manifest_.model_hash});
  }

  const graph::Graph& graph() const override { return texts_.graph; }
  const train::Manifest& manifest() const override { return manifest_; }
  const std::vector<std::string>& class_names() const override { return texts_.input.class_names; }

  train::EvalResult evaluate(const RunConfig& config, bool test_split) override {
    const auto set = open_split(config, test_split ? data::Split::test : data::Split::train);
    check_fit(texts_.graph, set->info());
    data::LoaderConfig loader = loader_config(config);
    loader.mean = texts_.input.mean;
    loader.stddev = texts_.input.stddev;
    const auto batches = data::make_evaluation_source(set, loader);
    const std::int64_t classes =
        texts_.graph.labels() >= 0 ? static_cast<std::int64_t>(set->info().class_names.size()) : 0;
    return train::evaluate(*objective_, store_->source(), *batches, classes);
  }

  std::vector<Prediction> predict(const std::vector<std::string>& files, int top) override {
    std::vector<Prediction> predictions;
    for (const std::string& file : files) predictions.push_back(predict_one(file, top));
    return predictions;
  }

 private:
  // Photographs as its tests showed them to the model, other pictures whole.
  tensor::Tensor load(const std::string& file) const {
    const tensor::Shape& sample = texts_.graph.input_shape();
    const RunConfig config = parse_config(texts_.config, file).config;
    const data::DatasetKind* kind = data::find_dataset(config.data);
    if (kind != nullptr && kind->describe != nullptr && sample.rank() == 3 && sample[0] == 3)
      return data::load_photograph(file, sample, config.centre_crop);
    return data::load_sample(file, sample);
  }

  Prediction predict_one(const std::string& file, int top) {
    const tensor::Shape& sample = texts_.graph.input_shape();
    const tensor::Tensor pixels = load(file);
    const std::vector<float> inputs = normalised(pixels.as<std::uint8_t>());
    tensor::Batch batch{.size = 1, .global_size = 1};
    batch.inputs = tensor::ConstView(inputs.data(), tensor::DType::f32,
                                     tensor::Shape{1, sample[0], sample[1], sample[2]});
    std::vector<float> scores(static_cast<std::size_t>(objective_->output_count()));
    objective_->evaluate(store_->source(), batch, {}, {.outputs = scores}, optim::Mode::predict);
    const std::vector<double> p = probabilities(scores);
    Prediction prediction{.file = file, .classes = std::vector<std::int64_t>(p.size())};
    std::iota(prediction.classes.begin(), prediction.classes.end(), 0);
    std::stable_sort(prediction.classes.begin(), prediction.classes.end(),
                     [&](std::int64_t a, std::int64_t b) {
                       return p[static_cast<std::size_t>(a)] > p[static_cast<std::size_t>(b)];
                     });
    prediction.classes.resize(
        std::min(prediction.classes.size(), static_cast<std::size_t>(std::max(1, top))));
    for (const std::int64_t c : prediction.classes)
      prediction.probabilities.push_back(p[static_cast<std::size_t>(c)]);
    return prediction;
  }

  std::vector<float> normalised(std::span<const std::uint8_t> pixels) const {
    const std::size_t channels = texts_.input.mean.size();
    CONVOY_CHECK(channels > 0 && pixels.size() % channels == 0, pixels.size(), " pixels in ", channels,
                 " channels");
    const std::size_t plane = pixels.size() / channels;
    std::vector<float> inputs(pixels.size());
    for (std::size_t i = 0; i < pixels.size(); ++i)
      inputs[i] = (static_cast<float>(pixels[i]) / 255.0f - texts_.input.mean[i / plane]) /
                  texts_.input.stddev[i / plane];
    return inputs;
  }

  train::Manifest manifest_;
  CheckpointTexts texts_;
  std::unique_ptr<exec::GraphObjective> objective_;
  std::unique_ptr<train::ParamStore> store_;
};

}  // namespace

std::unique_ptr<Model> open_model(const OpenRequest& request) {
  const std::string path = checkpoint_place(request.path);
  train::Manifest manifest = train::read_manifest(path);
  CheckpointTexts texts = from_texts(manifest, path);
  if (request.threads > 0) texts.plan.threads = request.threads;
  texts.plan.threads = std::min(texts.plan.threads, base::available_processors());
  base::set_thread_count(texts.plan.threads);
  return std::make_unique<CheckpointModel>(path, std::move(manifest), std::move(texts));
}

}  // namespace convoy::run
