#include "bench/learning_curve/peer.h"

#include <fmt/core.h>

#include <fstream>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/json.h"
#include "convoy/io/safetensors.h"
#include "convoy/run/initialise.h"

namespace convoy::bench {
namespace {

constexpr double kStartSeconds = 120;   // PyTorch is slow to load from a cold disk
constexpr double kAnswerSeconds = 300;  // of one batch, on a machine that is busy otherwise

const std::string kPeers = CONVOY_SOURCE_DIR "/bench/peers";
const std::string kName = "learn_torch.py";

std::string shape_text(const tensor::Shape& sample) {
  std::string text;
  for (int d = 0; d < sample.rank(); ++d) text += base::str(d == 0 ? "" : "x", sample[d]);
  return text;
}

// The number at the end of "cifar-resnet20".
std::int64_t depth_of(const graph::Graph& graph) {
  const std::string prefix = "cifar-resnet";
  if (!graph.name().starts_with(prefix))
    throw base::UsageError(
        base::str("learning_curve: the peer has no ", graph.name(), ", only cifar-resnets"));
  return std::stoll(graph.name().substr(prefix.size()));
}

void save_initial_weights(const graph::Graph& graph, std::uint64_t seed, const std::string& path) {
  const onnx::Weights weights = run::initial_weights(graph, seed);
  const tensor::ParamLayout layout = graph.param_layout(tensor::DType::f32);
  std::vector<io::TensorSpec> specs;
  for (const tensor::Segment& segment : layout.segments)
    specs.push_back({segment.name, tensor::DType::f32, segment.global_shape});
  io::SafetensorsWriter writer(path, specs);
  for (const tensor::Segment& segment : layout.segments) writer.write(weights.at(segment.name)->view());
  writer.commit();
}

// The shell sets the peer's environment and is replaced by it.
std::vector<std::string> command(const run::RunConfig& config, const graph::Graph& graph,
                                 std::int64_t classes, int threads, const std::string& folder) {
  if (config.optimizer != "momentum" || config.width != 1)
    throw base::UsageError("learning_curve: the peer has the optimizer momentum and width 1 only");
  save_initial_weights(graph, config.seed, folder + "/weights.safetensors");
  return {
      "/bin/sh", "-c",
      fmt::format(". '{0}/torch_env.sh' && exec /usr/bin/python3 '{0}/{1}' '{2}' --depth {3} --classes {4} "
                  "--shape {5} --threads {6} --momentum {7} --weight-decay {8}",
                  kPeers, kName, folder, depth_of(graph), classes, shape_text(graph.input_shape()), threads,
                  config.momentum, config.weight_decay)};
}

}  // namespace

LearningPeer::LearningPeer(const run::RunConfig& config, const graph::Graph& graph, std::int64_t classes,
                           int threads)
    : process_(command(config, graph, classes, threads, folder_.path())) {
  const io::Json ready = io::parse_json(process_.read_line(kStartSeconds), kName);
  version_ = io::require_string(ready, "torch_version", kName);
}

double LearningPeer::train(const tensor::Batch& batch, double learning_rate) {
  hand_over(batch);
  process_.write_line(fmt::format("train {} {}", batch.size, learning_rate));
  return io::require_double(io::parse_json(process_.read_line(kAnswerSeconds), kName), "loss", kName);
}

TestAnswer LearningPeer::test(const tensor::Batch& batch) {
  hand_over(batch);
  process_.write_line(fmt::format("test {}", batch.size));
  const io::Json answer = io::parse_json(process_.read_line(kAnswerSeconds), kName);
  return {.loss = io::require_double(answer, "loss", kName),
          .correct = io::require_int64(answer, "correct", kName)};
}

void LearningPeer::hand_over(const tensor::Batch& batch) const {
  const std::string path = folder_.file("batch.bin");
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(batch.inputs.data()), batch.inputs.bytes());
  file.write(reinterpret_cast<const char*>(batch.labels.data()),
             static_cast<std::streamsize>(batch.labels.size_bytes()));
  if (!file.flush()) throw base::Error(base::ExitCode::failure, path + ": cannot be written");
}

}  // namespace convoy::bench
