// Models to and from ONNX files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/run/config.h"

namespace convoy::run {

struct ExchangeReport {
  std::string model;  // its name
  std::string path;   // of what was written
  std::int64_t layers = 0;
  std::int64_t parameters = 0;
  std::int64_t opset = 0;
  std::int64_t size_bytes = 0;
  std::vector<std::string> notes;  // one line each
};

// Writes the newest checkpoint of `place` (a run directory or a checkpoint) as an ONNX file. Throws
// InputError for a checkpoint that cannot be read, UsageError for a layer that ONNX does not have.
ExchangeReport export_checkpoint(const std::string& place, const std::string& path);

// Writes the config's model with the initial values of its seed.
ExchangeReport export_fresh(const RunConfig& config, const std::string& path);

// Makes a run directory whose only checkpoint, of step 0, is the model of an ONNX file: for `convoy eval` and
// `convoy predict`. Throws InputError for a file that cannot be imported, and UsageError where `directory`
// holds a run already.
ExchangeReport import_model_file(const std::string& path, const std::string& directory);

}  // namespace convoy::run
