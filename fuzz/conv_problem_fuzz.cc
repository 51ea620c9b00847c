// Any bytes as a convolution. What is accepted prints a text that reads back to the same value, and can
// become a kernel's problem.
#include "convoy/benchkit/conv_problem.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto problem = convoy::benchkit::ConvProblem::parse(convoy::fuzz::as_text(data, size));
  if (!problem) {
    CONVOY_CHECK(!problem.reason().text.empty(), "no reason");
    return 0;
  }
  const std::string printed = problem->str();
  const auto back = convoy::benchkit::ConvProblem::parse(printed);
  CONVOY_CHECK(back.ok() && *back == *problem, printed);
  CONVOY_CHECK(problem->flops() > 0 && problem->bytes() > 0, printed);
  for (const auto pass : {convoy::kernels::Pass::forward, convoy::kernels::Pass::backward_weights})
    problem->kernel_problem(pass, convoy::kernels::LayoutFamily::blocked);
  return 0;
}
