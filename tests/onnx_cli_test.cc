// ONNX files as the program's users meet them, and as somebody who means harm makes them.
#include <gtest/gtest.h>

#include <filesystem>

#include "convoy/data/digits.h"
#include "convoy/data/image.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/onnx/codec.h"
#include "convoy/onnx/test_models.h"
#include "tests/support/program.h"

namespace convoy {
namespace {

using onnx::FileModel;
using onnx::node;
using onnx::Sizes;
using testing::ChildResult;
using testing::json_of;
using testing::run_convoy;
using testing::words;

double number(const io::Json& object, const char* name) { return io::require_double(object, name, "stdout"); }

class OnnxProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!onnx::is_available()) GTEST_SKIP() << "this build has no ONNX";
  }

  ChildResult convoy(const std::string& arguments) const {
    return run_convoy(directory_.path(), words(arguments));
  }
  std::string path(const std::string& name) const { return directory_.file(name); }

  // Every command that reads a model file refuses this one with one line, and leaves nothing.
  void expect_refused(const std::string& name, const std::string& part) const {
    for (const std::string command : {"train --train-size 64 --test-size 10 --output run --model ",
                                      "inspect ", "eval --model ", "predict --model "}) {
      const std::string arguments = command + name + (command.starts_with("predict") ? " a.png" : "");
      SCOPED_TRACE("convoy " + arguments);
      const auto before = testing::snapshot(directory_.path());
      const std::string line = testing::refusal(convoy(arguments), 3);
      EXPECT_NE(line.find(part), std::string::npos) << line;
      EXPECT_EQ(line.find(name), 0u) << line;
      EXPECT_EQ(testing::snapshot(directory_.path()), before);
    }
    SCOPED_TRACE("convoy import");
    EXPECT_NE(testing::refusal(convoy("import " + name + " imported"), 3).find(part), std::string::npos);
    EXPECT_FALSE(io::file_exists(path("imported")));
  }
  void expect_refused(const FileModel& model, const std::string& part) const {
    onnx::write_model(path("hostile.onnx"), model);
    expect_refused("hostile.onnx", part);
  }

  io::TemporaryDirectory directory_;
};

TEST_F(OnnxProgram, AModelGoesOutAndComesBackTrained) {
  const io::Json fresh = json_of(convoy("export --model lenet5 --data digits --seed 3 fresh.onnx --json"));
  EXPECT_EQ(number(fresh, "parameters"), 61706);
  EXPECT_EQ(number(fresh, "opset"), 13);
  const std::string kShort = "--train-size 3200 --test-size 500 --epochs 1 --threads 1 --quiet --json ";
  const io::Json trained = json_of(convoy("train --model fresh.onnx --output run " + kShort));
  EXPECT_GT(number(trained, "test_accuracy"), 0.5);
  // The file holds the weights that seed 3 draws: training from either is the same training.
  const io::Json same = json_of(convoy("train --model lenet5 --seed 3 --output other " + kShort));
  const io::Json again = json_of(convoy("train --model fresh.onnx --seed 3 --output again " + kShort));
  EXPECT_EQ(number(again, "test_loss"), number(same, "test_loss"));

  json_of(convoy("export run trained.onnx --json"));
  const std::string kEval = " --train-size 3200 --test-size 500 --json";
  const io::Json of_run = json_of(convoy("eval run --json"));
  const io::Json of_file = json_of(convoy("eval --model trained.onnx" + kEval));
  // Plans for inference and for training may choose other kernels: the same to the last bits but for a few.
  EXPECT_NEAR(number(of_file, "loss"), number(of_run, "loss"), 1e-5);
  EXPECT_NEAR(number(of_file, "accuracy"), number(trained, "test_accuracy"), 0.005);
  EXPECT_EQ(json_of(convoy("inspect trained.onnx --json")).find("parameters")->as_int64(), 61706);

  json_of(convoy("import trained.onnx imported --json"));
  EXPECT_NEAR(number(json_of(convoy("eval imported" + kEval)), "loss"), number(of_run, "loss"), 1e-5);
}

TEST_F(OnnxProgram, PredictsAlikeFromARunAndAFile) {
  json_of(
      convoy("train --model mlp --train-size 640 --test-size 100 --epochs 1 --output run --quiet --json"));
  json_of(convoy("export run net.onnx --json"));
  data::Image image{.channels = 1, .height = 28, .width = 28, .pixels = std::vector<std::uint8_t>(784)};
  data::render_digit(1, data::Split::test, 3, image.pixels);
  data::save_image(image, path("digit.png"));
  const io::Json from_run = json_of(convoy("predict run digit.png --json"));
  const io::Json from_file = json_of(convoy("predict --model net.onnx digit.png --json"));
  const io::Json& wanted = from_run.find("predictions")->as_array()[0];
  const io::Json& found = from_file.find("predictions")->as_array()[0];
  EXPECT_EQ(found.find("class_name")->dump(), wanted.find("class_name")->dump());
  EXPECT_NEAR(number(found, "probability"), number(wanted, "probability"), 1e-5);
}

TEST_F(OnnxProgram, NamesTheLayerThatOnnxDoesNotHave) {
  const ChildResult result = convoy("export --model sparse-autoencoder --data digits net.onnx");
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("layer filter1 (LocallyConnected): ONNX has no such operator"), std::string::npos)
      << result.err;
  EXPECT_FALSE(io::file_exists(path("net.onnx")));
}

TEST_F(OnnxProgram, ResumesARunThatBeganWithAFile) {
  json_of(convoy("export --model linear --data digits net.onnx --json"));
  const std::string kRun = "--model net.onnx --train-size 640 --test-size 100 --quiet --json --output run ";
  json_of(convoy("train --epochs 1 " + kRun));
  EXPECT_EQ(json_of(convoy("train --epochs 2 --resume auto " + kRun)).find("epochs")->as_int64(), 2);
}

TEST_F(OnnxProgram, UsageMistakes) {
  json_of(convoy("export --model linear --data digits net.onnx --json"));
  EXPECT_NE(testing::refusal(convoy("export net.onnx"), 2).find("give a CHECKPOINT"), std::string::npos);
  EXPECT_NE(testing::refusal(convoy("export absent net.onnx"), 3).find("absent"), std::string::npos);
  EXPECT_NE(testing::refusal(convoy("export --model linear --data digits absent/net.onnx"), 1)
                .find("absent/net.onnx"),
            std::string::npos);
  EXPECT_NE(testing::refusal(convoy("inspect absent.onnx"), 3).find("absent.onnx"), std::string::npos);
  onnx::FileModel image = onnx::one_node(node("Relu", {"x"}, {"y"}), {}, 13, {1, 1, 28, 28});
  image.outputs = {onnx::image("y", {1, 1, 28, 28})};
  onnx::write_model(path("relu.onnx"), image);
  EXPECT_NE(testing::refusal(convoy("train --model relu.onnx --train-size 64 --test-size 10 --output run"), 2)
                .find("has no loss"),
            std::string::npos);
  EXPECT_FALSE(io::file_exists(path("run")));
}

TEST_F(OnnxProgram, HostileModels) {
  FileModel wide =
      onnx::one_node(node("Relu", {"x"}, {"y"}), {}, 13, {1, std::int64_t{1} << 40, std::int64_t{1} << 40});
  wide.outputs = {onnx::image("y", {1, 1, 1})};
  expect_refused(wide, "too large");
  FileModel negative = wide;
  negative.inputs = {onnx::image("x", {1, -5})};
  expect_refused(negative, "input 'x': dimension 1 has the size -5");
}

TEST_F(OnnxProgram, HostileBytes) {
  json_of(convoy("export --model lenet5 --data digits net.onnx --json"));
  const std::string bytes = io::read_file(path("net.onnx"));
  static_cast<void>(directory_.write("cut.onnx", bytes.substr(0, bytes.size() / 2)));
  expect_refused("cut.onnx", "it is no whole ONNX model: cut or damaged near byte");
  static_cast<void>(directory_.write("empty.onnx", ""));
  expect_refused("empty.onnx", "it is no whole ONNX model");
  static_cast<void>(directory_.write("text.onnx", "graph net 1x2x2\n"));
  expect_refused("text.onnx", "");
  std::filesystem::create_directory(path("folder.onnx"));
  expect_refused("folder.onnx", "");
}

TEST_F(OnnxProgram, TheDoctorKnowsIt) { EXPECT_NE(convoy("doctor").out.find("libonnx"), std::string::npos); }

}  // namespace
}  // namespace convoy
