// ONNX's own test vectors: every one whose operators Convoy claims to read, through the importer, a plan and
// the real kernels. Tolerances are those of ONNX's runner: rtol 1e-3, atol 1e-7.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/onnx/codec.h"
#include "convoy/onnx/import.h"
#include "tests/support/onnx_run.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using onnx::ElementType;
using onnx::FileModel;
using onnx::FileNode;
using onnx::FileTensor;

constexpr const char* kData = "/usr/share/libonnx-testdata/data";
constexpr double kRelative = 1e-3, kAbsolute = 1e-7;
constexpr double kWanted = 0.95;

// docs/formats.md, "ONNX": the operators that are read whatever their attributes; the others there are read
// where they are one of these by another name.
constexpr std::array kClaimed = {"Add",
                                 "AveragePool",
                                 "BatchNormalization",
                                 "Concat",
                                 "Constant",
                                 "Conv",
                                 "Dropout",
                                 "Flatten",
                                 "Gemm",
                                 "GlobalAveragePool",
                                 "Identity",
                                 "LRN",
                                 "LeakyRelu",
                                 "LogSoftmax",
                                 "MaxPool",
                                 "Mul",
                                 "Relu",
                                 "Reshape",
                                 "Sigmoid",
                                 "Softmax",
                                 "SoftmaxCrossEntropyLoss",
                                 "Sum",
                                 "Tanh"};

// One folder of test vectors.
struct Case {
  std::string name;
  FileModel model;
  std::vector<FileTensor> inputs;  // in the order of the model's inputs that are no initialisers
  std::vector<FileTensor> outputs;
};

bool is_claimed(const FileModel& model) {
  return std::all_of(model.nodes.begin(), model.nodes.end(), [](const FileNode& node) {
    return node.domain.empty() && std::find(kClaimed.begin(), kClaimed.end(), node.op) != kClaimed.end();
  });
}

std::vector<FileTensor> read_vectors(const fs::path& folder, const std::string& stem) {
  std::vector<FileTensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / fmt::format("{}_{}.pb", stem, i);
    if (!fs::exists(path)) return tensors;
    tensors.push_back(onnx::read_tensor(io::open_file(path.string())));
  }
}

// Why a test asks for what Convoy does not claim; empty where it does not. Never for a size, a dilation, a
// padding, a number of dimensions or an opset.
std::string beyond_the_claim(const FileModel& model) {
  for (const auto* values : {&model.inputs, &model.outputs})
    for (const onnx::FileValue& value : *values) {
      if (value.type == ElementType::undefined) return "sequences and optional values";
      const bool is_side = value.type == ElementType::i64 || value.type == ElementType::boolean;
      if (value.type != ElementType::f32 && value.type != ElementType::f64 && !is_side)
        return "integer arithmetic";
    }
  for (const FileNode& node : model.nodes) {
    if ((node.op == "Add" || node.op == "Mul") && model.inputs[0].type == ElementType::i64)
      return "integer arithmetic";
    if (node.op == "MaxPool" && node.outputs.size() > 1) return "the indices of MaxPool";
    if (node.op == "Dropout" && node.inputs.size() > 2) return "Dropout's draws, of another generator";
    if (node.op == "Dropout" && node.outputs.size() > 1) return "the mask of Dropout";
    if (node.op != "SoftmaxCrossEntropyLoss") continue;
    const auto reduction = node.attributes.find("reduction");
    const bool is_mean =
        reduction == node.attributes.end() || std::get<std::string>(reduction->second) == "mean";
    if (!is_mean || node.inputs.size() > 2 || node.attributes.contains("ignore_index") ||
        model.inputs[0].dims.size() != 2)
      return "losses that are not the mean over one class a sample";
  }
  return "";
}

std::vector<float> floats(const FileTensor& tensor) {
  const auto values = tensor.reals->as<float>();
  return {values.begin(), values.end()};
}

std::string compare(std::span<const float> found, const FileTensor& expected) {
  const auto wanted = expected.reals->as<float>();
  if (found.size() != wanted.size()) return fmt::format("{} values, not {}", found.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (found[i] == wanted[i]) continue;  // infinities, too
    const double difference = std::abs(static_cast<double>(found[i]) - wanted[i]);
    if (!(difference <= kAbsolute + kRelative * std::abs(wanted[i])))
      return fmt::format("element {} is {}, not {}", i, found[i], wanted[i]);
  }
  return "";
}

// One way to see a test: which of the inputs is the data, and whether its dimension 0 is the batch.
struct Reading {
  std::size_t data = 0;
  bool has_batch = true;
};

class Runner {
 public:
  explicit Runner(const Case& test) : test_(test) {}

  // Empty where the test passes, else the reason why not.
  std::string run() {
    std::string first_refusal;
    for (const bool has_batch : {true, false})
      for (std::size_t data = 0; data < std::max<std::size_t>(1, test_.inputs.size()); ++data) {
        try {
          return run_as({data, has_batch});
        } catch (const base::InputError& refusal) {
          if (first_refusal.empty()) first_refusal = refusal.what();
        }
      }
    return first_refusal;
  }

 private:
  std::string run_as(const Reading& reading) const {
    onnx::ImportOptions options{.has_batch = reading.has_batch, .output = first_output()};
    std::vector<std::int32_t> labels;
    for (std::size_t i = 0; i < test_.inputs.size(); ++i) {
      if (i == reading.data) continue;
      if (is_loss() && i == 1)
        labels.assign(test_.inputs[i].integers.begin(), test_.inputs[i].integers.end());
      else
        options.parameters.push_back(test_.inputs[i]);
    }
    FileModel file = test_.model;
    if (is_training())  // a step has a loss; what it is does not matter here
      file.metadata["convoy.loss"] =
          fmt::format(R"({{"name":"l","op":"MeanSquaredError","attributes":"{{}}","inputs":["{0}","{0}"]}})",
                      first_output());
    const onnx::ImportedModel model = onnx::import_model(std::move(file), test_.name, options);
    testing::OnnxRun run(model.graph, model.weights);
    const FileTensor& data = test_.inputs.at(reading.data);
    if (data.reals == nullptr) throw base::InputError(test_.name, "the data are integers");
    const std::vector<float> samples = floats(data);
    const std::int64_t n = reading.has_batch ? data.dims[0] : 1;
    return check(run, model.graph, samples, n, labels);
  }

  std::string check(testing::OnnxRun& run, const graph::Graph& graph, std::span<const float> samples,
                    std::int64_t n, std::span<const std::int32_t> labels) const {
    for (std::size_t i = 0; i < test_.outputs.size(); ++i) {
      const std::string& name = test_.model.outputs[i].name;
      std::vector<float> found;
      if (is_loss() && i == 0)
        found = {static_cast<float>(run.loss(samples, labels))};
      else if (is_training() && i > 0)
        found = run.next_state(graph.layers()[0].name + (i == 1 ? ".running_mean" : ".running_var"));
      else
        found = run.outputs(samples, n, is_training());
      const std::string difference = compare(found, test_.outputs[i]);
      if (!difference.empty()) return fmt::format("output {}: {}", name, difference);
    }
    return "";
  }

  bool is_loss() const { return test_.model.nodes[0].op == "SoftmaxCrossEntropyLoss"; }
  bool is_training() const {
    const auto& attributes = test_.model.nodes[0].attributes;
    const auto found = attributes.find("training_mode");
    return found != attributes.end() && std::get<std::int64_t>(found->second) != 0;
  }
  std::string first_output() const { return is_loss() ? "" : test_.model.outputs[0].name; }

  const Case& test_;
};

// Cases of a folder, less those whose operators are not claimed.
std::vector<Case> cases_of(const std::string& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(fs::path(kData) / folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Case> cases;
  for (const fs::path& path : paths) {
    const fs::path model = path / "model.onnx";
    if (!fs::exists(model)) continue;
    Case test{.name = folder + "/" + path.filename().string()};
    try {
      test.model = onnx::read_model(io::open_file(model.string()), path.string());
    } catch (const base::InputError&) {
      continue;  // models without a graph of tensors
    }
    if (!is_claimed(test.model)) continue;
    cases.push_back(std::move(test));
  }
  return cases;
}

// Some vectors have no names: they are those of the inputs that are no initialisers, in their order.
void name_inputs(Case& test) {
  std::set<std::string> known;
  for (const FileTensor& tensor : test.model.initialisers) known.insert(tensor.name);
  std::size_t next = 0;
  for (const onnx::FileValue& input : test.model.inputs)
    if (!known.contains(input.name) && next < test.inputs.size()) test.inputs[next++].name = input.name;
}

struct Tally {
  int passed = 0, failed = 0;
  std::map<std::string, int> beyond;

  void run(Case& test) {
    const std::string beyond_reason = beyond_the_claim(test.model);
    if (!beyond_reason.empty()) {
      ++beyond[beyond_reason];
      return;
    }
    const fs::path vectors = fs::path(kData) / test.name / "test_data_set_0";
    test.inputs = read_vectors(vectors, "input");
    test.outputs = read_vectors(vectors, "output");
    name_inputs(test);
    CONVOY_CHECK(!test.outputs.empty(), test.name, " has no test vectors");
    const std::string reason = Runner(test).run();
    if (reason.empty()) {
      ++passed;
      return;
    }
    ++failed;
    fmt::print("fails: {}: {}\n", test.name, reason);
  }

  double share() const { return static_cast<double>(passed) / (passed + failed); }

  void print(const std::string& folder) const {
    int others = 0;
    for (const auto& [reason, count] : beyond) {
      fmt::print("beyond the claim: {} of {}: {}\n", count, folder, reason);
      others += count;
    }
    fmt::print("{}: {} of {} pass, {:.1f} % ({} more of these operators lie beyond the claim)\n", folder,
               passed, passed + failed, 100 * share(), others);
  }
};

class OnnxConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!onnx::is_available()) GTEST_SKIP() << "this build has no ONNX";
    if (!fs::exists(fs::path(kData) / "node")) GTEST_SKIP() << "libonnx-testdata is missing";
  }

  static Tally run(const std::string& folder) {
    Tally tally;
    std::set<std::string> ops;
    for (Case& test : cases_of(folder)) {
      for (const FileNode& node : test.model.nodes) ops.insert(node.op);
      tally.run(test);
    }
    if (folder == "node") {
      EXPECT_EQ(ops.size(), kClaimed.size()) << "an operator is claimed without a test";
    }
    tally.print(folder);
    return tally;
  }
};

TEST_F(OnnxConformance, NodeTests) {
  const Tally tally = run("node");
  EXPECT_GE(tally.passed, 100);
  EXPECT_GE(tally.share(), kWanted);
}

// Opset 6: what PyTorch exported in 1-D to 3-D, with groups, strides and dilations.
TEST_F(OnnxConformance, ConvertedLayersOfPyTorch) {
  const Tally tally = run("pytorch-converted");
  EXPECT_GE(tally.passed, 40);
  EXPECT_GE(tally.share(), kWanted);
}

TEST_F(OnnxConformance, OperatorsOfPyTorch) {
  const Tally tally = run("pytorch-operator");
  EXPECT_GE(tally.passed, 10);
  EXPECT_GE(tally.share(), kWanted);
}

// A runner that lets a wrong number pass would prove nothing.
TEST_F(OnnxConformance, AWrongNumberIsSeen) {
  std::vector<Case> cases = cases_of("node");
  const auto found =
      std::find_if(cases.begin(), cases.end(), [](const Case& test) { return test.name == "node/test_lrn"; });
  ASSERT_NE(found, cases.end());
  const fs::path vectors = fs::path(kData) / found->name / "test_data_set_0";
  found->inputs = read_vectors(vectors, "input");
  found->outputs = read_vectors(vectors, "output");
  EXPECT_EQ(Runner(*found).run(), "");
  auto wrong = std::make_shared<tensor::Tensor>(found->outputs[0].reals->clone());
  wrong->as<float>()[7] *= 1.002f;
  found->outputs[0].reals = std::move(wrong);
  EXPECT_NE(Runner(*found).run(), "");
}

}  // namespace
}  // namespace convoy
