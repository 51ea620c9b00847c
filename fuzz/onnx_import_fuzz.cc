// Any bytes as an ONNX file, seen both with and without a batch. A model that is accepted prints, has weights
// of its shapes, can be asked for its work, and is exported as a model that is the same graph again.
#include "convoy/base/error.h"
#include "convoy/onnx/codec.h"
#include "convoy/onnx/export.h"
#include "convoy/onnx/import.h"
#include "fuzz/fuzz_input.h"

namespace {

using convoy::onnx::ImportedModel;

void ask_everything(const ImportedModel& model) {
  const convoy::tensor::ParamLayout layout = model.graph.param_layout(convoy::tensor::DType::f32);
  for (const convoy::tensor::Segment& segment : layout.segments) {
    const auto found = model.weights.find(segment.name);
    CONVOY_CHECK(found != model.weights.end() && found->second->shape() == segment.global_shape,
                 segment.name);
  }
  const convoy::graph::Shapes shapes = model.graph.infer(3);
  for (std::size_t i = 0; i < model.graph.layers().size(); ++i) {
    const convoy::graph::Layer& layer = model.graph.layers()[i];
    std::vector<convoy::tensor::Shape> inputs;
    for (const convoy::graph::ValueId v : layer.inputs)
      inputs.push_back(shapes.values[static_cast<std::size_t>(v)]);
    const auto work = layer.kind->work(layer.attributes, inputs, shapes.signatures[i]);
    CONVOY_CHECK(work.macs >= 0 && work.depth >= 0, layer.name);
  }
}

void export_again(const ImportedModel& model) {
  const auto exported =
      convoy::onnx::export_model({.graph = model.graph, .weights = model.weights, .input = model.input});
  if (!exported || !exported->left_out.empty())
    return;  // ONNX need not have what a sample without a batch needs
  try {
    const ImportedModel back = convoy::onnx::import_model(exported->file, "exported");
    CONVOY_CHECK(back.weights.size() == model.weights.size(), model.graph.str());
  } catch (const convoy::base::InputError& refusal) {
    CONVOY_CHECK(false, refusal.what(), "\n", model.graph.str());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const bool has_batch : {true, false}) {
    try {
      auto file = convoy::onnx::read_model(convoy::fuzz::as_file(data, size), "");
      const ImportedModel model =
          convoy::onnx::import_model(std::move(file), "input", {.has_batch = has_batch});
      ask_everything(model);
      if (has_batch) export_again(model);
    } catch (const convoy::base::InputError& refusal) {
      CONVOY_CHECK(std::string_view(refusal.what()).find('\n') == std::string_view::npos, refusal.what());
    }
  }
  return 0;
}
