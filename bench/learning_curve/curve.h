// How test accuracy and losses go with the epochs, for runs of Convoy and for PyTorch on the same batches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy::bench {

struct EpochPoint {
  double train_loss = 0;  // mean over the epoch's samples, each before its update
  double test_loss = 0;
  double test_accuracy = 0;
};
using Curve = std::vector<EpochPoint>;  // an entry an epoch

struct RunCurves {
  std::string run;  // the run directory
  std::string model, data, fold;
  std::int64_t batch = 0, seed = 0;
  double convoy_seconds = 0;  // of the training steps
  Curve convoy, peer;
  std::string peer_version;
};

// The finished run in `directory`, and the same training by the peer: the initial weights, batches and
// learning rates of the run's config. Tells on stderr how far it is. Throws base::Error; InputError for a
// directory without a finished epoch.
RunCurves follow_run(const std::string& directory, int threads);

// The mean over runs at each epoch that all of them have.
Curve mean_convoy(const std::vector<RunCurves>& runs);
Curve mean_peer(const std::vector<RunCurves>& runs);

}  // namespace convoy::bench
