#include "convoy/app/app.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "convoy/app/command_line.h"
#include "convoy/app/commands.h"
#include "convoy/app/signals.h"
#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/run/config.h"

namespace convoy::app {
namespace {

struct Outcome {
  int status = -1;
  std::string out, err;
};

Outcome run_with(const std::vector<std::string>& arguments, base::StopToken& stop,
                 std::map<std::string, std::string> variables = {}) {
  variables.emplace("CONVOY_TUNE", "off");
  std::ostringstream out, err;
  Session session = {.out = out,
                     .err = err,
                     .out_terminal = {},
                     .err_terminal = {},
                     .environment =
                         [&](const char* name) {
                           const auto found = variables.find(name);
                           return found == variables.end() ? nullptr : found->second.c_str();
                         },
                     .stop = stop};
  const int status = run(arguments, session);
  return {status, out.str(), err.str()};
}

Outcome run_with(const std::vector<std::string>& arguments) {
  base::StopToken stop;
  return run_with(arguments, stop);
}

// The one line of a usage mistake, without "convoy: "; everything else about it is checked.
std::string mistake(const std::vector<std::string>& arguments) {
  const Outcome outcome = run_with(arguments);
  EXPECT_EQ(outcome.status, 2) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("convoy: ")) << outcome.err;
  return outcome.err.substr(8, outcome.err.size() - 9);
}

TEST(CommandLines, CollectSettingsOptionsAndArguments) {
  const CommandLine line = parse_command_line({"train", "--epochs", "3", "--learning-rate=0.1", "--no-fuse",
                                               "--offline", "--json", "--data-dir", "/d"});
  EXPECT_EQ(line.action, CommandLine::Action::run);
  EXPECT_EQ(line.command->name, "train");
  EXPECT_EQ(line.settings, (std::map<std::string, std::string>{{"epochs", "3"},
                                                               {"learning_rate", "0.1"},
                                                               {"fuse", "false"},
                                                               {"offline", "true"},
                                                               {"data_dir", "/d"}}));
  EXPECT_TRUE(line.has("json"));
  EXPECT_FALSE(line.has("dry-run"));

  const CommandLine files = parse_command_line({"predict", "run", "--top", "3", "a.png", "--", "--b.png"});
  EXPECT_EQ(files.arguments, (std::vector<std::string>{"run", "a.png", "--b.png"}));
  EXPECT_EQ(files.integer("top", 1, 1, 10), 3);
}

TEST(CommandLines, TheLastOfTwoWinsAndSwitchesTakeValues) {
  const CommandLine line =
      parse_command_line({"train", "--epochs", "3", "--epochs", "4", "--fuse=false", "--momentum", "-1"});
  EXPECT_EQ(line.settings.at("epochs"), "4");
  EXPECT_EQ(line.settings.at("fuse"), "false");
  EXPECT_EQ(line.settings.at("momentum"), "-1");
}

TEST(CommandLines, MistakesAreOneLineWithTheWayOut) {
  EXPECT_EQ(mistake({}), "no command; see 'convoy --help'");
  EXPECT_EQ(mistake({"trian"}), "unknown command 'trian', did you mean 'train'?; see 'convoy --help'");
  EXPECT_EQ(mistake({"xyz"}), "unknown command 'xyz'; see 'convoy --help'");
  EXPECT_EQ(mistake({"--json"}), "unknown flag --json before the command; see 'convoy --help'");
  EXPECT_EQ(mistake({"train", "--epoch", "3"}),
            "unknown flag --epoch, did you mean --epochs?; see 'convoy train --help'");
  EXPECT_EQ(mistake({"train", "--epoch=3"}),
            "unknown flag --epoch, did you mean --epochs?; see 'convoy train --help'");
  EXPECT_EQ(mistake({"train", "-x"}), "unknown flag -x; see 'convoy train --help'");
  EXPECT_EQ(mistake({"train", "mnist"}), "unexpected argument 'mnist'; see 'convoy train --help'");
  EXPECT_EQ(mistake({"train", "--output", "--json"}),
            "--output needs a value, but --json follows; see 'convoy train --help'");
  EXPECT_EQ(mistake({"train", "--epochs"}), "--epochs needs a value; see 'convoy train --help'");
  EXPECT_EQ(mistake({"train", "--output="}), "--output needs a value; see 'convoy train --help'");
  EXPECT_EQ(mistake({"eval"}),
            "'convoy eval' needs CHECKPOINT or --model FILE.onnx; see 'convoy eval --help'");
  EXPECT_EQ(mistake({"eval", "a", "b"}), "unexpected argument 'b'; see 'convoy eval --help'");
  EXPECT_EQ(mistake({"predict", "run"}), "'convoy predict' needs an IMAGE; see 'convoy predict --help'");
  EXPECT_EQ(mistake({"eval", "--model", "lenet5"}),
            "--model lenet5: only an ONNX file (FILE.onnx) is a trained model");
  EXPECT_EQ(mistake({"export", "model.onnx"}),
            "give a CHECKPOINT and a FILE.onnx, or --model and a FILE.onnx; see 'convoy export --help'");
  EXPECT_EQ(mistake({"doctor", "--epochs", "3"}), "unknown flag --epochs; see 'convoy doctor --help'");
  EXPECT_EQ(mistake({"train", "--epochs", "0"}), "--epochs must be at least 1, not '0'");
  EXPECT_EQ(mistake({"train", "--epochs", "many"}), "--epochs must be a whole number, not 'many'");
  EXPECT_EQ(mistake({"train", "--fuse=perhaps"}), "--fuse must be true or false, not 'perhaps'");
  EXPECT_EQ(mistake({"predict", "run", "a.png", "--top", "0"}),
            "--top must be a whole number from 1 to 1000000, not '0'; see 'convoy predict --help'");
  EXPECT_NE(mistake({"eval", "run", "--split", "all"}).find("--split must be test or train"),
            std::string::npos);
  EXPECT_NE(mistake({"inspect", "--only", "layer"}).find("did you mean 'layers'?"), std::string::npos);
  EXPECT_NE(mistake({"inspect", "mlp", "--model", "lenet5"}).find("given twice"), std::string::npos);
  EXPECT_NE(mistake({"inspect", "lenet6"}).find("did you mean 'lenet5'?"), std::string::npos);
}

TEST(Help, EveryCommandHasOneWithAnExample) {
  const Outcome program = run_with({"--help"});
  EXPECT_EQ(program.status, 0);
  EXPECT_EQ(program.err, "");
  for (const Command& command : commands()) {
    EXPECT_NE(program.out.find("\n  " + std::string(command.name) + " "), std::string::npos);
    const Outcome help = run_with({std::string(command.name), "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.out.find("example:\n  convoy " + std::string(command.name)), std::string::npos);
    EXPECT_NE(help.out.find("--json"), std::string::npos) << command.name;
    EXPECT_EQ(run_with({"help", std::string(command.name)}).out, help.out);
  }
  const Outcome train = run_with({"train", "--help", "--epochs", "nonsense"});
  EXPECT_EQ(train.status, 0);
  for (const run::Setting& setting : run::settings()) {
    std::string flag = "--" + std::string(setting.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    EXPECT_NE(train.out.find(flag), std::string::npos) << flag;
  }
  EXPECT_TRUE(run_with({"--version"}).out.starts_with("convoy "));
}

TEST(PrintConfig, ShowsPrecedenceWithOrigins) {
  const io::TemporaryDirectory directory;
  const std::string file = directory.write("run.toml", "[train]\nepochs = 2\nbatch = 3\nseed = 4\n");
  base::StopToken stop;
  const Outcome outcome =
      run_with({"train", "--print-config", "--config", file, "--seed", "9"}, stop, {{"CONVOY_BATCH", "30"}});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const auto has_line = [&](const std::string& setting, const std::string& origin) {
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(setting) && line.ends_with("# " + origin)) return true;
    return false;
  };
  EXPECT_TRUE(has_line("epochs = 2 ", "file")) << outcome.out;
  EXPECT_TRUE(has_line("batch = 30 ", "environment"));
  EXPECT_TRUE(has_line("seed = 9 ", "flag"));
  EXPECT_TRUE(has_line("momentum = 0.9 ", "default"));
}

TEST(ExitStatus, FollowsTheKindOfFailure) {
  const io::TemporaryDirectory directory;
  EXPECT_EQ(run_with({"train", "--config", directory.file("none.toml")}).status, 3);
  const std::string bad = directory.write("bad.toml", "[train]\nepoch = 1\n");
  const Outcome unknown = run_with({"train", "--config", bad});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("bad.toml:2:1: unknown key 'train.epoch'; did you mean 'train.epochs'?"),
            std::string::npos)
      << unknown.err;
  const Outcome missing = run_with({"eval", directory.file("none")});
  EXPECT_EQ(missing.status, 3);
  EXPECT_NE(missing.err.find("none"), std::string::npos);
}

TEST(Inspect, PrintsTextAndJson) {
  const Outcome text = run_with({"inspect", "lenet5", "--threads", "1"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("61,706 parameters"), std::string::npos) << text.out;
  const Outcome json = run_with({"inspect", "--json", "--batch", "8", "--threads", "1"});
  const io::Json object = io::parse_json(json.out, "stdout");
  EXPECT_EQ(object.find("parameters")->as_int64(), 61'706);
  EXPECT_EQ(object.find("batch")->as_int64(), 8);
  for (const char* member :
       {"macs", "activation_bytes", "layers", "memory", "predicted_step_seconds", "plan", "program"})
    EXPECT_NE(object.find(member), nullptr) << member;
  const Outcome dry = run_with({"train", "--dry-run", "--json", "--threads", "1"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_EQ(io::parse_json(dry.out, "stdout").find("parameters")->as_int64(), 61'706);
}

TEST(Doctor, PrintsTextAndJson) {
  const Outcome text = run_with({"doctor"});
  EXPECT_EQ(text.status, 0);
  EXPECT_NE(text.out.find("oneDNN"), std::string::npos);
  const io::Json findings = io::parse_json(run_with({"doctor", "--json"}).out, "stdout");
  EXPECT_GT(findings.find("findings")->as_array().size(), 10u);
}

TEST(BenchConv, PrintsTablesForEachDirection) {
  const Outcome outcome = run_with({"bench", "conv", "--problem", "n1c16h6k16r3s1p1,n1c16h6k16r5s1p2",
                                    "--threads", "1", "--repetitions", "1", "--seconds", "0", "--interval"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  for (const char* part :
       {"n1c16h6k16r3s1p1  forward, 1 thread", "n1c16h6k16r5s1p2  backward_weights, 1 thread", "% of peak",
        "workspace", "predicted", "95 % interval", "onednn", "✓", "backward_data, 1 thread  served"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  EXPECT_NE(outcome.err.find("[6/6] n1c16h6k16r5s1p2 backward_weights, 1 thread, ETA"), std::string::npos)
      << outcome.err;
}

TEST(BenchConv, PrintsLinesForPrograms) {
  const std::vector<std::string> base = {"bench",   "conv",      "--problem", "n1c3h6k8r3s2p1", "--direction",
                                         "forward", "--threads", "1",         "--refused"};
  const auto with = [&](const char* format) {
    std::vector<std::string> arguments = base;
    arguments.emplace_back(format);
    return run_with(arguments);
  };
  const Outcome json = with("--json");
  ASSERT_EQ(json.status, 0) << json.err;
  int winners = 0, measured = 0, lines = 0;
  std::istringstream text(json.out);
  for (std::string line; std::getline(text, line); ++lines) {
    const io::Json object = io::parse_json(line, "stdout");
    EXPECT_EQ(object.find("problem")->as_string(), "n1c3h6k8r3s2p1");
    EXPECT_EQ(object.find("direction")->as_string(), "forward");
    EXPECT_EQ(object.find("threads")->as_int64(), 1);
    ASSERT_NE(object.find("algorithm"), nullptr);
    if (object.find("refused") != nullptr) continue;
    ++measured;
    winners += object.find("winner")->as_bool();
    for (const char* member : {"milliseconds", "gflops", "percent_of_peak"})
      EXPECT_GT(object.find(member)->as_double(), 0) << member;
    EXPECT_LT(object.find("error")->as_double(), 1e-5);
    EXPECT_GE(object.find("workspace_bytes")->as_int64(), 0);
  }
  EXPECT_EQ(winners, 1);
  EXPECT_GE(measured, 1);
  const Outcome csv = with("--csv");
  ASSERT_EQ(csv.status, 0) << csv.err;
  EXPECT_TRUE(
      csv.out.starts_with("problem,direction,algorithm,threads,milliseconds,gflops,percent_of_peak,error,"
                          "workspace_bytes,winner"));
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), lines + 1);
}

TEST(BenchConv, DrawsTimeAgainstKernelSize) {
  const io::TemporaryDirectory directory;
  const std::string file = directory.file("sweep/chart.svg");
  const Outcome outcome =
      run_with({"bench", "conv", "--problem", "n1c16h8k16r3s1p1,n1c16h8k16r5s1p2", "--threads", "1",
                "--repetitions", "1", "--seconds", "0", "--csv", "--svg", file});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string text = io::read_file(file);
  for (const char* part : {"<svg", "16 to 16 channels, 8x8, batch 1: backward_data, 1 thread", "kernel size",
                           "onednn: ", "</svg>"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(BenchConv, MistakesAreOneLineThatSaysWhy) {
  const std::string one = "n1c16h6k16r3s1p1";
  const struct {
    std::vector<std::string> arguments;
    std::string part;
  } mistakes[] = {
      {{"bench"}, "needs conv"},
      {{"bench", "pool"}, "unknown benchmark 'pool'"},
      {{"bench", "conv"}, "needs --set NAME (convnet-benchmarks, alexnet"},
      {{"bench", "conv", "--set", "vgg19"}, "did you mean 'vgg16'?"},
      {{"bench", "conv", "--problem", "n1c1h4k1r7"}, "a window of 7 does not fit"},
      {{"bench", "conv", "--problem", "n1c1h4"}, "'k' is missing"},
      {{"bench", "conv", "--problem", one, "--algorithm", "onedn"}, "did you mean 'onednn'?"},
      {{"bench", "conv", "--problem", "n1c16h6k16r5s2p1", "--algorithm", "onednn:winograd"},
       "--algorithm onednn:winograd cannot serve n1c16h6k16r5s2p1 forward: "},
      {{"bench", "conv", "--problem", one, "--direction", "backward"}, "--direction must be"},
      {{"bench", "conv", "--problem", one, "--threads", "1,0"}, "not '0'"},
      {{"bench", "conv", "--problem", one, "--repetitions", "0"}, "--repetitions must be"},
      {{"bench", "conv", "--problem", one, "--seconds", "-1"}, "--seconds must be"},
      {{"bench", "conv", "--problem", one, "--workspace-limit", "16X"}, "--workspace-limit must be"},
      {{"bench", "conv", "--problem", one, "--json", "--csv"}, "exclude each other"},
      {{"bench", "conv", "--problem", one, "--svg", "x.svg"}, "try --set kernel-sweep"},
      {{"bench", "conv", "--set", "alexnet", "--svg", "x.svg"}, "two of the problems have 3x3 kernels"},
      {{"bench", "conv", "--jsn"}, "did you mean --json?"},
  };
  for (const auto& [arguments, part] : mistakes) {
    const std::string line = mistake(arguments);
    EXPECT_NE(line.find(part), std::string::npos) << line;
  }
}

std::vector<std::string> tiny_run(const std::string& output) {
  return {"train", "--model",         "linear", "--train-size", "256",  "--test-size",
          "64",    "--batch",         "32",     "--epochs",     "2",    "--threads",
          "1",     "--learning-rate", "0.01",   "--output",     output, "--json"};
}

TEST(Train, EvalAndPredictGoTogether) {
  const io::TemporaryDirectory directory;
  const std::string output = directory.file("run");
  const Outcome trained = run_with(tiny_run(output));
  ASSERT_EQ(trained.status, 0) << trained.err;
  const io::Json result = io::parse_json(trained.out, "stdout");
  EXPECT_EQ(result.find("run_directory")->as_string(), output);
  EXPECT_EQ(result.find("epochs")->as_int64(), 2);
  EXPECT_EQ(result.find("interrupted")->as_bool(), false);
  for (const char* member :
       {"test_accuracy", "test_loss", "seconds", "images_per_second", "peak_memory_bytes", "checkpoint"})
    ASSERT_NE(result.find(member), nullptr) << member;
  const std::string page = io::read_file(output + "/report.html");
  for (const char* part : {"<svg", "Confusion", "learning_rate", "</html>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;

  const Outcome evaluated = run_with({"eval", output, "--json"});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const io::Json evaluation = io::parse_json(evaluated.out, "stdout");
  EXPECT_EQ(evaluation.find("samples")->as_int64(), 64);
  EXPECT_EQ(evaluation.find("accuracy")->as_double(), result.find("test_accuracy")->as_double());
  EXPECT_EQ(evaluation.find("confusion")->as_array().size(), 10u);

  std::string pgm = "P5 28 28 255\n";
  pgm.append(28 * 28, '\x7f');
  const std::string image = directory.write("grey.pgm", pgm);
  const Outcome predicted = run_with({"predict", output, image, "--top", "3", "--json"});
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  const io::Json prediction =
      io::require_array(io::parse_json(predicted.out, "stdout"), "predictions", "stdout").at(0);
  EXPECT_EQ(prediction.find("file")->as_string(), image);
  EXPECT_EQ(prediction.find("top")->as_array().size(), 3u);
  EXPECT_EQ(run_with({"predict", output, directory.file("none.png")}).status, 3);

  const Outcome again = run_with(tiny_run(output));
  EXPECT_EQ(again.status, 2) << again.err;
  EXPECT_EQ(again.out, "");
}

TEST(Train, PrintsWhatAPersonWants) {
  const io::TemporaryDirectory directory;
  std::vector<std::string> arguments = tiny_run(directory.file("run"));
  arguments.pop_back();
  const Outcome outcome = run_with(arguments);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("test accuracy ")) << outcome.out;
  EXPECT_NE(outcome.out.find("recall"), std::string::npos);
  EXPECT_TRUE(outcome.out.ends_with("run directory: " + directory.file("run") + "\n")) << outcome.out;
  EXPECT_NE(outcome.err.find("step 16/16"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("epoch 2/2: training loss"), std::string::npos) << outcome.err;
}

TEST(Train, AStopRequestEndsWithACheckpoint) {
  const io::TemporaryDirectory directory;
  base::StopToken stop;
  stop.request_stop(SIGTERM);
  const Outcome outcome = run_with(tiny_run(directory.file("run")), stop);
  EXPECT_EQ(outcome.status, 75) << outcome.err;
  const io::Json result = io::parse_json(outcome.out, "stdout");
  EXPECT_TRUE(result.find("interrupted")->as_bool());
  EXPECT_TRUE(result.find("test_accuracy")->is_null());
  EXPECT_TRUE(io::file_exists(result.find("checkpoint")->as_string() + "/manifest.json"));
  EXPECT_TRUE(io::file_exists(directory.file("run") + "/report.html"));

  std::vector<std::string> arguments = tiny_run(directory.file("run"));
  arguments.insert(arguments.end(), {"--resume", "auto"});
  const Outcome resumed = run_with(arguments);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(io::parse_json(resumed.out, "stdout").find("epochs")->as_int64(), 2);
}

TEST(Train, DivergenceIsStatusFour) {
  const io::TemporaryDirectory directory;
  std::vector<std::string> arguments = tiny_run(directory.file("run"));
  arguments.insert(arguments.end(), {"--learning-rate", "1e30", "--optimizer", "sgd"});
  const Outcome outcome = run_with(arguments);
  EXPECT_EQ(outcome.status, 4) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST(Output, ALostResultIsAFailure) {
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  base::StopToken stop;
  Session session = {.out = out,
                     .err = err,
                     .out_terminal = {},
                     .err_terminal = {},
                     .environment = [](const char*) -> const char* { return nullptr; },
                     .stop = stop};
  EXPECT_EQ(run({"--version"}, session), 1);
  EXPECT_NE(err.str().find("standard output"), std::string::npos);
}

template <class Condition>
void wait_until(const Condition& condition) {
  while (!condition()) ::usleep(1000);
}

// Each in a child, whose only thread is the one that makes the scope.
TEST(Signals, BecomeRequests) {
  EXPECT_EXIT(
      {
        base::StopToken stop;
        {
          ignore_harmless_signals();
          kill(getpid(), SIGUSR1);
          const SignalScope scope(stop);
          if (stop.take_checkpoint_request()) _exit(4);
          kill(getpid(), SIGUSR1);
          wait_until([&] { return stop.take_checkpoint_request(); });
          if (stop.stop_requested()) _exit(1);
          kill(getpid(), SIGINT);
          wait_until([&] { return stop.stop_requested(); });
          if (stop.signal_number() != SIGINT) _exit(2);
        }
        sigset_t blocked;
        pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        _exit(sigismember(&blocked, SIGINT) ? 3 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Signals, TheSecondEndsAtOnce) {
  for (const int number : {SIGINT, SIGTERM})
    EXPECT_EXIT(
        {
          base::StopToken stop;
          const SignalScope scope(stop);
          kill(getpid(), number);
          wait_until([&] { return stop.stop_requested(); });
          kill(getpid(), number);
          wait_until([] { return false; });
        },
        testing::ExitedWithCode(128 + number), "");
}

}  // namespace
}  // namespace convoy::app
