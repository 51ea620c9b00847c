// Any bytes as a plan's text. An accepted plan prints a text that gives the same plan, and lowering a model
// under it ends in a Program that verify accepts, or in a refusal.
#include "convoy/layers/graph_text.h"
#include "convoy/plan/lower.h"
#include "convoy/plan/plan.h"
#include "convoy/plan/verify.h"
#include "fuzz/fuzz_input.h"

namespace {

using convoy::graph::Graph;
using convoy::plan::Plan;

// The model that the seeds plan.
const Graph& model() {
  static const Graph graph = convoy::layers::parse_graph(
                                 "graph net 2x5x4\n"
                                 "conv = Conv{kernel_shape=[3,3], output_channels=4}(input)\n"
                                 "relu = Relu{}(conv)\n"
                                 "flat = Flatten{}(relu)\n"
                                 "fc = Gemm{output_features=3}(flat)\n"
                                 "loss = SoftmaxCrossEntropyLoss{}(fc, labels)\n"
                                 "output fc\n"
                                 "loss loss\n")
                                 .value();
  return graph;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto plan = Plan::parse(convoy::fuzz::as_text(data, size));
  if (!plan) {
    CONVOY_CHECK(!plan.reason().text.empty());
    return 0;
  }
  const auto back = Plan::parse(plan->str());
  CONVOY_CHECK(back.ok() && *back == *plan, plan->str());
  const auto layout = convoy::plan::param_layout(model(), *plan, convoy::tensor::DType::f32);
  if (!layout) return 0;
  const auto program =
      convoy::plan::lower(model(), *plan, {.batch = 2, .bf16 = true}, convoy::kernels::catalog());
  if (!program) return 0;
  const convoy::base::Verdict verdict = convoy::plan::verify(*program);
  CONVOY_CHECK(verdict.ok(), verdict.ok() ? "" : verdict.reason().text, "\n", plan->str());
  return 0;
}
