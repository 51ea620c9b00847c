// PyTorch, trained on Convoy's own batches.
#pragma once

#include <cstdint>
#include <string>

#include "convoy/benchkit/process.h"
#include "convoy/graph/graph.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/run/config.h"
#include "convoy/tensor/batch.h"

namespace convoy::bench {

struct TestAnswer {
  double loss = 0;  // the sum over the batch
  std::int64_t correct = 0;
};

// bench/peers/learn_torch.py with the graph's initial weights. Throws base::Error where it fails.
class LearningPeer {
 public:
  // Requires a cifar-resnet and the optimizer momentum: what the peer has.
  LearningPeer(const run::RunConfig& config, const graph::Graph& graph, std::int64_t classes, int threads);

  // One step of SGD; the batch's mean loss before it.
  double train(const tensor::Batch& batch, double learning_rate);
  TestAnswer test(const tensor::Batch& batch);
  const std::string& version() const { return version_; }

 private:
  void hand_over(const tensor::Batch& batch) const;

  io::TemporaryDirectory folder_;
  benchkit::ChildProcess process_;
  std::string version_;
};

}  // namespace convoy::bench
