// Every strategy of the catalog on problems whose optimum is known.
#include "convoy/train/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "convoy/base/error.h"
#include "convoy/base/rng.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/optim/arena_sinks.h"
#include "convoy/train/checkpoint.h"

namespace convoy::train {
namespace {

using optim::Phase;
using tensor::ParamRole;
using tensor::SegmentKind;

constexpr std::int64_t kFeatures = 3, kClasses = 3, kSamples = 48, kBatch = 8;

// Samples of three overlapping clouds, so that the optimum is finite; step t's batch is a reproducible draw.
class Clouds final : public data::BatchSource {
 public:
  explicit Clouds(std::int64_t batch_size = kBatch) : batch_size_(batch_size) {
    info_.size = kSamples;
    base::RandomStream random(9, base::Purpose::test, 0, 0);
    for (std::int64_t n = 0; n < kSamples; ++n) {
      labels_.push_back(static_cast<std::int32_t>(n % kClasses));
      for (std::int64_t f = 0; f < kFeatures; ++f)
        inputs_.push_back(static_cast<float>(random.normal() + (f == n % kClasses ? 1.0 : 0.0)));
    }
  }
  tensor::Batch batch(std::int64_t step) override {
    batch_inputs_.clear();
    batch_labels_.clear();
    base::RandomStream random(5, base::Purpose::test, static_cast<std::uint64_t>(step), 1);
    for (std::int64_t k = 0; k < batch_size_; ++k) {
      const auto n = static_cast<std::size_t>(batch_size_ == kSamples ? static_cast<std::uint64_t>(k)
                                                                      : random.below(kSamples));
      batch_labels_.push_back(labels_[n]);
      batch_inputs_.insert(batch_inputs_.end(), inputs_.begin() + static_cast<std::ptrdiff_t>(n * kFeatures),
                           inputs_.begin() + static_cast<std::ptrdiff_t>((n + 1) * kFeatures));
    }
    return shard(0, batch_size_);
  }
  // Samples [begin, end) of the batch last asked for, as one rank's part of it.
  tensor::Batch shard(std::int64_t begin, std::int64_t end) const {
    return {
        .inputs = {batch_inputs_.data() + begin * kFeatures, tensor::DType::f32, {end - begin, kFeatures}},
        .labels = std::span(batch_labels_)
                      .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
        .size = end - begin,
        .global_size = batch_size_};
  }
  std::int64_t steps_per_epoch() const override { return kSamples / batch_size_; }
  const data::DatasetInfo& info() const override { return info_; }
  double wait_seconds() const override { return 0; }

 private:
  std::int64_t batch_size_;
  data::DatasetInfo info_;
  std::vector<float> inputs_, batch_inputs_;
  std::vector<std::int32_t> labels_, batch_labels_;
};

// Softmax regression with a bias and one state value that sums what it has seen. `spoil` may change a result.
class SoftmaxRegression final : public optim::Objective {
 public:
  SoftmaxRegression() {
    layout_.append_replicated("weight", {kClasses, kFeatures}, SegmentKind::parameter, ParamRole::weight);
    layout_.append_replicated("seen", {1}, SegmentKind::state, ParamRole::running_mean);
    layout_.append_replicated("bias", {kClasses}, SegmentKind::parameter, ParamRole::bias);
  }
  const tensor::ParamLayout& layout() const override { return layout_; }
  std::int64_t output_count() const override { return kClasses; }

  optim::Evaluation evaluate(optim::ParamSource& params, const tensor::Batch& batch, const base::StepKey& key,
                             const optim::Sinks& sinks, optim::Mode) override {
    const auto weight_view = params.acquire(0, Phase::forward).view;
    const auto bias_view = params.acquire(2, Phase::forward).view;
    const auto w = weight_view.as<float>(), b = bias_view.as<float>(), x = batch.inputs.as<float>();
    const auto gw = sinks.gradients->buffer(0).as<float>(), gb = sinks.gradients->buffer(2).as<float>();
    std::fill(gw.begin(), gw.end(), 0.0F);
    std::fill(gb.begin(), gb.end(), 0.0F);
    const double scale = 1.0 / static_cast<double>(batch.global_size);
    optim::Evaluation result{.loss = 0, .correct = 0, .samples = batch.size};
    for (std::int64_t n = 0; n < batch.size; ++n) {
      std::array<double, kClasses> p{};
      double sum = 0;
      for (std::size_t k = 0; k < kClasses; ++k) {
        double z = b[k];
        for (std::size_t f = 0; f < kFeatures; ++f)
          z += w[k * kFeatures + f] * x[static_cast<std::size_t>(n) * kFeatures + f];
        p[k] = std::exp(z);
        sum += p[k];
      }
      const auto label = static_cast<std::size_t>(batch.labels[static_cast<std::size_t>(n)]);
      result.loss -= scale * std::log(p[label] / sum);
      result.correct +=
          std::max_element(p.begin(), p.end()) - p.begin() == static_cast<std::ptrdiff_t>(label);
      for (std::size_t k = 0; k < kClasses; ++k) {
        const double d = scale * (p[k] / sum - (k == label ? 1 : 0));
        gb[k] += static_cast<float>(d);
        for (std::size_t f = 0; f < kFeatures; ++f)
          gw[k * kFeatures + f] += static_cast<float>(d * x[static_cast<std::size_t>(n) * kFeatures + f]);
      }
    }
    const float seen = params.acquire(1, Phase::forward).view.as<float>()[0];
    sinks.state->buffer(1).as<float>()[0] = seen * 0.9F + static_cast<float>(result.loss);
    if (spoil) spoil(key.step, result, gw);
    return result;
  }

  std::function<void(std::int64_t step, optim::Evaluation&, std::span<float> gradient)> spoil;

 private:
  tensor::ParamLayout layout_;
};

// Saves into a directory for the time of a test, and remembers when.
class Keeper final : public Checkpointer {
 public:
  Keeper(ParamStore& store, const optim::UpdateRule& rule) : store_(store), rule_(rule) {}
  void save(std::int64_t step) override {
    steps.push_back(step);
    save_checkpoint(directory.path(), {.step = step, .model_hash = "00", .rule = std::string(rule_.name())},
                    store_, slot_names(rule_), 3);
  }
  static std::vector<std::string> slot_names(const optim::UpdateRule& rule) {
    std::vector<std::string> names;
    for (int s = 0; s < rule.slot_count(); ++s) names.emplace_back(rule.slot_name(s));
    return names;
  }
  io::TemporaryDirectory directory;
  std::vector<std::int64_t> steps;

 private:
  ParamStore& store_;
  const optim::UpdateRule& rule_;
};

// All that one training needs, with a fresh store.
struct Training {
  explicit Training(const StrategyKind& kind, std::string_view rule_name = "momentum",
                    std::int64_t batch = kBatch)
      : strategy(kind.make()), rule(optim::make_update_rule(rule_name, {}).value()), batches(batch) {
    store = make_local_store({.layout = objective.layout(),
                              .slot_count = rule->slot_count(),
                              .initial_slot_value = rule->initial_slot_value()});
    keeper = std::make_unique<Keeper>(*store, *rule);
    config.total_steps = 20;
    config.schedule = optim::Schedule::parse("cosine", 1).value();
    config.schedule.base_rate = 0.05;
    config.schedule.total_steps = 20;
    config.weight_decay = 0.01;
  }
  Outcome run(bool with_keeper = true) {
    Collaborators with{.objective = objective,
                       .store = *store,
                       .rule = *rule,
                       .batches = batches,
                       .clock = clock,
                       .transport = *transport.front(),
                       .stop = stop,
                       .observer = observer,
                       .checkpointer = with_keeper ? keeper.get() : nullptr,
                       .trace = &trace};
    return strategy->run(config, with);
  }
  // Everything a checkpoint must bring back.
  std::vector<float> everything() const {
    std::vector<float> all(store->parameters().begin(), store->parameters().end());
    all.insert(all.end(), store->state().begin(), store->state().end());
    for (int s = 0; s < store->slot_count(); ++s)
      all.insert(all.end(), store->slot(s).begin(), store->slot(s).end());
    return all;
  }

  std::unique_ptr<Strategy> strategy;
  SoftmaxRegression objective;
  std::unique_ptr<optim::UpdateRule> rule;
  Clouds batches;
  std::unique_ptr<ParamStore> store;
  std::unique_ptr<Keeper> keeper;
  std::vector<std::unique_ptr<comm::Transport>> transport = comm::make_inproc_group(1);
  base::VirtualClock clock;
  base::StopToken stop;
  Observer observer;
  base::TraceRecorder trace;
  StrategyConfig config;
};

class EveryStrategy : public testing::TestWithParam<StrategyKind> {};
INSTANTIATE_TEST_SUITE_P(Catalog, EveryStrategy,
                         testing::ValuesIn(strategy_catalog().begin(), strategy_catalog().end()),
                         [](const auto& entry) { return std::string(entry.param.name); });

// The optimum of the regularised, strictly convex loss is where its gradient is zero.
TEST_P(EveryStrategy, FindsTheOptimumOfASoftmaxRegression) {
  for (const char* rule : {"sgd", "momentum", "nesterov"}) {
    Training training(GetParam(), rule, kSamples);
    training.config.total_steps = training.config.schedule.total_steps = 2000;
    training.config.schedule.base_rate = rule == std::string("sgd") ? 2.0 : 0.5;
    training.run(false);
    training.objective.evaluate(training.store->source(), training.batches.batch(0), {},
                                {.gradients = &training.store->gradient_sink(),
                                 .state = &training.store->state_sink(),
                                 .outputs = {}},
                                optim::Mode::gradient);
    for (std::size_t i = 0; i < training.store->gradients().size(); ++i) {
      const double decay = i < kClasses * kFeatures ? training.config.weight_decay : 0;
      EXPECT_NEAR(training.store->gradients()[i] + decay * training.store->parameters()[i], 0, 1e-6)
          << rule << " " << i;
    }
    EXPECT_GT(std::abs(training.store->parameters()[0]), 0.1);
  }
}

TEST_P(EveryStrategy, ResumesToTheSameBitsWithEveryRule) {
  for (const optim::UpdateRuleKind& rule : optim::update_rule_catalog()) {
    Training unbroken(GetParam(), rule.name);
    unbroken.run(false);
    base::RandomStream random(3, base::Purpose::test, 0, 0);
    std::set<std::int64_t> cuts;
    while (cuts.size() < 3) cuts.insert(1 + static_cast<std::int64_t>(random.below(19)));

    std::string resume_from;
    std::int64_t first_step = 0;
    cuts.insert(20);
    std::vector<std::unique_ptr<Training>> parts;  // their directories live until the end
    for (const std::int64_t cut : cuts) {
      parts.push_back(std::make_unique<Training>(GetParam(), rule.name));
      Training& part = *parts.back();
      if (first_step > 0) {
        const Manifest manifest = load_checkpoint(resume_from, *part.store,
                                                  {.model_hash = "00",
                                                   .rule = std::string(rule.name),
                                                   .slot_names = Keeper::slot_names(*part.rule)});
        ASSERT_EQ(manifest.step, first_step);
      }
      part.config.first_step = first_step;
      part.observer.on_step = [&](const StepReport& report) {
        if (report.step == cut && cut < 20) part.stop.request_stop(15);
      };
      const Outcome outcome = part.run();
      EXPECT_EQ(outcome.end, cut < 20 ? Outcome::End::interrupted : Outcome::End::done);
      ASSERT_EQ(outcome.steps, cut);
      resume_from = part.keeper->directory.path();
      first_step = cut;
    }
    EXPECT_EQ(parts.back()->everything(), unbroken.everything()) << rule.name;
  }
}

TEST_P(EveryStrategy, ALossThatIsNotFiniteEndsBeforeItSpoilsAnything) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Training reference(GetParam());
    reference.config.total_steps = 7;
    reference.run(false);

    Training training(GetParam());
    training.config.checkpoint_every_steps = 3;
    training.objective.spoil = [&](std::int64_t step, optim::Evaluation& result, std::span<float> gradient) {
      if (step != 7) return;
      result.loss = bad;
      std::fill(gradient.begin(), gradient.end(), std::numeric_limits<float>::quiet_NaN());
    };
    try {
      training.run();
      FAIL() << "no DivergedError";
    } catch (const base::DivergedError& error) {
      EXPECT_NE(std::string(error.what()).find("at step 8 (epoch 1)"), std::string::npos) << error.what();
    }
    EXPECT_EQ(training.everything(), reference.everything());
    EXPECT_EQ(training.keeper->steps, (std::vector<std::int64_t>{3, 6}));
    const auto latest = find_latest(training.keeper->directory.path());
    ASSERT_TRUE(latest.has_value());
    EXPECT_EQ(read_manifest(*latest).step, 6);
  }
}

// The gradient overflows, the loss does not: the weights are spoilt, but no checkpoint is.
TEST_P(EveryStrategy, WeightsThatAreNotFiniteAreNotSaved) {
  Training training(GetParam());
  training.config.checkpoint_every_steps = 3;
  training.objective.spoil = [&](std::int64_t step, optim::Evaluation&, std::span<float> gradient) {
    if (step == 5) gradient[4] = std::numeric_limits<float>::infinity();
  };
  try {
    training.run();
    FAIL() << "no DivergedError";
  } catch (const base::DivergedError& error) {
    EXPECT_EQ(std::string(error.what()).rfind("weight[4] is -inf after step 6", 0), 0U) << error.what();
  }
  EXPECT_EQ(training.keeper->steps, (std::vector<std::int64_t>{3}));
}

TEST_P(EveryStrategy, StopsAfterTheStepWithACheckpoint) {
  Training training(GetParam());
  training.observer.on_step = [&](const StepReport& report) {
    if (report.step == 8) training.stop.request_stop(2);
  };
  const Outcome outcome = training.run();
  EXPECT_EQ(outcome.end, Outcome::End::interrupted);
  EXPECT_EQ(outcome.steps, 8);
  EXPECT_EQ(training.keeper->steps, (std::vector<std::int64_t>{6, 8}));

  Training stopped_before_it_began(GetParam());
  stopped_before_it_began.stop.request_stop(15);
  EXPECT_EQ(stopped_before_it_began.run().steps, 0);
  EXPECT_EQ(stopped_before_it_began.keeper->steps, (std::vector<std::int64_t>{0}));
}

TEST_P(EveryStrategy, CheckpointsOnRequestAndGoesOn) {
  Training training(GetParam());
  training.observer.on_step = [&](const StepReport& report) {
    if (report.step == 8) training.stop.request_checkpoint();
  };
  EXPECT_EQ(training.run().end, Outcome::End::done);
  EXPECT_EQ(training.keeper->steps, (std::vector<std::int64_t>{6, 8, 12, 18, 20}));
}

TEST_P(EveryStrategy, CheckpointsByEpochAndCadenceOncePerStep) {
  Training training(GetParam());
  training.config.checkpoint_every_steps = 4;
  training.run();
  EXPECT_EQ(training.keeper->steps, (std::vector<std::int64_t>{4, 6, 8, 12, 16, 18, 20}));
}

TEST_P(EveryStrategy, ObserverAndTraceSeeEveryStep) {
  Training training(GetParam());
  std::vector<std::string> calls;
  training.observer.on_step = [&](const StepReport& report) {
    training.clock.advance(1);
    calls.push_back("step " + std::to_string(report.step) + " of epoch " + std::to_string(report.epoch));
    EXPECT_EQ(report.samples, kBatch);
    EXPECT_EQ(report.learning_rate, training.config.schedule.rate(report.step - 1));
    EXPECT_TRUE(report.loss > 0 && report.correct >= 0 && report.correct <= kBatch);
  };
  training.observer.on_epoch = [&](std::int64_t epoch) {
    calls.push_back("end of epoch " + std::to_string(epoch));
    EXPECT_EQ(training.keeper->steps.size(), static_cast<std::size_t>(epoch));  // before its checkpoint
  };
  training.run();
  ASSERT_EQ(calls.size(), 23U);  // 20 steps and the ends of 3 whole epochs of 6
  EXPECT_EQ(calls[5], "step 6 of epoch 0");
  EXPECT_EQ(calls[6], "end of epoch 0");
  EXPECT_EQ(calls[7], "step 7 of epoch 1");
  EXPECT_EQ(calls[22], "step 20 of epoch 3");
  const auto count = [&](const std::string& category) {
    return std::count_if(training.trace.events().begin(), training.trace.events().end(),
                         [&](const base::TraceEvent& event) { return event.category == category; });
  };
  EXPECT_EQ(count("data"), 20);
  EXPECT_EQ(count("evaluate"), 20);
  EXPECT_EQ(count("update"), 20);
  EXPECT_EQ(count("checkpoint"), 4);
}

TEST_P(EveryStrategy, StateIsCommittedOnceAStep) {
  Training training(GetParam());
  training.config.total_steps = 1;
  training.config.schedule.total_steps = 1;
  double loss = 0;
  training.observer.on_step = [&](const StepReport& report) { loss = report.loss; };
  training.run(false);
  EXPECT_EQ(training.store->state()[0], static_cast<float>(loss));
  EXPECT_EQ(training.store->version(), 2U);
}

TEST(Sync, RefusesMoreThanOneRankAndSaysWhy) {
  Training training(strategy_catalog().front());
  training.transport = comm::make_inproc_group(2);
  try {
    training.run();
    FAIL() << "no UsageError";
  } catch (const base::UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("on one rank in this version, not on 2"), std::string::npos);
  }
}

// The seam that data parallelism stands on: gradients and losses of the shards of a batch add up.
TEST(Objective, ShardsSumToTheWhole) {
  Training training(strategy_catalog().front());
  training.batches.batch(0);
  const auto& layout = training.objective.layout();
  const auto evaluate = [&](std::int64_t begin, std::int64_t end, std::vector<double>& sum) {
    const optim::Evaluation found =
        training.objective.evaluate(training.store->source(), training.batches.shard(begin, end), {},
                                    {.gradients = &training.store->gradient_sink(),
                                     .state = &training.store->state_sink(),
                                     .outputs = {}},
                                    optim::Mode::gradient);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += training.store->gradients()[i];
    return found;
  };
  const auto extent = static_cast<std::size_t>(layout.parameter_extent);
  std::vector<double> whole(extent, 0);
  const optim::Evaluation all = evaluate(0, kBatch, whole);
  for (const std::int64_t shards : {2, 3, 5, 8}) {
    std::vector<double> sum(extent, 0);
    double loss = 0;
    std::int64_t correct = 0, samples = 0;
    for (std::int64_t r = 0; r < shards; ++r) {
      const auto found = evaluate(kBatch * r / shards, kBatch * (r + 1) / shards, sum);
      loss += found.loss;
      correct += found.correct;
      samples += found.samples;
    }
    EXPECT_NEAR(loss, all.loss, 1e-14);
    EXPECT_EQ(correct, all.correct);
    EXPECT_EQ(samples, kBatch);
    for (std::size_t i = 0; i < extent; ++i) EXPECT_NEAR(sum[i], whole[i], 1e-6) << shards << " " << i;
  }
}

}  // namespace
}  // namespace convoy::train
