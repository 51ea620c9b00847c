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
// DIR/latest (a file that holds the name) is replaced, and all but the newest `keep_last` are deleted.
// Returns the directory. Throws base::FileError and leaves what was there before.
std::string save_checkpoint(const std::string& dir, const Manifest& manifest, ParamStore& store,
                            const std::vector<std::string>& slot_names, int keep_last);

// Reads and checks the manifest alone. `path` is a step directory, or a directory of them, whose latest
// complete checkpoint is meant. Throws InputError (missing, cut, altered, newer format) with the file.
Manifest read_manifest(const std::string& path);

// Loads weights and state (and slots, when the store has any and `with_optimizer`) into the store after
// verifying checksums and that every segment is there with its shape. The store is untouched on failure.
Manifest load_checkpoint(const std::string& path, ParamStore& store,
                         const std::vector<std::string>& slot_names, bool with_optimizer);

// The newest complete checkpoint below `dir`, or none. Cut or altered ones are passed over with a warning.
std::optional<std::string> find_latest(const std::string& dir);

}  // namespace convoy::train
