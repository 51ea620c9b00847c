// The reference in float64 takes the caller's arrays as they are and gives the layer's own bits.
#include <gtest/gtest.h>

#include <algorithm>

#include "convoy/kernels/catalog.h"
#include "convoy/kernels/kernel_terms.h"
#include "convoy/layers/catalog.h"

namespace convoy::kernels {
namespace {

std::vector<void*> pointers(std::vector<std::vector<double>>& arrays) {
  std::vector<void*> result;
  for (auto& array : arrays) result.push_back(array.empty() ? nullptr : array.data());
  return result;
}

std::vector<const void*> constant(const std::vector<void*>& list) { return {list.begin(), list.end()}; }

// Runs the float64 kernel on `values`; what the pass writes starts as -7.
void run(const Problem& problem, const graph::EvalContext& context, TestValues& values) {
  const KernelEntry& entry = *find(catalog(), problem.kind->op, "reference");
  const auto kernel = entry.make(problem);
  EXPECT_EQ(kernel->traits().workspace_bytes, 0);
  EXPECT_EQ(kernel->traits().saved_bytes, 0);
  std::vector<std::int32_t> labels(values.inputs.back().begin(), values.inputs.back().end());
  std::vector<const void*> inputs = constant(pointers(values.inputs));
  if (problem.kind->traits.takes_labels) inputs.back() = labels.data();
  const auto poison = [](std::vector<std::vector<double>>& arrays) {
    for (auto& array : arrays) std::fill(array.begin(), array.end(), -7.0);
  };
  if (problem.pass == Pass::forward) poison(values.outputs);
  poison(values.next_state);
  poison(values.input_gradients);
  poison(values.param_gradients);
  auto state = pointers(values.next_state), dw = pointers(values.param_gradients);
  for (std::size_t i = 0; i < problem.params.size(); ++i)
    (problem.params[i].kind == tensor::SegmentKind::state ? dw : state)[i] = nullptr;
  const auto params = constant(pointers(values.params)), dy = constant(pointers(values.output_gradients));
  const auto outputs = pointers(values.outputs), dx = pointers(values.input_gradients);
  kernel->run({.inputs = inputs,
               .params = params,
               .outputs = outputs,
               .next_state = state,
               .output_gradients = dy,
               .input_gradients = dx,
               .param_gradients = dw,
               .context = &context});
}

TEST(Reference, Float64IsTheLayerItselfBitForBit) {
  for (const graph::LayerKind* kind : layers::catalog())
    for (const graph::LayerSample& sample : kind->samples())
      for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights, Pass::backward}) {
        TestCase test{.kind = kind, .attributes = sample.attributes, .inputs = sample.inputs, .pass = pass};
        Problem problem = test.problem();
        problem.type = tensor::DType::f64;
        if (!find(catalog(), kind->op, "reference")->supports(problem)) continue;
        const graph::EvalContext context{.key = {.seed = 5}, .global_batch = 3};
        TestValues right = draw(problem, TestData::reals, 9);
        evaluate_reference(problem, context, right);
        TestValues got = right;
        run(problem, context, got);
        if (pass == Pass::forward) {
          EXPECT_EQ(got.outputs, right.outputs) << problem.str();
          for (std::size_t i = 0; i < problem.params.size(); ++i)
            if (problem.params[i].kind == tensor::SegmentKind::state) {
              EXPECT_EQ(got.next_state[i], right.next_state[i]) << problem.str();
            }
          continue;
        }
        if (pass != Pass::backward_weights) {
          EXPECT_EQ(got.input_gradients, right.input_gradients) << problem.str();
        }
        for (std::size_t i = 0; i < problem.params.size(); ++i)
          if (pass != Pass::backward_data && problem.params[i].kind == tensor::SegmentKind::parameter) {
            EXPECT_EQ(got.param_gradients[i], right.param_gradients[i]) << problem.str();
          }
      }
}

TEST(Reference, RefusesWhatItCannot) {
  const KernelEntry& entry = *find(catalog(), "Relu", "reference");
  TestCase test{.kind = &layers::kRelu, .attributes = {}, .inputs = {{2, 3, 4, 4}}};
  Problem problem = test.problem();
  problem.family = LayoutFamily::blocked;
  EXPECT_FALSE(entry.supports(problem).ok());
  problem = test.problem();
  problem.type = tensor::DType::bf16;
  EXPECT_FALSE(entry.supports(problem).ok());
  problem = test.problem();
  problem.pass = Pass::backward_weights;
  EXPECT_FALSE(entry.supports(problem).ok());
  problem.pass = Pass::backward;
  EXPECT_FALSE(entry.supports(problem).ok());
}

}  // namespace
}  // namespace convoy::kernels
