// What kernels derive from parameters lives as long as the version of the parameters.
#include <gtest/gtest.h>

#include <algorithm>

#include "convoy/exec/graph_objective.h"
#include "convoy/layers/net.h"
#include "convoy/optim/arena_sinks.h"
#include "convoy/plan/resolve.h"

namespace convoy::exec {
namespace {

// A Gemm whose outputs are all the first weight as it was when it was derived.
class Remembering final : public kernels::Kernel {
 public:
  explicit Remembering(const kernels::Problem& problem) : count_(problem.outputs[0].count()) {
    traits_.inputs = {kernels::Layout::plain()};
    traits_.params.assign(problem.params.size(), kernels::Layout::plain());
    traits_.outputs = {kernels::Layout::plain()};
    traits_.derived_bytes = sizeof(float);
  }
  const kernels::KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "test"; }
  void run(const kernels::KernelArgs& args) const noexcept override {
    auto* derived = static_cast<float*>(args.derived);
    if (!args.derived_valid) *derived = *static_cast<const float*>(args.params[0]);
    std::fill_n(static_cast<float*>(args.outputs[0]), count_, *derived);
  }

 private:
  std::int64_t count_;
  kernels::KernelTraits traits_;
};

kernels::Catalog catalog_with_memory() {
  kernels::Catalog catalog = kernels::reference_catalog();
  catalog.insert(
      catalog.begin(),
      {.name = "remembering",
       .op = "Gemm",
       .supports = [](const kernels::Problem& problem) -> base::Verdict {
         if (problem.pass == kernels::Pass::forward && problem.family == kernels::LayoutFamily::plain)
           return {};
         return base::Reason{"forward only"};
       },
       .make = [](const kernels::Problem& problem) -> std::unique_ptr<kernels::Kernel> {
         return std::make_unique<Remembering>(problem);
       },
       .seconds = [](const kernels::Problem&, const machine::Machine&) { return 0.0; },
       .error_growth = [](const kernels::Problem&) { return 0.0; }});
  return catalog;
}

TEST(Derived, LivesAsLongAsTheVersion) {
  layers::Net net("small", {3});
  net.gemm("fc", 2).softmax_cross_entropy();
  const graph::Graph graph = std::move(net).build().value();
  const kernels::Catalog catalog = catalog_with_memory();
  const plan::StepConfig step{.mode = plan::StepConfig::Mode::predict, .batch = 1};
  const auto resolution = plan::resolve(graph, {}, step, {}, catalog);
  ASSERT_TRUE(resolution.ok()) << resolution.reason().text;
  const auto objective = make_graph_objective(graph, resolution->plan, {}, catalog);
  tensor::Tensor parameters(tensor::DType::f32, {objective->layout().parameter_extent});
  tensor::Tensor inputs(tensor::DType::f32, {1, 3});
  parameters.fill_zero();
  inputs.fill_zero();
  std::uint64_t version = 1;
  const auto source = optim::make_arena_source({.layout = objective->layout(),
                                                .parameters = std::as_const(parameters).view(),
                                                .state = {},
                                                .version = &version});
  const auto output_with = [&](float weight) {
    parameters.as<float>()[0] = weight;
    std::vector<float> outputs(2);
    const tensor::Batch batch{.inputs = std::as_const(inputs).view(), .size = 1, .global_size = 1};
    objective->evaluate(*source, batch, {}, {.outputs = outputs}, optim::Mode::predict);
    return outputs[0];
  };
  EXPECT_EQ(output_with(5), 5);
  EXPECT_EQ(output_with(6), 5) << "the same version: the kernel may use what it has";
  version = 2;
  EXPECT_EQ(output_with(7), 7);
  version = 0;
  EXPECT_EQ(output_with(8), 8) << "version 0 may change at any time";
  EXPECT_EQ(output_with(9), 9);
}

}  // namespace
}  // namespace convoy::exec
