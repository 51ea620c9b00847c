// Models that leave and come back: bit for bit through a file, past ONNX's own checker, and from PyTorch's
// exporter with the same outputs and on into training.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "convoy/base/error.h"
#include "convoy/base/rng.h"
#include "convoy/benchkit/process.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/models/catalog.h"
#include "convoy/onnx/codec.h"
#include "convoy/onnx/export.h"
#include "convoy/run/initialise.h"
#include "convoy/run/training.h"
#include "tests/support/onnx_run.h"

namespace convoy {
namespace {

constexpr const char* kPython = "/usr/bin/python3";  // Debian's own: it sees Debian's packages
constexpr const char* kScript = "tests/onnx_reference.py";
constexpr int kMissing = 77;  // exit status of the script without its packages
constexpr std::int64_t kSamples = 2;
constexpr std::int64_t kMaxMacs = 2'000'000'000;  // of a batch: models that a test can afford

std::vector<float> random_samples(std::int64_t count) {
  std::vector<float> samples(static_cast<std::size_t>(count));
  base::RandomStream random(3, base::Purpose::initialise, 0, 0);
  for (float& sample : samples) sample = static_cast<float>(random.normal());
  return samples;
}

// Initial weights, and statistics and biases that are not the initial ones.
onnx::Weights trained_looking_weights(const graph::Graph& graph) {
  onnx::Weights weights = run::initial_weights(graph, 1);
  base::RandomStream random(4, base::Purpose::initialise, 0, 0);
  for (auto& [name, values] : weights) {
    auto changed = std::make_shared<tensor::Tensor>(values->clone());
    for (float& value : changed->as<float>()) value += 0.1f * static_cast<float>(random.uniform(0, 1));
    values = std::move(changed);
  }
  return weights;
}

std::int64_t macs_of(const graph::Graph& graph) {
  std::int64_t macs = 0;
  const graph::Shapes shapes = graph.infer(kSamples);
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    const graph::Layer& layer = graph.layers()[i];
    std::vector<tensor::Shape> inputs;
    for (const graph::ValueId v : layer.inputs) inputs.push_back(shapes.values[static_cast<std::size_t>(v)]);
    macs += layer.kind->work(layer.attributes, inputs, shapes.signatures[i]).macs;
  }
  return macs;
}

// Every model of the catalog, narrow where the whole one is too much for a test.
std::vector<graph::Graph> catalog_models() {
  std::vector<graph::Graph> models;
  for (const models::ModelKind& kind : models::catalog()) {
    for (const double width : {1.0, 0.125}) {
      auto graph = models::build_model(kind.name, {.width = width});
      if (!graph || macs_of(*graph) > kMaxMacs) continue;
      models.push_back(std::move(graph).value());
      break;
    }
  }
  return models;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

class OnnxExchange : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!onnx::is_available()) GTEST_SKIP() << "this build has no ONNX";
  }

  std::string path(const std::string& name) const { return directory_.file(name); }

  io::TemporaryDirectory directory_;
};

TEST_F(OnnxExchange, EveryModelOfTheCatalogComesBackBitForBit) {
  const std::vector<graph::Graph> models = catalog_models();
  int exported_models = 0;
  for (const graph::Graph& graph : models) {
    SCOPED_TRACE(graph.name());
    const onnx::Weights weights = trained_looking_weights(graph);
    const auto exported = onnx::export_model({.graph = graph, .weights = weights});
    if (!exported) {  // a layer that ONNX does not have is refused, and nothing else
      EXPECT_NE(exported.reason().text.find("ONNX has no such operator"), std::string::npos)
          << exported.reason().text;
      continue;
    }
    ++exported_models;
    onnx::write_model(path("model.onnx"), exported->file);
    const onnx::ImportedModel back = onnx::load_model(path("model.onnx"));
    if (exported->left_out.empty()) {
      EXPECT_EQ(back.graph.str(), graph.str());
    }
    const std::vector<float> samples = random_samples(kSamples * graph.input_shape().count());
    testing::OnnxRun before(graph, weights), after(back.graph, back.weights);
    const std::vector<float> wanted = before.outputs(samples, kSamples);
    EXPECT_TRUE(same_bits(after.outputs(samples, kSamples), wanted));
    EXPECT_TRUE(std::any_of(wanted.begin(), wanted.end(), [&](float value) { return value != wanted[0]; }));
  }
  EXPECT_GE(exported_models, 3);
}

// Tensors beside the model are the same tensors.
TEST_F(OnnxExchange, ExternalDataComesBackBitForBit) {
  const graph::Graph graph = models::build_model("lenet5").value();
  const onnx::Weights weights = trained_looking_weights(graph);
  const auto exported = onnx::export_model({.graph = graph, .weights = weights});
  ASSERT_TRUE(exported.ok()) << exported.reason().text;
  onnx::write_model(path("model.onnx"), exported->file, {.external_above_bytes = 0});
  EXPECT_TRUE(io::file_exists(path("model.onnx.data")));
  const onnx::ImportedModel back = onnx::load_model(path("model.onnx"));
  for (const auto& [name, values] : weights)
    EXPECT_TRUE(same_bits(back.weights.at(name)->as<float>(), values->as<float>())) << name;
}

class OnnxPython : public OnnxExchange {
 protected:
  void SetUp() override {
    OnnxExchange::SetUp();
    if (!IsSkipped() && !io::file_exists(kPython)) GTEST_SKIP() << "python3 is missing";
  }
};

TEST_F(OnnxPython, TheCheckerPassesWhatIsExported) {
  std::vector<std::string> command = {kPython, kScript, "check"};
  for (const graph::Graph& graph : catalog_models()) {
    const auto exported = onnx::export_model({.graph = graph, .weights = trained_looking_weights(graph)});
    if (!exported) continue;  // as the test above allows
    command.push_back(path(graph.name() + ".onnx"));
    onnx::write_model(command.back(), exported->file);
  }
  benchkit::ChildProcess python(command);
  std::string line;
  try {
    line = python.read_line(300);
  } catch (const base::Error&) {
    if (python.wait() == kMissing) GTEST_SKIP() << "python3-onnx is missing";
  }
  EXPECT_EQ(line, "ok");
}

std::vector<float> read_floats(const std::string& path) {
  const std::string bytes = io::read_file(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// The mean loss of the first and of the last quarter of a short run on digits.
std::pair<double, double> train(const std::string& model, const std::string& output) {
  run::ResolvedConfig config;
  config.config.model = model;
  config.config.data = "digits";
  config.config.train_size = 3200;
  config.config.test_size = 100;
  config.config.batch = 32;
  config.config.epochs = 3;
  config.config.threads = 1;
  config.config.tune = "off";
  // PyTorch starts deep nets without normalisation with small gradients.
  config.config.optimizer = "adam";
  config.config.learning_rate = 0.005;
  config.config.output = output;
  std::vector<double> losses;
  base::StopToken stop;
  run::train(config, {.on_step = [&](const train::StepReport& step) { losses.push_back(step.loss); }}, stop);
  const auto mean = [](auto begin, auto end) {
    double sum = 0;
    for (auto value = begin; value != end; ++value) sum += *value;
    return sum / static_cast<double>(end - begin);
  };
  const auto quarter = static_cast<std::ptrdiff_t>(losses.size() / 4);
  return {mean(losses.begin(), losses.begin() + quarter), mean(losses.end() - quarter, losses.end())};
}

TEST_F(OnnxPython, NetworksOfPyTorchGiveItsOutputsAndTrain) {
  benchkit::ChildProcess python({kPython, kScript, "export", directory_.path()});
  int networks = 0;
  while (true) {
    std::string line;
    try {
      line = python.read_line(300);
    } catch (const base::Error&) {
      break;  // its exit status says why
    }
    ++networks;
    const io::Json network = io::parse_json(line, kScript);
    const std::string name = io::require_string(network, "name", kScript);
    SCOPED_TRACE(name);
    const onnx::ImportedModel model = onnx::load_model(path(name + ".onnx"));
    testing::OnnxRun run(model.graph, model.weights);
    const std::vector<float> found =
        run.outputs(read_floats(path(name + ".inputs")), io::require_int64(network, "samples", kScript));
    const std::vector<float> wanted = read_floats(path(name + ".outputs"));
    const double bound = io::require_double(network, "bound", kScript);
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], bound) << i;
    const auto [first, last] = train(path(name + ".onnx"), path(name));
    EXPECT_LT(last, 0.97 * first);
  }
  const int status = python.wait();
  if (status == kMissing) GTEST_SKIP() << "python3-onnx or python3-torch is missing";
  EXPECT_EQ(status, 0);
  EXPECT_EQ(networks, 5);
}

}  // namespace
}  // namespace convoy
