#include "bench/learning_curve/curve.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <sstream>

#include "bench/learning_curve/peer.h"
#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/optim/schedule.h"
#include "convoy/run/assemble.h"
#include "convoy/run/feed.h"

namespace convoy::bench {
namespace {

// The epochs of metrics.jsonl; its other rows are of steps.
void read_convoy(const std::string& directory, std::int64_t train_size, RunCurves& curves) {
  const std::string path = io::join_path(directory, "metrics.jsonl");
  std::istringstream rows(io::read_file(path));
  for (std::string row; std::getline(rows, row);) {
    const io::Json json = io::parse_json(row, path);
    if (json.find("test_accuracy") == nullptr) continue;
    curves.convoy.push_back({.train_loss = io::require_double(json, "train_loss", path),
                             .test_loss = io::require_double(json, "test_loss", path),
                             .test_accuracy = io::require_double(json, "test_accuracy", path)});
    curves.convoy_seconds +=
        static_cast<double>(train_size) / io::require_double(json, "images_per_second", path);
  }
  if (curves.convoy.empty()) throw base::InputError(path, "no epoch of this run is finished; train it first");
}

optim::Schedule schedule_of(const run::RunConfig& config, std::int64_t steps_per_epoch) {
  base::Result<optim::Schedule> schedule = optim::Schedule::parse(config.schedule, steps_per_epoch);
  if (!schedule) throw base::UsageError("--schedule: " + schedule.reason().text);
  optim::Schedule known = std::move(schedule).value();
  known.base_rate = config.learning_rate;
  known.total_steps = config.steps > 0 ? config.steps : config.epochs * steps_per_epoch;
  return known;
}

// The peer's training of one run, an epoch at a time.
class PeerTraining {
 public:
  PeerTraining(const run::RunConfig& config, int threads)
      : graph_(run::build_configured_model(config)),
        train_set_(run::open_split(config, data::Split::train)),
        test_set_(run::open_split(config, data::Split::test)),
        batches_(data::make_loader(train_set_, run::loader_config(config))),
        test_batches_(data::make_evaluation_source(test_set_, run::loader_config(config))),
        schedule_(schedule_of(config, batches_->steps_per_epoch())),
        peer_(config, graph_, static_cast<std::int64_t>(test_set_->info().class_names.size()), threads) {}

  EpochPoint next_epoch() {
    EpochPoint point;
    std::int64_t samples = 0;
    for (const std::int64_t end = step_ + batches_->steps_per_epoch(); step_ < end; ++step_) {
      const tensor::Batch batch = batches_->batch(step_);
      point.train_loss += peer_.train(batch, schedule_.rate(step_)) * static_cast<double>(batch.size);
      samples += batch.size;
    }
    point.train_loss /= static_cast<double>(samples);
    test(point);
    return point;
  }

  std::int64_t train_size() const { return train_set_->info().size; }
  const std::string& version() const { return peer_.version(); }

 private:
  void test(EpochPoint& point) {
    std::int64_t samples = 0, correct = 0;
    for (std::int64_t step = 0; step < test_batches_->steps_per_epoch(); ++step) {
      const tensor::Batch batch = test_batches_->batch(step);
      const TestAnswer answer = peer_.test(batch);
      point.test_loss += answer.loss;
      correct += answer.correct;
      samples += batch.size;
    }
    point.test_loss /= static_cast<double>(samples);
    point.test_accuracy = static_cast<double>(correct) / static_cast<double>(samples);
  }

  graph::Graph graph_;
  std::shared_ptr<const data::Dataset> train_set_, test_set_;
  std::unique_ptr<data::BatchSource> batches_, test_batches_;
  optim::Schedule schedule_;
  LearningPeer peer_;
  std::int64_t step_ = 0;
};

Curve mean(const std::vector<RunCurves>& runs, Curve RunCurves::*side) {
  std::size_t epochs = std::numeric_limits<std::size_t>::max();
  for (const RunCurves& run : runs) epochs = std::min(epochs, (run.*side).size());
  Curve means(runs.empty() ? 0 : epochs);
  const auto count = static_cast<double>(runs.size());
  for (std::size_t e = 0; e < means.size(); ++e)
    for (const RunCurves& run : runs) {
      means[e].train_loss += (run.*side)[e].train_loss / count;
      means[e].test_loss += (run.*side)[e].test_loss / count;
      means[e].test_accuracy += (run.*side)[e].test_accuracy / count;
    }
  return means;
}

}  // namespace

RunCurves follow_run(const std::string& directory, int threads) {
  const std::string file = io::join_path(directory, "config.toml");
  const run::RunConfig config = run::parse_config(io::read_file(file), file).config;
  PeerTraining peer(config, threads);
  RunCurves curves{.run = directory,
                   .model = config.model,
                   .data = config.data,
                   .fold = config.fold,
                   .batch = config.batch,
                   .seed = static_cast<std::int64_t>(config.seed),
                   .peer_version = peer.version()};
  read_convoy(directory, peer.train_size(), curves);
  while (curves.peer.size() < curves.convoy.size()) {
    curves.peer.push_back(peer.next_epoch());
    const EpochPoint &ours = curves.convoy[curves.peer.size() - 1], &theirs = curves.peer.back();
    fmt::print(stderr, "{}: epoch {}/{}  test accuracy {:.2f} %, PyTorch {:.2f} %\n", directory,
               curves.peer.size(), curves.convoy.size(), 100 * ours.test_accuracy,
               100 * theirs.test_accuracy);
  }
  return curves;
}

Curve mean_convoy(const std::vector<RunCurves>& runs) { return mean(runs, &RunCurves::convoy); }
Curve mean_peer(const std::vector<RunCurves>& runs) { return mean(runs, &RunCurves::peer); }

}  // namespace convoy::bench
