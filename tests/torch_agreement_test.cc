// Step-for-step agreement with PyTorch from the same initial weights and batches. The bound is derived in
// docs/numerics.md, "Agreement with PyTorch over 100 steps".
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/benchkit/process.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/io/safetensors.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/run/assemble.h"
#include "convoy/run/feed.h"
#include "convoy/run/initialise.h"
#include "convoy/run/planning.h"
#include "convoy/run/segment_codec.h"
#include "convoy/train/strategy.h"

namespace convoy {
namespace {

constexpr std::int64_t kSteps = 100, kBatch = 64;
constexpr int kOthers = 4;
constexpr double kRounding = 0x1p-24;                // of float32
constexpr double kFactor = 8;                        // docs/numerics.md
constexpr double kFloor = 4;                         // one unit in the last place of a loss between 2 and 4
constexpr const char* kPython = "/usr/bin/python3";  // Debian's own: it sees Debian's packages
constexpr int kMissing = 77;                         // exit status of torch_reference.py without PyTorch

using Curve = std::vector<double>;

run::RunConfig make_config(const std::string& rule, double learning_rate) {
  run::RunConfig config;
  config.model = "lenet5";
  config.data = "digits";
  config.train_size = kSteps * kBatch;
  config.batch = kBatch;
  config.threads = 1;
  config.tune = "off";
  config.optimizer = rule;
  config.learning_rate = learning_rate;
  config.weight_decay = 5e-4;
  config.epsilon = 1e-8;  // written out, because the rules' own differ
  return config;
}

// Rates at which each rule learns, and at which PyTorch agrees with itself: at five to ten times these the
// loss is so sensitive that a last bit becomes a hundredth within the 100 steps.
std::vector<run::RunConfig> rules() {
  return {make_config("sgd", 0.004), make_config("momentum", 0.0004), make_config("adagrad", 0.0005),
          make_config("adam", 0.0001)};
}

run::RunConfig find_rule(const std::string& name) {
  for (const run::RunConfig& config : rules())
    if (config.optimizer == name) return config;
  CONVOY_CHECK(false, "no rule ", name);
}

std::unique_ptr<data::BatchSource> make_batches(const run::RunConfig& config) {
  return data::make_loader(run::open_split(config, data::Split::train), run::loader_config(config));
}

// What a wrong implementation would do to a gradient before the update.
using Damage = std::function<void(const tensor::ParamLayout&, std::span<float> gradients)>;

// Takes gradients in arrays alone, which wait for the end of the step.
class ArraySink final : public optim::GradientSink {
 public:
  explicit ArraySink(optim::GradientSink& to) : to_(to) {}
  tensor::View buffer(int segment) override { return to_.buffer(segment); }
  void loss(double value) override { to_.loss(value); }
  void ready(int segment, base::IndexRange range, bool final) override { to_.ready(segment, range, final); }
  void poll() override { to_.poll(); }

 private:
  optim::GradientSink& to_;
};

class DamagedObjective final : public optim::Objective {
 public:
  DamagedObjective(optim::Objective& sound, train::ParamStore& store, const Damage& damage)
      : sound_(sound), store_(store), damage_(damage) {}
  const tensor::ParamLayout& layout() const override { return sound_.layout(); }
  std::int64_t output_count() const override { return sound_.output_count(); }
  optim::Evaluation evaluate(optim::ParamSource& params, const tensor::Batch& batch, const base::StepKey& key,
                             const optim::Sinks& sinks, optim::Mode mode) override {
    if (!damage_) return sound_.evaluate(params, batch, key, sinks, mode);
    ArraySink arrays(*sinks.gradients);
    optim::Sinks kept = sinks;
    kept.gradients = &arrays;
    const optim::Evaluation found = sound_.evaluate(params, batch, key, kept, mode);
    damage_(store_.layout(), store_.gradients());
    return found;
  }

 private:
  optim::Objective& sound_;
  train::ParamStore& store_;
  const Damage& damage_;
};

// A model with its initial weights, and its training by the strategy `sync`.
class Trainer {
 public:
  explicit Trainer(const run::RunConfig& config)
      : config_(config),
        graph_(run::build_configured_model(config)),
        objective_(exec::make_graph_objective(graph_, run::choose_plan(graph_, config).plan, {},
                                              kernels::catalog())),
        rule_(optim::make_update_rule(config.optimizer, run::update_config(config)).value()),
        store_(train::make_local_store({.layout = objective_->layout(),
                                        .slot_count = rule_->slot_count(),
                                        .initial_slot_value = rule_->initial_slot_value(),
                                        .codec = run::make_segment_codec()})) {
    run::initialise_store(graph_, config.seed, *store_);
  }

  void save_weights(const std::string& path) {
    std::vector<io::TensorSpec> specs;
    for (const tensor::Segment& segment : store_->layout().segments)
      specs.push_back({segment.name, tensor::DType::f32, segment.global_shape});
    io::SafetensorsWriter writer(path, specs);
    for (const tensor::Segment& segment : store_->layout().segments) {
      tensor::Tensor plain(tensor::DType::f32, segment.global_shape);
      const auto stored = store_->parameters().subspan(static_cast<std::size_t>(segment.offset),
                                                       static_cast<std::size_t>(segment.count));
      store_->codec()->to_plain(segment, stored, plain.as<float>());
      writer.write(plain.view());
    }
    writer.commit();
  }

  Curve train(const Damage& damage) {
    Curve losses;
    DamagedObjective objective(*objective_, *store_, damage);
    const auto batches = make_batches(config_);
    const auto clock = base::make_steady_clock();
    const auto transports = comm::make_inproc_group(1);
    base::StopToken stop;
    train::Collaborators with{
        .objective = objective,
        .store = *store_,
        .rule = *rule_,
        .batches = *batches,
        .clock = *clock,
        .transport = *transports[0],
        .stop = stop,
        .observer = {.on_step = [&](const train::StepReport& step) { losses.push_back(step.loss); }}};
    for (const train::StrategyKind& kind : train::strategy_catalog())
      if (kind.name == "sync")
        kind.make()->run({.total_steps = kSteps,
                          .seed = config_.seed,
                          .schedule = {.base_rate = config_.learning_rate},
                          .weight_decay = config_.weight_decay},
                         with);
    return losses;
  }

 private:
  run::RunConfig config_;
  graph::Graph graph_;
  std::unique_ptr<exec::GraphObjective> objective_;
  std::unique_ptr<optim::UpdateRule> rule_;
  std::unique_ptr<train::ParamStore> store_;
};

Curve train(const run::RunConfig& config, const Damage& damage = {}) { return Trainer(config).train(damage); }

io::Json describe(const run::RunConfig& config) {
  io::Json rule = io::Json::object({{"name", config.optimizer},
                                    {"learning_rate", config.learning_rate},
                                    {"weight_decay", config.weight_decay}});
  if (config.optimizer == "momentum") rule.set("momentum", config.momentum);
  if (config.optimizer == "adagrad" || config.optimizer == "adam") rule.set("epsilon", config.epsilon);
  if (config.optimizer == "adam") rule.set("beta1", config.beta1).set("beta2", config.beta2);
  return rule;
}

void write_task(const io::TemporaryDirectory& folder) {
  io::Json list = io::Json::array();
  for (const run::RunConfig& config : rules()) list.append(describe(config));
  folder.write(
      "reference.json",
      io::Json::object({{"net", "lenet5"}, {"batch", kBatch}, {"steps", kSteps}, {"rules", std::move(list)}})
          .dump());
  Trainer(rules()[0]).save_weights(folder.file("weights.safetensors"));
  std::string inputs, labels;
  const auto batches = make_batches(rules()[0]);
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const tensor::Batch batch = batches->batch(step);
    CONVOY_CHECK(batch.size == kBatch);
    inputs.append(static_cast<const char*>(batch.inputs.data()),
                  static_cast<std::size_t>(batch.inputs.bytes()));
    labels.append(reinterpret_cast<const char*>(batch.labels.data()), batch.labels.size_bytes());
  }
  folder.write("batches.bin", inputs + labels);
}

// PyTorch's curves of one rule.
struct Reference {
  Curve exact;                 // float64
  std::vector<Curve> rounded;  // float32
};

Curve to_curve(const io::Json& json) {
  Curve curve;
  for (const io::Json& value : json.as_array()) curve.push_back(value.as_double());
  return curve;
}

class TorchAgreement : public testing::Test {
 protected:
  // One process for all rules: PyTorch takes seconds to load.
  static void SetUpTestSuite() {
    if (!io::file_exists(kPython)) {
      status_ = kMissing;
      return;
    }
    const io::TemporaryDirectory folder;
    write_task(folder);
    benchkit::ChildProcess python(
        {kPython, "tests/torch_reference.py", folder.path(), "--others", std::to_string(kOthers)});
    for (const run::RunConfig& config : rules()) {
      std::string line;
      try {
        line = python.read_line(300);
      } catch (const base::Error&) {
        break;  // its exit status says why
      }
      const io::Json answer = io::parse_json(line, "torch_reference.py");
      Reference& reference = references_[config.optimizer];
      reference.exact = to_curve(*answer.find("exact"));
      for (const io::Json& curve : answer.find("rounded")->as_array())
        reference.rounded.push_back(to_curve(curve));
    }
    status_ = python.wait();
  }

  void SetUp() override {
    if (status_ == kMissing) GTEST_SKIP() << "python3-torch is missing";
    ASSERT_EQ(status_, 0) << "/usr/bin/python3 tests/torch_reference.py failed";
  }

  static const Reference& reference(const std::string& rule) { return references_.at(rule); }

  // B(t): how far a sound float32 implementation may be from the exact curve at each step.
  static Curve bound(const std::string& rule) {
    const Reference& of = reference(rule);
    Curve bound;
    double envelope = 0;
    for (std::size_t t = 0; t < of.exact.size(); ++t) {
      for (const Curve& curve : of.rounded) envelope = std::max(envelope, std::abs(curve[t] - of.exact[t]));
      const double floor = kFloor * kRounding * std::max(1.0, of.exact[t]);
      bound.push_back(kFactor * std::max(envelope, floor));
    }
    return bound;
  }

  // The largest distance from the exact curve, in units of the bound.
  static double excess(const std::string& rule, const Curve& losses) {
    const Curve limit = bound(rule);
    const Curve& exact = reference(rule).exact;
    CONVOY_CHECK(losses.size() == limit.size(), losses.size(), " losses");
    double worst = 0;
    for (std::size_t t = 0; t < losses.size(); ++t)
      worst = std::max(worst, std::abs(losses[t] - exact[t]) / limit[t]);
    return worst;
  }

 private:
  static inline std::map<std::string, Reference> references_;
  static inline int status_ = 0;
};

TEST_F(TorchAgreement, AllRulesStayWithinTheBound) {
  for (const run::RunConfig& config : rules()) {
    SCOPED_TRACE(config.optimizer);
    const Curve losses = train(config), limit = bound(config.optimizer);
    const Curve& exact = reference(config.optimizer).exact;
    ASSERT_EQ(losses.size(), static_cast<std::size_t>(kSteps));
    EXPECT_LT(exact.back(), 0.8 * exact.front()) << "nothing was learned, so nothing was compared";
    double distance = 0;
    for (std::size_t t = 0; t < losses.size(); ++t) {
      EXPECT_LE(std::abs(losses[t] - exact[t]), limit[t]) << "at step " << t + 1;
      distance = std::max(distance, std::abs(losses[t] - reference(config.optimizer).rounded[0][t]));
    }
    fmt::print(
        "{:9} loss {:.3f} -> {:.3f}, farthest from float32 PyTorch {:.1e}, bound {:.1e} -> {:.1e}, used "
        "{:.0f} %\n",
        config.optimizer, exact.front(), exact.back(), distance, limit.front(), limit.back(),
        100 * excess(config.optimizer, losses));
  }
}

// A bound that grows to the size of the loss would prove nothing.
TEST_F(TorchAgreement, TheBoundIsSmallBesideTheLoss) {
  for (const run::RunConfig& config : rules()) {
    const Curve limit = bound(config.optimizer);
    EXPECT_LT(limit[10], 1e-3) << config.optimizer;
    EXPECT_LT(limit.back(), 0.05 * reference(config.optimizer).exact.back()) << config.optimizer;
  }
}

TEST_F(TorchAgreement, SabotagedMomentumIsCaught) {
  run::RunConfig config = find_rule("momentum");
  config.momentum = 0.9001;
  EXPECT_GT(excess("momentum", train(config)), 1);
}

TEST_F(TorchAgreement, SabotagedLearningRatesAreCaught) {
  for (run::RunConfig config : rules()) {
    config.learning_rate *= 1.001;
    EXPECT_GT(excess(config.optimizer, train(config)), 1) << config.optimizer;
  }
}

TEST_F(TorchAgreement, ADroppedBiasIsCaught) {
  const Damage drop = [](const tensor::ParamLayout& layout, std::span<float> gradients) {
    const tensor::Segment& bias = layout.segments[static_cast<std::size_t>(layout.find("conv2.bias"))];
    std::fill_n(gradients.begin() + bias.offset, bias.count, 0.0f);
  };
  for (const run::RunConfig& config : rules())
    EXPECT_GT(excess(config.optimizer, train(config, drop)), 1) << config.optimizer;
}

TEST_F(TorchAgreement, DecayThatIsLeftOutIsCaught) {
  for (run::RunConfig config : rules()) {
    config.weight_decay = 0;
    EXPECT_GT(excess(config.optimizer, train(config)), 1) << config.optimizer;
  }
}

}  // namespace
}  // namespace convoy
