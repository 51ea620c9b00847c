// A trained model as a checkpoint directory or an ONNX file: opened for evaluation and prediction.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "convoy/graph/graph.h"
#include "convoy/onnx/import.h"
#include "convoy/run/checkpoint_texts.h"
#include "convoy/run/config.h"
#include "convoy/tensor/view.h"
#include "convoy/train/checkpoint.h"
#include "convoy/train/evaluate.h"

namespace convoy::run {

// Settings of opening a checkpoint.
struct OpenRequest {
  std::string path;  // a run directory, its checkpoints directory, one checkpoint, or an ONNX file
  int threads = 0;   // 0: all
};

// One image's classes, most probable first.
struct Prediction {
  std::string file;
  std::vector<std::int64_t> classes;
  std::vector<double> probabilities;
};

// A model with its weights, ready to be used. Not thread-safe.
class Model {
 public:
  virtual ~Model() = default;
  virtual const graph::Graph& graph() const = 0;
  virtual const train::Manifest& manifest() const = 0;  // of an ONNX file: without texts
  // The settings that it was trained with; of an ONNX file, the defaults for the data set that it names.
  virtual RunConfig settings() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;

  // Loss, accuracy and confusion on a data set's split, whole. Throws UsageError where shapes or classes do
  // not fit the model.
  virtual train::EvalResult evaluate(const RunConfig& data, bool test_split) = 0;
  // Classifies image files (PNM, PNG, JPEG), converted to the model's input shape and normalised as in its
  // training. `top` classes each.
  virtual std::vector<Prediction> predict(const std::vector<std::string>& files, int top) = 0;
};

// How pixels become inputs of a model from a file: as its metadata say, or with `data` empty from 0 to 1 as
// they are. Throws InputError where the metadata do not fit the input.
InputDescription describe_input(const onnx::ImportedModel& imported, const std::string& path);

std::unique_ptr<Model> open_model(const OpenRequest& request);

}  // namespace convoy::run
