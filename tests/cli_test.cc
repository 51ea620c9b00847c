// The program as a new user meets it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "convoy/data/digits.h"
#include "convoy/data/image.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "tests/support/program.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using testing::ChildProcess;
using testing::ChildResult;
using testing::json_of;
using testing::run_convoy;
using testing::words;

constexpr const char* kTiny = "--model linear --train-size 640 --test-size 100 --epochs 1";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

double number(const io::Json& object, const char* name) { return io::require_double(object, name, "stdout"); }
std::int64_t integer(const io::Json& object, const char* name) {
  return io::require_int64(object, name, "stdout");
}

std::vector<std::string> names(const io::Json& object) {
  std::vector<std::string> list;
  for (const auto& member : object.as_object()) list.push_back(member.first);
  return list;
}

class Cli : public ::testing::Test {
 protected:
  ChildResult convoy(const std::string& arguments) const {
    return run_convoy(directory_.path(), words(arguments));
  }
  std::string path(const std::string& name) const { return directory_.file(name); }
  std::set<std::string> entries(const std::string& name) const {
    std::set<std::string> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(path(name)))
      found.insert(entry.path().filename().string());
    return found;
  }

  io::TemporaryDirectory directory_;
};

// ---- one LeNet-5, trained once, that knows its digits

class Trained : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    place() = std::make_unique<io::TemporaryDirectory>();
    result() = run_convoy(place()->path(),
                          words("train --model lenet5 --train-size 6400 --test-size 1000 --epochs 3 "
                                "--seed 1 --output run --json"));
    ASSERT_EQ(result().status, 0) << result().err;
  }
  static void TearDownTestSuite() { place().reset(); }
  static std::unique_ptr<io::TemporaryDirectory>& place() {
    static std::unique_ptr<io::TemporaryDirectory> directory;
    return directory;
  }
  static ChildResult& result() {
    static ChildResult finished;
    return finished;
  }
  static ChildResult convoy(const std::string& arguments) {
    return run_convoy(place()->path(), words(arguments));
  }
};

// Neither accuracy nor classes where there are no labels: the loss is all there is to tell.
TEST(Unlabelled, ModelsTellTheirLossAlone) {
  const io::TemporaryDirectory place;
  const auto convoy = [&](const std::string& arguments) {
    return run_convoy(place.path(), words(arguments));
  };
  const std::string kTraining =
      "train --model sparse-autoencoder --depth 1 --width 0.25 --train-size 640 --test-size 100 "
      "--optimizer adam --output run --epochs ";
  const ChildResult text = convoy(kTraining + "2");
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_PRED2(contains, text.err, "epoch 2/2: training loss ");
  EXPECT_PRED2(contains, text.out, "test loss ");
  for (const std::string& shown : {text.out, text.err, io::read_file(place.file("run/report.html")),
                                   io::read_file(place.file("run/metrics.jsonl"))})
    EXPECT_FALSE(contains(shown, "ccuracy"));
  const io::Json json = json_of(convoy(kTraining + "3 --resume auto --json"));
  EXPECT_TRUE(json.find("test_accuracy")->is_null());
  EXPECT_EQ(number(json_of(convoy("eval run --json")), "loss"), number(json, "test_loss"));

  const ChildResult predicted = convoy("predict run digit.png");
  EXPECT_EQ(predicted.status, 2);
  EXPECT_PRED2(contains, predicted.err, "names no classes");
  const ChildResult classes = convoy("train --model sparse-autoencoder --classes 3");
  EXPECT_EQ(classes.status, 2);
  EXPECT_PRED2(contains, classes.err, "learns without labels");
}

TEST_F(Trained, ReportsOneJsonObject) {
  const io::Json json = json_of(result());
  const std::vector<std::string> keys = names(json);
  for (const char* key : {"test_accuracy", "test_loss", "epochs", "seconds", "images_per_second",
                          "peak_memory_bytes", "run_directory"})
    EXPECT_EQ(std::count(keys.begin(), keys.end(), key), 1) << key;
  EXPECT_GT(number(json, "test_accuracy"), 0.9);
  EXPECT_LE(number(json, "test_accuracy"), 1);
  EXPECT_GT(number(json, "test_loss"), 0);
  EXPECT_EQ(integer(json, "epochs"), 3);
  EXPECT_GT(number(json, "seconds"), 0);
  EXPECT_NEAR(number(json, "images_per_second") * number(json, "seconds"), 3 * 6400, 1);
  EXPECT_GT(integer(json, "peak_memory_bytes"), 1 << 20);
  EXPECT_EQ(io::require_string(json, "run_directory", "stdout"), "run");
}

TEST_F(Trained, TellsItsProgressOnStderrAlone) {
  EXPECT_PRED2(contains, result().err, "61,706 parameters");
  EXPECT_PRED2(contains, result().err, "6,400 training and 1,000 test images");
  for (const char* epoch : {"epoch 1/3: ", "epoch 2/3: ", "epoch 3/3: "})
    EXPECT_PRED2(contains, result().err, std::string("\n") + epoch);
  EXPECT_PRED2(contains, result().err, "images/s");
  EXPECT_PRED2(contains, result().err, "ETA");
  EXPECT_FALSE(contains(result().err, "\r")) << "a bar where stderr is no terminal";
  EXPECT_FALSE(contains(result().err, "\x1b")) << "colours where stderr is no terminal";
}

TEST_F(Trained, LeavesARunDirectory) {
  const std::string run = place()->file("run");
  for (const char* file : {"config.toml", "env.json", "metrics.jsonl", "report.html", "checkpoints/latest"})
    EXPECT_TRUE(io::file_exists(io::join_path(run, file))) << file;
  EXPECT_EQ(testing::leftovers(run), std::vector<std::string>{});
  EXPECT_EQ(testing::checkpoints_of(run).size(), 3u);
  EXPECT_EQ(io::read_file(run + "/checkpoints/latest"), "step-000000300\n");
  std::set<std::int64_t> tested;
  for (const io::Json& row : testing::metrics_of(run))
    if (row.find("test_accuracy")) tested.insert(integer(row, "step"));
  EXPECT_EQ(tested, (std::set<std::int64_t>{100, 200, 300}));
  EXPECT_EQ(integer(io::read_json(run + "/env.json"), "seed"), 1);
}

TEST_F(Trained, EvaluatesToWhatTrainingFound) {
  const io::Json trained = json_of(result());
  for (const std::string what : {"run", "run/checkpoints", "run/checkpoints/step-000000300"}) {
    const io::Json json = json_of(convoy("eval --json " + what));
    EXPECT_EQ(number(json, "accuracy"), number(trained, "test_accuracy"));
    EXPECT_EQ(number(json, "loss"), number(trained, "test_loss"));
    EXPECT_EQ(integer(json, "samples"), 1000);
  }
  const io::Json older = json_of(convoy("eval --json run/checkpoints/step-000000100"));
  EXPECT_NE(number(older, "loss"), number(trained, "test_loss"));
  const io::Json other = json_of(convoy("eval --json run --test-size 300 --split train --train-size 500"));
  EXPECT_EQ(integer(other, "samples"), 500);
  const ChildResult text = convoy("eval run");
  EXPECT_EQ(text.status, 0);
  EXPECT_EQ(text.err, "");
  EXPECT_PRED2(contains, text.out, "recall");
}

TEST_F(Trained, ConfusionAddsUp) {
  const io::Json json = json_of(convoy("eval --json run"));
  std::int64_t all = 0, right = 0;
  const io::Json::Array& rows = io::require_array(json, "confusion", "stdout");
  ASSERT_EQ(rows.size(), 10u);
  for (std::size_t label = 0; label < rows.size(); ++label) {
    ASSERT_EQ(rows[label].as_array().size(), 10u);
    for (std::size_t predicted = 0; predicted < 10; ++predicted)
      all += rows[label].as_array()[predicted].as_int64();
    right += rows[label].as_array()[label].as_int64();
  }
  EXPECT_EQ(all, 1000);
  EXPECT_DOUBLE_EQ(static_cast<double>(right) / 1000, number(json, "accuracy"));
}

TEST_F(Trained, PredictsPictures) {
  std::string files;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < 40; ++i) {
    data::Image image{.channels = 1, .height = 28, .width = 28, .pixels = std::vector<std::uint8_t>(784)};
    labels.push_back(data::render_digit(1, data::Split::test, 5000 + i, image.pixels));
    const std::string name = "digit" + std::to_string(i) + (i % 2 == 0 ? ".png" : ".pgm");
    data::save_image(image, place()->file(name));
    files += " " + name;
  }
  const io::Json result = json_of(convoy("predict run --top 3 --json" + files));
  const io::Json::Array& list = io::require_array(result, "predictions", "stdout");
  ASSERT_EQ(list.size(), labels.size());
  int right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const io::Json& entry = list[i];
    EXPECT_PRED2(contains, io::require_string(entry, "file", "stdout"), "digit" + std::to_string(i) + ".");
    const io::Json::Array& top = io::require_array(entry, "top", "stdout");
    ASSERT_EQ(top.size(), 3u);
    EXPECT_EQ(integer(top[0], "class"), integer(entry, "class"));
    EXPECT_GE(number(top[0], "probability"), number(top[1], "probability"));
    EXPECT_GE(number(top[1], "probability"), number(top[2], "probability"));
    EXPECT_EQ(io::require_string(entry, "class_name", "stdout"), std::to_string(integer(entry, "class")));
    if (integer(entry, "class") == labels[i]) ++right;
  }
  EXPECT_GE(right, 34);
  const ChildResult text = convoy("predict run digit0.png digit1.pgm");
  EXPECT_EQ(text.err, "");
  EXPECT_PRED2(contains, text.out, "digit0.png");
  EXPECT_PRED2(contains, text.out, "%");
}

// ---- commands

TEST_F(Cli, EveryCommandHasHelpWithAnExample) {
  const ChildResult program = convoy("--help");
  EXPECT_EQ(program.status, 0);
  EXPECT_EQ(program.err, "");
  for (const std::string command : {"train", "eval", "predict", "inspect", "data", "doctor"}) {
    EXPECT_PRED2(contains, program.out, command);
    const ChildResult help = convoy(command + " --help");
    EXPECT_EQ(help.status, 0);
    EXPECT_EQ(help.err, "");
    EXPECT_PRED2(contains, help.out, "example:\n  convoy " + command);
    EXPECT_PRED2(contains, help.out, "--json");
  }
  EXPECT_TRUE(convoy("--version").out.starts_with("convoy "));
}

TEST_F(Cli, InspectReportsLenet5) {
  const io::Json json = json_of(convoy("inspect --model lenet5 --json"));
  EXPECT_EQ(integer(json, "parameters"), 61706);
  EXPECT_EQ(integer(json, "macs"), 416520);
  // conv1 and relu1 4704 each, pool1 1176, conv2 and relu2 1600, pool2 and flatten 400, fc1 and relu3 120,
  // fc2 and relu4 84, fc3 10, the input 784 and one loss: float32.
  EXPECT_EQ(integer(json, "activation_bytes"),
            4 * (784 + 2 * (4704 + 1600 + 400 + 120 + 84) + 1176 + 10 + 1));
  std::int64_t parameters = 0, macs = 0;
  const io::Json::Array& layers = io::require_array(json, "layers", "stdout");
  EXPECT_EQ(layers.size(), 13u);
  for (const io::Json& layer : layers) {
    parameters += integer(layer, "parameters");
    macs += integer(layer, "macs");
  }
  EXPECT_EQ(parameters, 61706);
  EXPECT_EQ(macs, 416520);
  EXPECT_PRED2(contains, convoy("inspect lenet5").out, "61,706");
}

TEST_F(Cli, InspectPrintsTheGraphAsRecorded) {
  const ChildResult graph = convoy("inspect --model lenet5 --only graph");
  EXPECT_EQ(graph.status, 0) << graph.err;
  EXPECT_EQ(graph.out, io::read_file(CONVOY_GOLDEN_DIRECTORY "/inspect_lenet5_graph.txt"));
}

// A run on a folder and one on its shards are the same run.
TEST_F(Cli, FoldersAndTheirShardsTrainAlike) {
  for (const std::string name : {"a", "b"}) {
    std::filesystem::create_directories(path("photos/" + name));
    for (int i = 0; i < 12; ++i) {
      data::Image image{.channels = 3, .height = 20, .width = 24, .pixels = {}};
      for (int k = 0; k < 3 * 20 * 24; ++k)
        image.pixels.push_back(static_cast<std::uint8_t>((name == "a" ? k * (i + 3) : k / 24 * 9 + i) % 256));
      data::save_image(image, path(base::str("photos/", name, "/", i, ".png")));
    }
  }
  const io::Json packed = json_of(convoy("data pack photos --out packed --shard-size 8K --quiet --json"));
  EXPECT_EQ(io::require_array(packed, "parts", "pack").size(), 1u);
  const io::Json checked = json_of(convoy("data check packed --quiet --json"));
  EXPECT_EQ(integer(checked, "bad"), 0);
  const std::string train =
      "train --model linear --image-size 12 --batch 6 --epochs 3 --threads 1 --quiet --json --fold 2/4 "
      "--augment resized_crop,flip,jitter=0.3 ";
  const io::Json folder = json_of(convoy(train + "--data folder:photos --output f --loader-workers 0"));
  const io::Json shards = json_of(convoy(train + "--data shards:packed --output s --loader-workers 2"));
  EXPECT_EQ(io::require_double(folder, "test_loss", "folder"),
            io::require_double(shards, "test_loss", "shards"));
  EXPECT_EQ(integer(json_of(convoy("eval f --json")), "samples"), 6);
  EXPECT_EQ(convoy("predict f photos/a/1.png").status, 0);
}

TEST_F(Cli, DoctorListsFindings) {
  const io::Json json = json_of(convoy("doctor --json"));
  std::set<std::string> topics;
  for (const io::Json& finding : io::require_array(json, "findings", "stdout")) {
    topics.insert(io::require_string(finding, "topic", "stdout"));
    const std::string& state = io::require_string(finding, "state", "stdout");
    EXPECT_TRUE(state == "good" || state == "absent" || state == "problem") << state;
    EXPECT_NE(io::require_string(finding, "detail", "stdout"), "");
    EXPECT_EQ(io::require_string(finding, "advice", "stdout").empty(), state == "good");
  }
  for (const char* topic : {"SIMD", "threads", "oneDNN"}) EXPECT_TRUE(topics.contains(topic)) << topic;
  EXPECT_EQ(convoy("doctor").status, 0);
}

TEST_F(Cli, FlagBeforeEnvironmentBeforeFileBeforeDefault) {
  directory_.write("run.toml", "[train]\nepochs = 2\nbatch = 32\nseed = 7\n");
  testing::ChildSetup setup = testing::convoy_setup(
      directory_.path(), words("train --config run.toml --epochs 4 --print-config --output never-made"));
  setup.environment["CONVOY_EPOCHS"] = "3";
  setup.environment["CONVOY_BATCH"] = "48";
  const ChildResult printed = ChildProcess(setup).wait();
  EXPECT_EQ(printed.status, 0) << printed.err;
  EXPECT_EQ(printed.err, "");
  const auto line = [&](const std::string& key) {
    const std::size_t begin = printed.out.find("\n" + key + " = ");
    if (begin == std::string::npos) return std::string("absent");
    return printed.out.substr(begin + 1, printed.out.find('\n', begin + 1) - begin - 1);
  };
  const auto is = [&](const std::string& key, const std::string& value, const std::string& origin) {
    EXPECT_TRUE(line(key).starts_with(key + " = " + value + " ")) << line(key);
    EXPECT_TRUE(line(key).ends_with(origin)) << line(key);
  };
  is("epochs", "4", "flag");
  is("batch", "48", "environment");
  is("seed", "7", "file");
  is("optimizer", "\"momentum\"", "default");
  EXPECT_FALSE(fs::exists(path("never-made")));

  // What it prints, it reads.
  directory_.write("printed.toml", printed.out);
  const ChildResult again = convoy("train --config printed.toml --print-config");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_PRED2(contains, again.out, "\nbatch = 48 ");
  EXPECT_PRED2(contains, again.out, "\nepochs = 4 ");
}

TEST_F(Cli, DryRunWritesNothing) {
  const auto before = testing::snapshot(directory_.path());
  const ChildResult text = convoy(std::string("train --dry-run --output run ") + kTiny);
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_EQ(text.err, "");
  EXPECT_PRED2(contains, text.out, "memory");
  EXPECT_PRED2(contains, text.out, "plan:");
  EXPECT_EQ(integer(json_of(convoy(std::string("train --dry-run --json ") + kTiny)), "parameters"), 7850);
  EXPECT_EQ(testing::snapshot(directory_.path()), before);
}

TEST_F(Cli, TheConfigOfARunRepeatsIt) {
  const io::Json first = json_of(convoy(std::string("train --output first --seed 5 --json ") + kTiny));
  const io::Json again = json_of(convoy("train --config first/config.toml --output again --json"));
  EXPECT_EQ(number(again, "test_loss"), number(first, "test_loss"));
  const auto weights = [&](const char* run) {
    return io::read_file(testing::checkpoints_of(path(run)).back() + "/weights.safetensors");
  };
  EXPECT_TRUE(weights("first") == weights("again"));
}

TEST_F(Cli, QuietSaysNothingButTheResult) {
  const ChildResult quiet = convoy(std::string("train --quiet --output run ") + kTiny);
  EXPECT_EQ(quiet.status, 0);
  EXPECT_EQ(quiet.err, "");
  EXPECT_PRED2(contains, quiet.out, "test accuracy ");
  EXPECT_PRED2(contains, quiet.out, "run directory: run\n");
}

TEST_F(Cli, WithoutAnOutputTheRunHasAPlaceOfItsOwn) {
  std::set<std::string> places;
  for (int k = 0; k < 2; ++k) {
    const io::Json json = json_of(convoy(std::string("train --json --quiet ") + kTiny));
    const std::string place = io::require_string(json, "run_directory", "stdout");
    EXPECT_TRUE(place.starts_with("runs/linear-digits-")) << place;
    EXPECT_TRUE(places.insert(place).second) << place;
    EXPECT_TRUE(io::file_exists(path(place + "/report.html")));
  }
}

TEST_F(Cli, KeepsTheNewestCheckpoints) {
  const ChildResult result =
      convoy(std::string("train --quiet --output run --checkpoint-every 2 --keep-last 2 ") + kTiny);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(entries("run/checkpoints"),
            (std::set<std::string>{"latest", "step-000000008", "step-000000010"}));
}

TEST_F(Cli, StopsAfterTheStepsAskedFor) {
  const io::Json json = json_of(convoy(std::string("train --json --quiet --output run --steps 13 ") + kTiny));
  EXPECT_EQ(integer(json, "steps"), 13);
  EXPECT_EQ(integer(json, "epochs"), 1);
  EXPECT_TRUE(json.find("test_accuracy")->is_number());
  EXPECT_EQ(testing::step_of(testing::checkpoints_of(path("run")).back()), 13);
}

TEST_F(Cli, ProfilesAWindowOfSteps) {
  const ChildResult result =
      convoy(std::string("train --json --quiet --output run --profile --profile-steps 4 ") + kTiny);
  const io::Json json = json_of(result);
  double sum = 0, share = 0;
  for (const io::Json& row : io::require_array(json, "profile", "stdout")) {
    sum += number(row, "seconds");
    share += number(row, "share");
  }
  const io::Json& summary = io::require_object(json, "profile_summary", "stdout");
  EXPECT_EQ(integer(summary, "first_step"), 6) << "a warm-up of half the ten steps";
  EXPECT_EQ(integer(summary, "steps"), 4);
  EXPECT_NEAR(sum / number(summary, "step_seconds"), number(summary, "explained_share"), 1e-9);
  EXPECT_NEAR(share, number(summary, "explained_share"), 1e-9);
  EXPECT_PRED2(contains, result.err, "data wait");
  EXPECT_PRED2(contains, result.err, "% of the step\n");
  EXPECT_EQ(io::require_string(json, "trace", "stdout"), "run/trace/step-000000006.json");
  EXPECT_EQ(entries("run/trace"), std::set<std::string>{"step-000000006.json"});
  const io::Json trace = io::read_json(path("run/trace/step-000000006.json"));
  std::set<std::string> categories;
  for (const io::Json& event : io::require_array(trace, "traceEvents", "trace"))
    if (const io::Json* category = event.find("cat")) categories.insert(category->as_string());
  for (const char* category : {"step", "data", "evaluate", "update", "kernel", "checkpoint", "evaluation"})
    EXPECT_EQ(categories.count(category), 1u) << category;
}

TEST_F(Cli, WithoutAProfileThereIsNone) {
  const io::Json json = json_of(convoy(std::string("train --json --quiet --output run ") + kTiny));
  EXPECT_EQ(json.find("profile"), nullptr);
  EXPECT_FALSE(fs::exists(path("run/trace")));
}

TEST_F(Cli, RestartsItselfToSpinLess) {
  testing::ChildSetup setup = testing::convoy_setup(
      directory_.path(),
      words(std::string("train --output run --kernels *=reference --epochs 1000 ") + kTiny));
  setup.environment["GOMP_SPINCOUNT"] = std::nullopt;
  setup.environment["OMP_WAIT_POLICY"] = std::nullopt;
  ChildProcess child(setup);
  child.wait_for_err("run directory run");
  std::ifstream file("/proc/" + std::to_string(child.pid()) + "/environ");
  const std::string variables((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_PRED2(contains, variables, "GOMP_SPINCOUNT=1000");
}

}  // namespace
}  // namespace convoy
