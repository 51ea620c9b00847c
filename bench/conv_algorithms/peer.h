// PyTorch in a process of its own, one convolution at a time.
#pragma once

#include <string>
#include <vector>

#include "convoy/benchkit/conv_problem.h"
#include "convoy/benchkit/process.h"

namespace convoy::bench {

struct TorchTime {
  std::string layout;           // the faster: "nchw" or "nhwc"
  std::vector<double> seconds;  // of one call each, in that layout
};

class TorchConv {
 public:
  // Throws base::Error where PyTorch does not start.
  explicit TorchConv(int threads);
  const std::string& version() const { return version_; }
  // Requires padding that is the same on both sides. Throws base::Error.
  TorchTime measure(const benchkit::ConvProblem& problem, kernels::Pass pass, double seconds);

 private:
  benchkit::ChildProcess process_;
  std::string version_;
};

}  // namespace convoy::bench
