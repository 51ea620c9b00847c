#include "convoy/tune/timer.h"

#include <gtest/gtest.h>

#include "convoy/base/threads.h"
#include "convoy/kernels/catalog.h"
#include "convoy/layers/catalog.h"

namespace convoy::tune {
namespace {

using kernels::KernelEntry;
using kernels::Pass;
using kernels::Problem;

Problem make_problem(const graph::LayerKind& kind, const graph::LayerSample& sample, Pass pass) {
  Problem problem{.kind = &kind, .pass = pass};
  problem.attributes = graph::complete(sample.attributes, kind.attributes).value();
  problem.inputs = sample.inputs;
  graph::Signature signature = kind.infer(problem.attributes, problem.inputs).value();
  problem.params = std::move(signature.params);
  problem.outputs = std::move(signature.outputs);
  problem.wanted.assign(problem.inputs.size(), true);
  if (kind.traits.takes_labels) problem.wanted.back() = false;
  return problem;
}

// Advances a clock by scripted times instead of computing.
struct Script {
  base::VirtualClock clock;
  std::vector<double> seconds;
  std::size_t calls = 0;
  std::vector<bool> derived_valid;
};
Script* script = nullptr;

class Scripted final : public kernels::Kernel {
 public:
  explicit Scripted(const Problem& problem) {
    traits_.inputs.resize(problem.inputs.size());
    traits_.params.resize(problem.params.size());
    traits_.outputs.resize(problem.outputs.size());
    traits_.reads_inputs.resize(problem.inputs.size());
    traits_.reads_outputs.resize(problem.outputs.size());
    traits_.derived_bytes = 64;
    traits_.workspace_bytes = 128;
  }
  const kernels::KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "script"; }
  void run(const kernels::KernelArgs& args) const noexcept override {
    script->derived_valid.push_back(args.derived_valid && args.derived != nullptr);
    script->clock.advance(script->seconds[std::min(script->calls++, script->seconds.size() - 1)]);
  }

 private:
  kernels::KernelTraits traits_;
};

const KernelEntry kScripted = {.name = "scripted",
                               .op = "Conv",
                               .supports = [](const Problem&) { return base::Verdict(); },
                               .make = [](const Problem& problem) -> std::unique_ptr<kernels::Kernel> {
                                 return std::make_unique<Scripted>(problem);
                               },
                               .seconds = nullptr,
                               .error_growth = nullptr};

class ScriptedTimer : public ::testing::Test {
 protected:
  ScriptedTimer() { script = &script_; }
  KernelTime measure(const TimingConfig& config, bool training = true) {
    Problem problem = make_problem(layers::kConv, layers::kConv.samples()[0], Pass::forward);
    problem.training = training;
    return make_kernel_timer(kScripted, problem, script_.clock)->measure(config);
  }
  Script script_;
};

TEST_F(ScriptedTimer, WarmsUpAndTakesTheLeast) {
  script_.seconds = {9, 3, 1, 2, 2};
  const KernelTime time = measure({.budget_seconds = 7.5, .least_repetitions = 1});
  EXPECT_EQ(time.repetitions, 4);  // 3 + 1 + 2 + 2 exceed the budget
  EXPECT_EQ(time.least_seconds, 1);
  EXPECT_EQ(time.median_seconds, 2);
}

TEST_F(ScriptedTimer, KeepsToTheNumberOfRepetitions) {
  script_.seconds = {1};
  EXPECT_EQ(measure({.budget_seconds = 0.1, .least_repetitions = 3}).repetitions, 3);
  EXPECT_EQ(measure({.budget_seconds = 1e9, .least_repetitions = 3, .most_repetitions = 20}).repetitions, 20);
}

TEST_F(ScriptedTimer, GivesUpAfterAHopelessFirstCall) {
  script_.seconds = {5, 1};
  const KernelTime lost = measure({.budget_seconds = 0.5, .give_up_seconds = 4});
  EXPECT_EQ(lost.repetitions, 1);
  EXPECT_EQ(lost.least_seconds, 5);
  script_.calls = 0;
  EXPECT_EQ(measure({.budget_seconds = 0.5, .give_up_seconds = 6}).least_seconds, 1);
}

TEST_F(ScriptedTimer, DerivedValuesStayInInferenceAlone) {
  script_.seconds = {1};
  measure({.budget_seconds = 0, .least_repetitions = 2}, false);
  EXPECT_EQ(script_.derived_valid, (std::vector<bool>{false, true, true}));
  script_.derived_valid.clear();
  measure({.budget_seconds = 0, .least_repetitions = 2}, true);
  EXPECT_EQ(script_.derived_valid, (std::vector<bool>{false, false, false}));
}

// Every kernel of the catalog runs on the arrays that the timer makes, what forward saves included.
TEST(KernelTimer, RunsWhateverTheCatalogHas) {
  base::set_thread_count(1);
  const auto clock = base::make_steady_clock();
  int timed = 0;
  for (const graph::LayerKind* kind : layers::catalog()) {
    if (kind->traits.is_view) continue;
    const graph::LayerSample sample = kind->samples().front();
    for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights, Pass::backward})
      for (const kernels::LayoutFamily family : kernels::kLayoutFamilies)
        for (const KernelEntry& entry : kernels::catalog()) {
          if (entry.op != "*" && entry.op != kind->op) continue;
          if (kind->traits.joint_backward ? pass != Pass::forward && pass != Pass::backward
                                          : pass == Pass::backward)
            continue;
          Problem problem = make_problem(*kind, sample, pass);
          if (pass == Pass::backward_weights && problem.params.empty()) continue;
          problem.family = family;
          for (const tensor::DType type : {tensor::DType::f32, tensor::DType::bf16}) {
            problem.type = type;
            if (!entry.supports(problem)) continue;
            const KernelTime time = make_kernel_timer(entry, problem, *clock)
                                        ->measure({.budget_seconds = 0, .least_repetitions = 1});
            EXPECT_GT(time.least_seconds, 0) << entry.name << " " << problem.str();
            ++timed;
          }
        }
  }
  EXPECT_GT(timed, 100);
}

}  // namespace
}  // namespace convoy::tune
