// Checkpoints: a directory with weights, optimiser state and a manifest, complete or absent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "convoy/tensor/param_layout.h"
#include "convoy/train/param_store.h"

namespace convoy::train {

inline constexpr int kCheckpointFormat = 1;

// What a checkpoint says beside its tensors. `texts` are opaque to training: model, plan, precision.
struct Manifest {
  int format = kCheckpointFormat;
  std::int64_t step = 0;
  std::uint64_t seed = 0;
  std::string model_hash;  // 16 hex digits
  std::string rule;        // name of the update rule
  std::map<std::string, std::string> texts;
  std::map<std::string, double> metrics;
};

// DIR/step-000001234/{manifest.json, weights.safetensors, optimizer.safetensors}, where every file's SHA-256
// and size stand in the manifest, written last. Written to a temporary directory, synced and renamed; then
// DIR/latest (a file that holds the name) is replaced, and all but this one and the `keep_last` - 1 newest of
// the others are deleted. A checkpoint of the same step is replaced. What killed processes left half-written
// is removed. Requires the lock of the run directory, and segments that this rank holds whole and plain.
// Metrics that are not finite are left out, because JSON has no text for them. Returns the directory. Throws
// base::FileError and leaves what was there before.
std::string save_checkpoint(const std::string& dir, const Manifest& manifest, ParamStore& store,
                            const std::vector<std::string>& slot_names, int keep_last);

// Reads and checks the manifest alone. `path` is a step directory, or a directory of them, whose latest
// complete checkpoint is meant. Throws InputError (missing, cut, altered, newer format) with the file and
// what to do.
Manifest read_manifest(const std::string& path);

// What a checkpoint must fit, to be loaded.
struct LoadConfig {
  std::string model_hash;  // of the model that asks; empty: only segments and shapes must agree
  std::string rule;        // the update rule, when training goes on; empty: weights and state only
  std::vector<std::string> slot_names;  // of the rule, as many as the store has slots
};

// Loads weights and state, and the slots when a rule is given, into the store after verifying checksums and
// that every segment is there with its shape; then commits, so that the version changes. Throws InputError:
// as read_manifest does, and for another model or rule, saying which and what to do. The store is untouched
// on failure.
Manifest load_checkpoint(const std::string& path, ParamStore& store, const LoadConfig& config);

// The checkpoint that DIR/latest names, if it is complete, or else the complete one of the highest step, or
// none. Cut or altered ones are passed over with a warning. One of a newer format is not: InputError, because
// training would silently begin anew.
std::optional<std::string> find_latest(const std::string& dir);

}  // namespace convoy::train
