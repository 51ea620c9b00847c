#include "convoy/run/config.h"

#include <gtest/gtest.h>

#include <set>

#include "convoy/base/error.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/run/nearest.h"

namespace convoy::run {
namespace {

const char* nothing(const char*) { return nullptr; }

class ConfigFile : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    const std::string path = io::join_path(directory_.path(), "run.toml");
    io::write_file_atomically(path, text);
    return path;
  }
  std::string refusal(const std::string& text) {
    try {
      resolve_config(write(text), {}, nothing);
    } catch (const base::UsageError& error) {
      EXPECT_EQ(error.exit_code(), base::ExitCode::usage);
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }

  io::TemporaryDirectory directory_;
};

std::string flag_refusal(const std::map<std::string, std::string>& flags) {
  try {
    resolve_config("", flags, nothing);
  } catch (const base::UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << flags.begin()->first << "=" << flags.begin()->second;
  return {};
}

TEST(Settings, AreUniqueDescribedAndAcceptTheirDefaults) {
  std::set<std::string_view> names;
  for (const Setting& setting : settings()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    EXPECT_FALSE(setting.help.empty()) << setting.name;
    EXPECT_EQ(setting.is_switch, setting.type == ValueType::boolean) << setting.name;
    EXPECT_EQ(find_setting(setting.name), &setting);
    RunConfig config;
    const std::string standard = setting.get(config);
    EXPECT_TRUE(setting.set(config, standard).ok()) << setting.name << "=" << standard;
    EXPECT_EQ(setting.get(config), standard) << setting.name;
  }
  EXPECT_EQ(find_setting("epoch"), nullptr);
}

// Every setting holds what it is given, and no two settings share a member.
TEST(Settings, ReachTheirOwnMember) {
  const std::map<std::string_view, std::string> samples = {{"model", "mlp"},
                                                           {"input", "3x8x8"},
                                                           {"fold", "1/5"},
                                                           {"data", "mnist"},
                                                           {"strategy", "sync"},
                                                           {"augment", "flip"},
                                                           {"optimizer", "adam"},
                                                           {"epochs", "3"},
                                                           {"schedule", "step:0.1@3"},
                                                           {"layout", "plain"},
                                                           {"kernels", "conv1=reference"},
                                                           {"conv_algorithm", "conv1=fft"},
                                                           {"error_limit", "2.5"},
                                                           {"tune", "off"},
                                                           {"recompute", "sqrt"},
                                                           {"precision", "bf16"},
                                                           {"batch", "7"},
                                                           {"learning_rate", "0.125"}};
  for (const Setting& setting : settings()) {
    RunConfig config;
    std::string text;
    switch (setting.type) {
      case ValueType::boolean:
        text = setting.get(config) == "true" ? "false" : "true";
        break;
      case ValueType::integer:
        text = "5";
        break;
      case ValueType::real:
        text = "0.25";
        break;
      case ValueType::text:
        text = "somewhere";
        break;
      case ValueType::size:
        text = "16M";
        break;
    }
    if (const auto sample = samples.find(setting.name); sample != samples.end()) text = sample->second;
    const base::Verdict verdict = setting.set(config, text);
    ASSERT_TRUE(verdict.ok()) << setting.name << " " << (verdict.ok() ? "" : verdict.reason().text);
    EXPECT_EQ(setting.get(config), text) << setting.name;
    for (const Setting& other : settings()) {
      if (&other == &setting) continue;
      EXPECT_EQ(other.get(config), other.get(RunConfig())) << setting.name << " changes " << other.name;
    }
  }
}

TEST_F(ConfigFile, PrecedenceIsFlagEnvironmentFileDefault) {
  const std::string file = write("[train]\nepochs = 2\nbatch = 3\nseed = 4\nlearning_rate = 1\n");
  const auto environment = [](const char* variable) -> const char* {
    const std::string_view name = variable;
    if (name == "CONVOY_BATCH") return "30";
    if (name == "CONVOY_SEED") return "40";
    if (name == "CONVOY_DATA_DIR") return "";
    return nullptr;
  };
  const ResolvedConfig resolved = resolve_config(file, {{"seed", "400"}}, environment);
  EXPECT_EQ(resolved.config.momentum, 0.9);
  EXPECT_EQ(resolved.origins.at("momentum"), Origin::standard);
  EXPECT_EQ(resolved.config.epochs, 2);
  EXPECT_EQ(resolved.origins.at("epochs"), Origin::file);
  EXPECT_EQ(resolved.config.learning_rate, 1);
  EXPECT_EQ(resolved.config.batch, 30);
  EXPECT_EQ(resolved.origins.at("batch"), Origin::environment);
  EXPECT_EQ(resolved.config.seed, 400u);
  EXPECT_EQ(resolved.origins.at("seed"), Origin::flag);
  EXPECT_EQ(resolved.origins.at("data_dir"), Origin::standard);
}

TEST_F(ConfigFile, UnknownKeysNameThePlaceAndTheNearest) {
  EXPECT_TRUE(refusal("[train]\nepochs = 1\nlearning_rat = 0.1\n")
                  .ends_with("run.toml:3:1: unknown key 'train.learning_rat'; did you mean "
                             "'train.learning_rate'?"))
      << refusal("[train]\nlearning_rat = 0.1\n");
  EXPECT_TRUE(refusal("[model]\nepochs = 1\n").ends_with("; 'epochs' belongs in section [train]"));
  EXPECT_TRUE(refusal("epochs = 1\n").ends_with("; 'epochs' belongs in section [train]"));
  EXPECT_TRUE(refusal("[trian]\nxyzzy = 1\n").ends_with("unknown key 'trian.xyzzy'; did you mean 'train'?"));
  EXPECT_TRUE(refusal("[train]\nxyzzy = 1\n").ends_with("unknown key 'train.xyzzy'"));
  EXPECT_TRUE(refusal("[train.deep]\nepochs = 1\n").find("unknown key 'train.deep.epochs'") !=
              std::string::npos);
}

TEST_F(ConfigFile, WrongTypesAndRangesNameThePlace) {
  EXPECT_TRUE(refusal("[train]\nepochs = \"3\"\n").ends_with(":2:1: 'train.epochs' must be a whole number"));
  EXPECT_TRUE(refusal("[train]\nepochs = 1.5\n").ends_with("'train.epochs' must be a whole number"));
  EXPECT_TRUE(refusal("[train]\nmomentum = true\n").ends_with("'train.momentum' must be a number"));
  EXPECT_TRUE(refusal("[train]\nmomentum = nan\n").ends_with("'train.momentum' must be a number, not 'nan'"));
  EXPECT_TRUE(refusal("[execution]\nfuse = 1\n").ends_with("'execution.fuse' must be true or false"));
  EXPECT_TRUE(refusal("[model]\nmodel = 5\n").ends_with("'model.model' must be a text in quotes"));
  EXPECT_TRUE(refusal("[train]\nepochs = 0\n").ends_with(":2:1: 'train.epochs' must be at least 1, not '0'"));
  EXPECT_NE(refusal("[train]\nepochs = \n").find("run.toml:2"), std::string::npos);
}

TEST_F(ConfigFile, AMissingFileIsBadInput) {
  EXPECT_THROW(resolve_config(directory_.path() + "/none.toml", {}, nothing), base::InputError);
}

TEST_F(ConfigFile, ListsOfTextsJoin) {
  const std::string file = write("[execution]\nkernels = [\"conv1=reference\", \"*=onednn\"]\n");
  EXPECT_EQ(resolve_config(file, {}, nothing).config.kernels, "conv1=reference,*=onednn");
}

TEST(Flags, BadValuesAreRefused) {
  const std::map<std::string, std::vector<std::string>> bad = {
      {"epochs", {"0", "-1", "x", "", "1.5", "1e3", " 1", "1 ", "99999999999999999999", "+1"}},
      {"batch", {"0", "16777217"}},
      {"steps", {"-1"}},
      {"seed", {"-1", "9223372036854775808"}},
      {"learning_rate", {"0", "-0.1", "nan", "inf", "", "0.1x", "1e999"}},
      {"momentum", {"1", "-0.1", "1.5"}},
      {"weight_decay", {"-1e-9"}},
      {"beta2", {"1"}},
      {"optimizer", {"momentun", ""}},
      {"schedule", {"", "cosin", "step:2"}},
      {"augment", {"crop", "spin=3"}},
      {"kernels", {"conv1", "=reference", "conv1=", "a=b,", ",a=b"}},
      {"conv_algorithm", {"conv1", "=fft", "conv1=", "a=b,", ",a=b"}},
      {"workspace_limit", {"-1", "16MB", "M", "1.5M", "", "16m", "2000000G", "9223372036854775807"}},
      {"error_limit", {"0.5", "-1", "nan", ""}},
      {"tune", {"", "on", "true"}},
      {"precision", {"", "half", "fp16", "BF16"}},
      {"layout", {"nchw", ""}},
      {"strategy", {"async", ""}},
      {"threads", {"-1", "4097"}},
      {"fuse", {"", "yes", "1"}},
      {"model", {""}},
      {"width", {"0", "-1", "nan", "wide"}},
      {"depth", {"-1", "20.5", "10001"}},
      {"classes", {"-1", "ten"}},
      {"input",
       {"x", "3x", "x3", "3x0x8", "3X8X8", "3x-8x8", "3 x8x8", "1x1x1x1x1x1", "3x99999999", "+3x8x8"}},
      {"output", {"a\nb"}},
      {"resume", {""}},
      {"keep_last", {"0"}},
  };
  for (const auto& [name, texts] : bad)
    for (const std::string& text : texts) EXPECT_NE(flag_refusal({{name, text}}), "") << name << "=" << text;
  EXPECT_EQ(flag_refusal({{"learning_rate", "0"}}), "--learning-rate must be above 0, not '0'");
  EXPECT_EQ(
      flag_refusal({{"optimizer", "adamm"}}),
      "--optimizer must be one of sgd, momentum, nesterov, adagrad, rmsprop, adam, not 'adamm'; did you "
      "mean 'adam'?");
  EXPECT_EQ(flag_refusal({{"learning_rat", "1"}}),
            "unknown setting '--learning-rat'; did you mean '--learning-rate'?");
}

TEST_F(ConfigFile, SizesHaveUnits) {
  const auto bytes = [](const std::string& text) {
    return resolve_config("", {{"workspace_limit", text}}, nothing).config.workspace_limit;
  };
  EXPECT_EQ(bytes("0"), 0);
  EXPECT_EQ(bytes("1000"), 1000);
  EXPECT_EQ(bytes("3K"), 3 << 10);
  EXPECT_EQ(bytes("16M"), 16 << 20);
  EXPECT_EQ(bytes("2G"), std::int64_t{2} << 30);
  const auto printed = [](const std::string& text) {
    return find_setting("workspace_limit")
        ->get(resolve_config("", {{"workspace_limit", text}}, nothing).config);
  };
  EXPECT_EQ(printed("16384K"), "16M");
  EXPECT_EQ(printed("1025"), "1025");
  EXPECT_EQ(printed("0"), "0");
  for (const char* toml :
       {"[execution]\nworkspace_limit = \"1M\"\n", "[execution]\nworkspace_limit = 1048576\n"})
    EXPECT_EQ(resolve_config(write(toml), {}, nothing).config.workspace_limit, 1 << 20) << toml;
  EXPECT_NE(refusal("[execution]\nworkspace_limit = true\n").find("16M"), std::string::npos);
}

TEST(Flags, EnvironmentMistakesNameTheVariable) {
  try {
    resolve_config("", {}, [](const char* variable) {
      return std::string_view(variable) == "CONVOY_THREADS" ? "many" : nullptr;
    });
    ADD_FAILURE();
  } catch (const base::UsageError& error) {
    EXPECT_STREQ(error.what(), "CONVOY_THREADS must be a whole number, not 'many'");
  }
}

TEST_F(ConfigFile, TomlReadsBackToTheSameConfig) {
  const std::map<std::string, std::string> flags = {{"model", "mlp"},
                                                    {"data_dir", "/a \"b\" \\c #d"},
                                                    {"epochs", "3"},
                                                    {"learning_rate", "1e-7"},
                                                    {"weight_decay", "0"},
                                                    {"fuse", "false"},
                                                    {"workspace_limit", "16M"},
                                                    {"replan", "true"},
                                                    {"seed", "9223372036854775807"},
                                                    {"momentum", "0.30000000000000004"}};
  const ResolvedConfig resolved = resolve_config("", flags, nothing);
  for (const bool with_origins : {false, true}) {
    const ResolvedConfig back = resolve_config(write(to_toml(resolved, with_origins)), {}, nothing);
    for (const Setting& setting : settings())
      EXPECT_EQ(setting.get(back.config), setting.get(resolved.config)) << setting.name;
  }
  EXPECT_NE(to_toml(resolved, true).find("# flag\n"), std::string::npos);
  EXPECT_EQ(to_toml(resolved, false).find("# flag\n"), std::string::npos);
}

TEST(Nearest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2);
  EXPECT_EQ(edit_distance("trian", "train"), 1);
  EXPECT_EQ(edit_distance("ca", "abc"), 3);
  EXPECT_EQ(nearest("tran", {"eval", "train", "predict"}), "train");
  EXPECT_EQ(nearest("zzz", {"eval", "train", "predict"}), "");
  EXPECT_EQ(nearest("", {"eval"}), "");
  EXPECT_EQ(suggestion("evall", {"eval", "train"}), "; did you mean 'eval'?");
}

}  // namespace
}  // namespace convoy::run
