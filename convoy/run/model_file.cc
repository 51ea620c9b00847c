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
#include "convoy/kernels/bf16.h"
#include "convoy/layers/catalog.h"
#include "convoy/onnx/import.h"
#include "convoy/run/assemble.h"
#include "convoy/run/checkpoint_texts.h"
#include "convoy/run/feed.h"
#include "convoy/run/initialise.h"
#include "convoy/run/planning.h"
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

// What the model's output is, where it need not become probabilities any more.
enum class OutputScale { scores, probabilities, log_probabilities };

OutputScale output_scale(const graph::Graph& graph) {
  const int producer = graph.values()[static_cast<std::size_t>(graph.output())].producer;
  if (producer < 0) return OutputScale::scores;
  const graph::LayerKind* kind = graph.layers()[static_cast<std::size_t>(producer)].kind;
  if (kind == &layers::kSoftmax) return OutputScale::probabilities;
  return kind == &layers::kLogSoftmax ? OutputScale::log_probabilities : OutputScale::scores;
}

class StoredModel final : public Model {
 public:
  StoredModel(train::Manifest manifest, CheckpointTexts texts)
      : manifest_(std::move(manifest)), texts_(std::move(texts)) {
    // As it was trained, where this processor can; adapt() finds kernels in float32 elsewhere.
    const bool bf16 = texts_.plan.uses_bf16() && kernels::check_bf16_products().ok();
    objective_ = exec::make_graph_objective(texts_.graph, texts_.plan, {.bf16 = bf16}, kernels::catalog());
    store_ = train::make_local_store({.layout = objective_->layout(), .codec = make_segment_codec()});
  }
  train::ParamStore& store() { return *store_; }

  const graph::Graph& graph() const override { return texts_.graph; }
  const train::Manifest& manifest() const override { return manifest_; }
  const std::vector<std::string>& class_names() const override { return texts_.input.class_names; }
  RunConfig settings() const override {
    if (!texts_.config.empty()) return parse_config(texts_.config, "the model's settings").config;
    RunConfig config;
    if (!texts_.input.data.empty()) config.data = texts_.input.data;
    return config;
  }

  train::EvalResult evaluate(const RunConfig& config, bool test_split) override {
    if (texts_.graph.loss() < 0)
      throw base::UsageError(base::str("the model ", texts_.graph.name(), " has no loss to evaluate"));
    const auto set = open_split(config, test_split ? data::Split::test : data::Split::train);
    check_fit(texts_.graph, set->info());
    data::LoaderConfig loader = loader_config(config);
    if (!texts_.input.data.empty()) {  // else as the data set says
      loader.mean = texts_.input.mean;
      loader.stddev = texts_.input.stddev;
    }
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
    if (sample.rank() != 3)
      throw base::UsageError(
          base::str("the model ", texts_.graph.name(), " takes samples of ", sample.str(), ", not images"));
    if (texts_.graph.loss() >= 0 && texts_.graph.labels() < 0)
      throw base::UsageError(
          base::str("the model ", texts_.graph.name(),
                    " learnt without labels and names no classes; convoy eval tells its loss"));
    const tensor::Tensor pixels = load(file);
    const std::vector<float> inputs = normalised(pixels.as<std::uint8_t>());
    tensor::Batch batch{.size = 1, .global_size = 1};
    batch.inputs = tensor::ConstView(inputs.data(), tensor::DType::f32,
                                     tensor::Shape{1, sample[0], sample[1], sample[2]});
    std::vector<float> scores(static_cast<std::size_t>(objective_->output_count()));
    objective_->evaluate(store_->source(), batch, {}, {.outputs = scores}, optim::Mode::predict);
    const std::vector<double> p = probabilities_of(scores);
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

  std::vector<double> probabilities_of(std::span<const float> outputs) const {
    const OutputScale scale = output_scale(texts_.graph);
    if (scale == OutputScale::scores) return probabilities(outputs);
    std::vector<double> p(outputs.begin(), outputs.end());
    if (scale == OutputScale::log_probabilities)
      std::transform(p.begin(), p.end(), p.begin(), [](double log) { return std::exp(log); });
    return p;
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

std::unique_ptr<Model> open_onnx(const OpenRequest& request) {
  onnx::ImportedModel imported = onnx::load_model(request.path);
  CheckpointTexts texts{.graph = imported.graph, .plan = inference_plan(imported.graph, request.threads)};
  texts.input = describe_input(imported, request.path);
  train::Manifest manifest{.model_hash = hash_text(imported.graph)};
  auto model = std::make_unique<StoredModel>(std::move(manifest), std::move(texts));
  load_weights(imported.weights, model->store());
  return model;
}

}  // namespace

InputDescription describe_input(const onnx::ImportedModel& imported, const std::string& path) {
  const tensor::Shape& sample = imported.graph.input_shape();
  const auto channels = static_cast<std::size_t>(sample.rank() > 0 ? sample[0] : 0);
  InputDescription input{.class_names = imported.graph.class_names()};
  if (!imported.input || imported.input->data.empty()) {
    // One entry a channel of an image; a vector has as many channels as features.
    input.mean.assign(channels, 0.0f);
    input.stddev.assign(channels, 1.0f);
    return input;
  }
  if (imported.input->mean.size() != channels)
    throw base::InputError(path, base::str("its normalisation is of ", imported.input->mean.size(),
                                           " channels, its input of ", channels));
  input.data = imported.input->data;
  input.mean = imported.input->mean;
  input.stddev = imported.input->stddev;
  return input;
}

std::unique_ptr<Model> open_model(const OpenRequest& request) {
  if (is_model_file(request.path)) return open_onnx(request);
  const std::string path = checkpoint_place(request.path);
  train::Manifest manifest = train::read_manifest(path);
  CheckpointTexts texts = from_texts(manifest, path);
  if (request.threads > 0) texts.plan.threads = request.threads;
  texts.plan.threads = std::min(texts.plan.threads, base::available_processors());
  base::set_thread_count(texts.plan.threads);
  const std::string hash = manifest.model_hash;
  auto model = std::make_unique<StoredModel>(std::move(manifest), std::move(texts));
  train::load_checkpoint(path, model->store(), {.model_hash = hash});
  return model;
}

}  // namespace convoy::run
