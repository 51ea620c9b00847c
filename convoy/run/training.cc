#include "convoy/run/training.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/base/process_memory.h"
#include "convoy/base/threads.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/graph/work_depth.h"
#include "convoy/run/assemble.h"
#include "convoy/run/checkpoint_texts.h"
#include "convoy/run/environment.h"
#include "convoy/run/feed.h"
#include "convoy/run/initialise.h"
#include "convoy/run/planning.h"
#include "convoy/run/run_directory.h"
#include "convoy/run/segment_codec.h"
#include "convoy/run/tuning.h"
#include "convoy/tune/probe.h"

namespace convoy::run {
namespace {

using data::Split;

constexpr std::int64_t kMetricsRowsPerEpoch = 100;

template <class T>
T require(base::Result<T> result, const char* setting) {
  if (!result) throw base::UsageError(base::str(setting, ": ", result.reason().text));
  return std::move(result).value();
}

std::vector<std::string> slot_names(const optim::UpdateRule& rule) {
  std::vector<std::string> names;
  for (int s = 0; s < rule.slot_count(); ++s) names.emplace_back(rule.slot_name(s));
  return names;
}

std::unique_ptr<train::Strategy> make_strategy(const std::string& name) {
  std::string known;
  for (const train::StrategyKind& kind : train::strategy_catalog()) {
    if (kind.name == name) return kind.make();
    known += base::str(known.empty() ? "" : ", ", kind.name);
  }
  throw base::UsageError(base::str("--strategy: no strategy '", name, "'; there are: ", known));
}

// Whether an existing path lies in a directory.
bool is_below(const std::string& path, const std::string& directory) {
  const std::filesystem::path relative =
      std::filesystem::canonical(path).lexically_relative(std::filesystem::canonical(directory));
  return !relative.empty() && *relative.begin() != "..";
}

// The means of an epoch that is being trained.
struct EpochSums {
  double loss = 0, seconds = 0;
  std::int64_t samples = 0, correct = 0;

  void add(const train::StepReport& step) {
    loss += step.loss * static_cast<double>(step.samples);
    seconds += step.seconds;
    samples += step.samples;
    correct += step.correct;
  }
  double mean(double sum) const { return samples > 0 ? sum / static_cast<double>(samples) : 0; }
};

// All parts of one run, in the order in which they must be made.
class Session final : public train::Checkpointer {
 public:
  Session(const ConfiguredModel& model, const ResolvedConfig& resolved, const RunObserver& observer,
          base::StopToken& stop)
      : model_(model), resolved_(resolved), observer_(observer), stop_(stop) {
    prelude_.notes = model.notes;
  }

  TrainResult run() {
    require_loss(graph_);
    open_data();
    find_checkpoint();
    assemble();
    open_directory();
    write_head();
    announce();
    train();
    return finish();
  }

  void save(std::int64_t step) override {
    train::Manifest manifest{.step = step,
                             .seed = config_.seed,
                             .model_hash = hash_text(graph_),
                             .rule = std::string(rule_->name())};
    manifest.texts =
        to_texts({graph_, plan_, input_description(), to_toml(resolved_, /*with_origins=*/false)});
    if (test_.samples > 0) manifest.metrics["test_loss"] = test_.loss;
    if (test_.classes > 0) manifest.metrics["test_accuracy"] = test_.accuracy();
    result_.checkpoint = train::save_checkpoint(directory_->checkpoints(), manifest, *store_,
                                                slot_names(*rule_), static_cast<int>(config_.keep_last));
  }

 private:
  void open_data() {
    train_set_ = open_split(config_, Split::train);
    test_set_ = open_split(config_, Split::test);
    check_fit(graph_, train_set_->info());
    check_fit(graph_, test_set_->info());
    for (const data::Dataset* set : {train_set_.get(), test_set_.get()})
      for (const std::string& note : set->info().notes)
        prelude_.notes.push_back(set->info().name + ": " + note);
  }

  // The checkpoint to go on from. Only a run that goes on in its directory locks it now; for any other, all
  // that can be refused is refused before a directory is made.
  void find_checkpoint() {
    if (config_.resume != "auto") {
      if (config_.resume != "never") resume_from_ = checkpoint_place(config_.resume);
      return;
    }
    if (config_.output.empty())
      throw base::UsageError("--resume auto goes on in a run directory; say in which by --output");
    if (!std::filesystem::exists(config_.output)) return;
    directory_.emplace(config_.output);
    resume_from_ = directory_->latest_checkpoint();
    if (!resume_from_ && directory_->holds_checkpoints())
      throw base::InputError(directory_->checkpoints(),
                             "none of its checkpoints is complete; restore one, or begin anew in another "
                             "--output");
  }

  void open_directory() {
    if (directory_) return;
    directory_.emplace(config_.output.empty() ? default_run_directory(config_) : config_.output);
    // Going back to an older checkpoint of the directory's own run is no accident; all else would be.
    const bool goes_back = resume_from_ && is_below(*resume_from_, directory_->path());
    if (!goes_back && directory_->holds_a_run())
      throw base::UsageError(base::str(directory_->path(),
                                       ": holds a run already; go on with it by --resume auto, "
                                       "or choose another --output"));
  }

  void assemble() {
    rule_ = require(optim::make_update_rule(config_.optimizer, update_config(config_)), "--optimizer");
    strategy_ = make_strategy(config_.strategy);
    resolve_plan();
    objective_ = exec::make_graph_objective(graph_, plan_, {.bf16 = uses_bf16(config_)}, kernels::catalog());
    store_ = train::make_local_store({.layout = objective_->layout(),
                                      .slot_count = rule_->slot_count(),
                                      .initial_slot_value = rule_->initial_slot_value(),
                                      .codec = make_segment_codec()});
    const data::LoaderConfig loader = loader_config(config_);
    bad_examples_ = loader.bad;
    batches_ = data::make_loader(train_set_, loader);
    test_batches_ = data::make_evaluation_source(test_set_, loader);
    strategy_config();
    load_or_initialise();
  }

  void resolve_plan() {
    if (resume_from_ && !config_.replan && keeps_precision()) {
      const CheckpointTexts texts = from_texts(train::read_manifest(*resume_from_), *resume_from_);
      plan_ = texts.plan;
      note_settings_of_another_plan(parse_config(texts.config, *resume_from_).config);
      base::set_thread_count(plan_.threads);
      prelude_.algorithms = describe_algorithms(graph_, plan_);
      if (config_.threads > 0 && config_.threads != plan_.threads)
        prelude_.notes.push_back(
            fmt::format("keeping the checkpoint's plan and its {} threads; --replan makes a "
                        "new one",
                        plan_.threads));
      return;
    }
    PlanningBasis basis(config_);
    if (basis.is_tuned()) tune(basis);
    plan::Resolution resolution = choose_plan(graph_, config_, basis);
    prelude_.algorithms = describe_algorithms(graph_, resolution);
    prelude_.recomputation = describe_recomputation(resolution, config_);
    plan_ = std::move(resolution.plan);
    prelude_.predicted_step_seconds = resolution.predicted_seconds;
  }

  // Whether the checkpoint's plan was made for the precision that is asked for now.
  bool keeps_precision() const {
    const std::string text = from_texts(train::read_manifest(*resume_from_), *resume_from_).config;
    return parse_config(text, *resume_from_).config.precision == config_.precision;
  }

  // What is asked of the plan and differs from what the kept plan was made for; threads have words of their
  // own.
  void note_settings_of_another_plan(const RunConfig& before) {
    constexpr std::string_view kAsked[] = {"layout",          "kernels",     "conv_algorithm",
                                           "workspace_limit", "error_limit", "fuse",
                                           "share_memory",    "recompute",   "memory"};
    for (const std::string_view name : kAsked) {
      const Setting& setting = *find_setting(name);
      if (setting.get(before) != setting.get(config_))
        prelude_.notes.push_back(base::str("keeping the checkpoint's plan, made for ", name, " ",
                                           setting.get(before), "; --replan makes one for ",
                                           setting.get(config_)));
    }
  }

  void tune(PlanningBasis& basis) {
    const TuningResult tuned =
        tune_model(graph_, config_, basis, {.on_progress = observer_.on_tune, .stop = &stop_});
    if (tuned.timed == 0) return;
    prelude_.notes.push_back(fmt::format("timed {} kernels in {:.1f} s{}", tuned.timed, tuned.seconds,
                                         tuned.path.empty() ? "" : ", kept in " + tuned.path));
  }

  void strategy_config() {
    const std::int64_t per_epoch = batches_->steps_per_epoch();
    strategy_config_.total_steps = config_.steps > 0 ? config_.steps : config_.epochs * per_epoch;
    strategy_config_.checkpoint_every_steps = config_.checkpoint_every;
    strategy_config_.seed = config_.seed;
    strategy_config_.weight_decay = config_.weight_decay;
    strategy_config_.schedule = require(optim::Schedule::parse(config_.schedule, per_epoch), "--schedule");
    strategy_config_.schedule.base_rate = config_.learning_rate;
    strategy_config_.schedule.total_steps = strategy_config_.total_steps;
  }

  void load_or_initialise() {
    if (!resume_from_ && !model_.weights.empty()) return load_weights(model_.weights, *store_);
    if (!resume_from_) return initialise_store(graph_, config_.seed, *store_);
    const train::Manifest manifest = train::load_checkpoint(*resume_from_, *store_,
                                                            {.model_hash = hash_text(graph_),
                                                             .rule = std::string(rule_->name()),
                                                             .slot_names = slot_names(*rule_)});
    if (manifest.seed != config_.seed)
      throw base::UsageError(fmt::format("{}: was trained with --seed {}, not {}; resume with that seed",
                                         *resume_from_, manifest.seed, config_.seed));
    strategy_config_.first_step = manifest.step;
    prelude_.notes.push_back(fmt::format("resumed from {} after step {}", *resume_from_, manifest.step));
    note_changed_settings(manifest);
  }

  // Settings that change the meaning of training and differ from the checkpoint's: the run goes on, but it is
  // no longer the unbroken one.
  void note_changed_settings(const train::Manifest& manifest) {
    const std::string text = from_texts(manifest, *resume_from_).config;
    const RunConfig before = parse_config(text, *resume_from_).config;
    for (const Setting& setting : settings()) {
      if (setting.section != "train" && setting.section != "data" && setting.section != "model") continue;
      if (setting.get(before) != setting.get(config_))
        prelude_.notes.push_back(base::str(setting.name, " was ", setting.get(before), " and is ",
                                           setting.get(config_), " from here on"));
    }
  }

  InputDescription input_description() const {
    const data::DatasetInfo& info = train_set_->info();
    return {config_.data, info.mean, info.stddev, info.class_names};
  }

  void write_head() {
    directory_->write_config(to_toml(resolved_, /*with_origins=*/true));
    directory_->write_environment(describe_environment(config_, plan_));
    directory_->trim_metrics(strategy_config_.first_step);
    result_.run_directory = directory_->path();
  }

  void announce() {
    prelude_.run_directory = directory_->path();
    prelude_.parameters = store_->layout().parameter_count;
    prelude_.model = graph_.name();
    prelude_.macs = graph::count_work(graph_, 1).macs;
    prelude_.train_size = train_set_->info().size;
    prelude_.test_size = test_set_->info().size;
    prelude_.steps_per_epoch = batches_->steps_per_epoch();
    prelude_.total_steps = strategy_config_.total_steps;
    prelude_.first_step = strategy_config_.first_step;
    prelude_.threads = plan_.threads;
    prelude_.plan = plan_.str();
    if (observer_.on_start) observer_.on_start(prelude_);
  }

  void train() {
    const auto transports = comm::make_inproc_group(1);
    if (config_.profile)
      profiler_.emplace(config_, strategy_config_.first_step, strategy_config_.total_steps, *objective_,
                        *clock_);
    train::Collaborators with{.objective = *objective_,
                              .store = *store_,
                              .rule = *rule_,
                              .batches = *batches_,
                              .clock = *clock_,
                              .transport = *transports[0],
                              .stop = stop_,
                              .observer = {.on_step = [this](const auto& step) { on_step(step); },
                                           .on_epoch = [this](std::int64_t epoch) { on_epoch(epoch); }},
                              .checkpointer = this,
                              .trace = profiler_ ? &profiler_->trace() : nullptr};
    begin_ = clock_->now();
    result_.outcome = strategy_->run(strategy_config_, with);
  }

  void on_step(const train::StepReport& step) {
    const double begin = profiler_ ? clock_->now() : 0;
    sums_.add(step);
    total_.add(step);
    const std::int64_t every = std::max<std::int64_t>(1, prelude_.steps_per_epoch / kMetricsRowsPerEpoch);
    if (step.step % every == 0)
      directory_->append_metrics(io::Json::object({{"step", step.step},
                                                   {"epoch", step.epoch},
                                                   {"loss", step.loss},
                                                   {"learning_rate", step.learning_rate}}));
    if (observer_.on_step) observer_.on_step(step);
    if (profiler_) profiler_->on_step(step, begin);
  }

  void on_epoch(std::int64_t epoch) {
    traced([&] { finish_epoch(epoch); });
  }

  void finish_epoch(std::int64_t epoch) {
    test_ = evaluate_test();
    EpochReport report{
        .epoch = epoch,
        .train_loss = sums_.mean(sums_.loss),
        .train_accuracy = sums_.mean(static_cast<double>(sums_.correct)),
        .test_loss = test_.loss,
        .test_accuracy = test_.accuracy(),
        .seconds = clock_->now() - begin_,
        .images_per_second = sums_.seconds > 0 ? static_cast<double>(sums_.samples) / sums_.seconds : 0,
        .has_accuracy = test_.classes > 0};
    sums_ = {};
    tested_at_epoch_ = epoch;
    result_.epochs = epoch + 1;
    directory_->append_metrics(epoch_row(report));
    if (observer_.on_epoch) observer_.on_epoch(report);
  }

  io::Json epoch_row(const EpochReport& report) const {
    io::Json row = io::Json::object({{"step", (report.epoch + 1) * prelude_.steps_per_epoch},
                                     {"epoch", report.epoch},
                                     {"train_loss", report.train_loss},
                                     {"test_loss", report.test_loss},
                                     {"images_per_second", report.images_per_second}});
    if (report.has_accuracy)
      row.set("train_accuracy", report.train_accuracy).set("test_accuracy", report.test_accuracy);
    return row;
  }

  train::EvalResult evaluate_test() {
    const auto classes = static_cast<std::int64_t>(test_set_->info().class_names.size());
    return train::evaluate(*objective_, store_->source(), *test_batches_, graph_.labels() >= 0 ? classes : 0);
  }

  // Calls what evaluates, as a span of the profile.
  template <class Evaluation>
  void traced(Evaluation&& evaluation) {
    const double begin = clock_->now();
    evaluation();
    if (profiler_)
      profiler_->trace().record(
          {.name = "evaluation", .category = "evaluation", .begin = begin, .end = clock_->now()});
  }

  // The team's ceilings: those that the tuning cache has, or measured now.
  machine::Machine probe() const {
    const machine::Machine known = PlanningBasis(config_).costs(plan_.threads).machine;
    return known.source == "measured" ? known : tune::probe_machine(plan_.threads);
  }

  TrainResult finish() {
    // A run that was stopped, or that ends within an epoch, was last tested at older weights.
    const bool tested =
        tested_at_epoch_ >= 0 && (tested_at_epoch_ + 1) * prelude_.steps_per_epoch == result_.outcome.steps;
    if (!tested && result_.outcome.end == train::Outcome::End::done) traced([&] { test_ = evaluate_test(); });
    result_.epochs = result_.outcome.steps / prelude_.steps_per_epoch;
    result_.tested = test_.samples > 0;
    result_.test_loss = test_.loss;
    result_.test_accuracy = test_.accuracy();
    result_.class_names = test_set_->info().class_names;
    for (std::int64_t label = 0; label < test_.classes; ++label) {
      std::vector<std::int64_t>& row = result_.confusion.emplace_back();
      for (std::int64_t predicted = 0; predicted < test_.classes; ++predicted)
        row.push_back(test_.confusion_at(label, predicted));
    }
    result_.seconds = total_.seconds;
    result_.images_per_second = total_.seconds > 0 ? static_cast<double>(total_.samples) / total_.seconds : 0;
    result_.data_wait_seconds = batches_->wait_seconds();
    result_.bad_examples = bad_examples_->count();
    result_.peak_memory_bytes = base::peak_memory_bytes();
    if (profiler_) result_.profile = profiler_->finish(probe());
    return std::move(result_);
  }

  const ConfiguredModel& model_;
  const graph::Graph& graph_ = model_.graph;
  ResolvedConfig resolved_;
  const RunConfig& config_ = resolved_.config;
  const RunObserver& observer_;
  base::StopToken& stop_;

  std::unique_ptr<base::Clock> clock_ = base::make_steady_clock();
  std::shared_ptr<const data::Dataset> train_set_, test_set_;
  std::optional<RunDirectory> directory_;
  std::optional<std::string> resume_from_;
  std::unique_ptr<optim::UpdateRule> rule_;
  std::unique_ptr<train::Strategy> strategy_;
  plan::Plan plan_;
  std::unique_ptr<exec::GraphObjective> objective_;
  std::unique_ptr<train::ParamStore> store_;
  std::shared_ptr<const data::BadExamples> bad_examples_;
  std::unique_ptr<data::BatchSource> batches_, test_batches_;
  train::StrategyConfig strategy_config_;
  std::optional<Profiler> profiler_;
  Prelude prelude_;
  EpochSums sums_, total_;
  train::EvalResult test_;
  std::int64_t tested_at_epoch_ = -1;
  double begin_ = 0;
  TrainResult result_;
};

}  // namespace

TrainResult train(const graph::Graph& graph, const ResolvedConfig& config, const RunObserver& observer,
                  base::StopToken& stop) {
  ResolvedConfig named = config;
  named.config.model = graph.name();
  const ConfiguredModel model = {.graph = graph};
  return Session(model, named, observer, stop).run();
}

TrainResult train(const ResolvedConfig& config, const RunObserver& observer, base::StopToken& stop) {
  const ConfiguredModel model = open_configured_model(config.config);
  return Session(model, config, observer, stop).run();
}

}  // namespace convoy::run
