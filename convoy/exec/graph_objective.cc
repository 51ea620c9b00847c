#include "convoy/exec/graph_objective.h"

#include <algorithm>
#include <map>
#include <utility>

#include "convoy/base/error.h"
#include "convoy/plan/adapt.h"
#include "convoy/plan/lower.h"
#include "convoy/plan/verify.h"

namespace convoy::exec {
namespace {

using optim::Evaluation;
using optim::Mode;
using tensor::DType;
using StepMode = plan::StepConfig::Mode;

StepMode step_mode(Mode mode) {
  switch (mode) {
    case Mode::loss:
      return StepMode::loss;
    case Mode::gradient:
      return StepMode::gradient;
    case Mode::predict:
      return StepMode::predict;
  }
  CONVOY_CHECK(false, "mode ", static_cast<int>(mode));
}

// Rows whose largest element (the first of equals) stands at their label.
template <class T>
std::int64_t count_correct(const T* outputs, std::span<const std::int32_t> labels, std::int64_t classes) {
  std::int64_t correct = 0;
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const T* row = outputs + static_cast<std::int64_t>(n) * classes;
    correct += std::max_element(row, row + classes) - row == labels[n];
  }
  return correct;
}

tensor::ParamLayout checked_layout(const graph::Graph& graph, const plan::Plan& plan, DType type) {
  auto layout = plan::param_layout(graph, plan, type);
  if (!layout) throw base::UsageError(base::str("this plan cannot run: ", layout.reason().text));
  return std::move(layout).value();
}

class Objective final : public GraphObjective {
 public:
  Objective(const graph::Graph& graph, const plan::Plan& plan, const GraphObjectiveConfig& config,
            const kernels::Catalog& catalog)
      : graph_(graph),
        plan_(plan),
        config_(config),
        catalog_(catalog),
        layout_(checked_layout(graph, plan, config.type)),
        output_count_(graph.infer(1).values[static_cast<std::size_t>(graph.output())].count()) {}

  const tensor::ParamLayout& layout() const override { return layout_; }
  std::int64_t output_count() const override { return output_count_; }

  const plan::Program& program(StepMode mode, std::int64_t batch) override {
    return prepared(mode, batch).executor.program();
  }
  const StepTimes& times(StepMode mode, std::int64_t batch) override { return prepared(mode, batch).times; }
  void clock_runs(std::vector<ClockedRun>* runs) override { runs_ = runs; }

  Evaluation evaluate(optim::ParamSource& params, const tensor::Batch& batch, const base::StepKey& key,
                      const optim::Sinks& sinks, Mode mode) override {
    check(batch, mode);
    Prepared& prepared_program = prepared(step_mode(mode), batch.size);
    Executor& executor = prepared_program.executor;
    Bindings bindings{.input = batch.inputs.data(), .labels = batch.labels.data(), .params = &params};
    bindings.gradients = sinks.gradients;
    bindings.state = sinks.state;
    bindings.context.key = key;
    bindings.context.global_batch = batch.global_size;
    const bool recorded = runs_ != nullptr && mode == Mode::gradient;
    executor.run(bindings, config_.profile || recorded ? &prepared_program.times : nullptr);
    if (recorded) runs_->push_back({&executor.program(), prepared_program.times.readings});
    Evaluation result{.samples = batch.size};
    if (executor.program().loss_slot >= 0) result.loss = executor.loss();
    read_output(executor.output(), batch, sinks.outputs, result);
    return result;
  }

 private:
  struct Prepared {
    Executor executor;
    StepTimes times;
  };

  void check(const tensor::Batch& batch, Mode mode) const {
    const tensor::Shape& sample = graph_.input_shape();
    CONVOY_CHECK(batch.size >= 1 && batch.inputs.type() == config_.type &&
                     batch.inputs.count() == batch.size * sample.count(),
                 "a batch of ", batch.inputs.shape().str(), " for samples of ", sample.str());
    const bool labelled = graph_.labels() < 0 || static_cast<std::int64_t>(batch.labels.size()) == batch.size;
    CONVOY_CHECK(mode == Mode::predict || labelled, batch.labels.size(), " labels for ", batch.size,
                 " samples");
  }

  Prepared& prepared(StepMode mode, std::int64_t batch) {
    const auto key = std::pair(mode, batch);
    if (const auto found = programs_.find(key); found != programs_.end()) return found->second;
    const plan::StepConfig step = {.mode = mode, .batch = batch, .type = config_.type, .bf16 = config_.bf16};
    auto program = plan::lower(graph_, plan::adapt(graph_, plan_, step, catalog_), step, catalog_);
    if (!program) throw base::UsageError(base::str("this plan cannot run: ", program.reason().text));
    const base::Verdict verdict = plan::verify(*program);
    CONVOY_CHECK(verdict.ok(), "lowering of ", graph_.name(), ": ", verdict.reason().text);
    Executor executor(std::move(program).value(), catalog_);
    return programs_.emplace(key, Prepared{std::move(executor), {}}).first->second;
  }

  void read_output(const void* output, const tensor::Batch& batch, std::span<float> wanted,
                   Evaluation& result) const {
    const std::int64_t count = batch.size * output_count_;
    CONVOY_CHECK(wanted.empty() || static_cast<std::int64_t>(wanted.size()) == count, wanted.size(),
                 " outputs wanted of ", count);
    if (config_.type == DType::f64)
      return read_elements(static_cast<const double*>(output), batch, wanted, result);
    read_elements(static_cast<const float*>(output), batch, wanted, result);
  }

  template <class T>
  void read_elements(const T* output, const tensor::Batch& batch, std::span<float> wanted,
                     Evaluation& result) const {
    if (!batch.labels.empty() && graph_.labels() >= 0)
      result.correct = count_correct(output, batch.labels, output_count_);
    std::transform(output, output + wanted.size(), wanted.begin(), [](T v) { return static_cast<float>(v); });
  }

  graph::Graph graph_;
  plan::Plan plan_;
  GraphObjectiveConfig config_;
  const kernels::Catalog& catalog_;
  tensor::ParamLayout layout_;
  std::int64_t output_count_;
  std::map<std::pair<StepMode, std::int64_t>, Prepared> programs_;
  std::vector<ClockedRun>* runs_ = nullptr;
};

}  // namespace

std::unique_ptr<GraphObjective> make_graph_objective(const graph::Graph& graph, const plan::Plan& plan,
                                                     const GraphObjectiveConfig& config,
                                                     const kernels::Catalog& catalog) {
  return std::make_unique<Objective>(graph, plan, config, catalog);
}

}  // namespace convoy::exec
