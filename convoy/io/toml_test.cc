#include "convoy/io/toml.h"

#include <gtest/gtest.h>

#include <cmath>

#include "convoy/base/error.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::io {
namespace {

std::string problem_of(std::string_view text) {
  try {
    parse_toml(text, "run.toml");
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "(no error)";
}

constexpr std::string_view kExample = R"(# a run
seed = 1
[train]
model = "lenet5"
learning_rate = 0.1
nesterov = true
tags = ["a", "b"]
[train.augment]
flip = false
[zebra]
a = 1
)";

TEST(Toml, FlattensInTheOrderOfTheFile) {
  const Config config = parse_toml(kExample, "run.toml");
  std::vector<std::string> keys;
  for (const ConfigEntry& entry : config.entries) keys.push_back(entry.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"seed", "train.model", "train.learning_rate", "train.nesterov",
                                            "train.tags", "train.augment.flip", "zebra.a"}));
  EXPECT_EQ(std::get<std::int64_t>(config.find("seed")->value), 1);
  EXPECT_EQ(std::get<std::string>(config.find("train.model")->value), "lenet5");
  EXPECT_EQ(std::get<double>(config.find("train.learning_rate")->value), 0.1);
  EXPECT_TRUE(std::get<bool>(config.find("train.nesterov")->value));
  EXPECT_EQ(std::get<std::vector<std::string>>(config.find("train.tags")->value),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.find("train"), nullptr);
  EXPECT_EQ(config.place(*config.find("train.augment.flip")), "run.toml:9:1");
}

TEST(Toml, ErrorsNameFileLineAndColumn) {
  EXPECT_EQ(problem_of("a = 1\nb = \n").substr(0, 13), "run.toml:2:5:") << problem_of("a = 1\nb = \n");
  EXPECT_EQ(problem_of("a = 1\na = 2\n").substr(0, 11), "run.toml:2:");
  EXPECT_EQ(problem_of("[x]\nd = 1979-05-27\n").substr(0, 13), "run.toml:2:5:");
  EXPECT_EQ(problem_of("l = [1, 2]").substr(0, 13), "run.toml:1:6:");
  EXPECT_EQ(problem_of("l = [\"a\", 2]").substr(0, 14), "run.toml:1:11:");
  EXPECT_EQ(problem_of("[[x]]\na = 1\n").substr(0, 9), "run.toml:");
  EXPECT_EQ(problem_of("\"a.b\" = 1\n").substr(0, 13), "run.toml:1:1:");
  EXPECT_EQ(problem_of("a = \"\xff\"").substr(0, 9), "run.toml:");
  EXPECT_EQ(problem_of("a = 99999999999999999999").substr(0, 9), "run.toml:");
}

TEST(Toml, HostileNestingIsRefused) {
  EXPECT_NE(problem_of("a = " + std::string(3000, '[')).find("run.toml:1:"), std::string::npos);
  std::string dots = "a";
  for (int i = 0; i < 500000; ++i) dots += ".a";
  EXPECT_EQ(problem_of(dots + " = 1"), "run.toml:1:1: line longer than 4096 bytes");
}

TEST(Toml, PrintedTextReadsBackTheSame) {
  Config config = parse_toml(kExample, "run.toml");
  config.entries.push_back({"x.odd name\"\n", std::string("tab\tquote\" back\\ \x7f é"), 0, 0});
  config.entries.push_back({"train.late", 1e100, 0, 0});
  config.entries.push_back({"top", 3.0, 0, 0});
  config.entries.push_back({"x.none", std::vector<std::string>{}, 0, 0});
  config.entries.push_back({"x.big", std::int64_t{INT64_MIN}, 0, 0});
  const std::string text = print_toml(config);
  const Config back = parse_toml(text, "again");
  ASSERT_EQ(back.entries.size(), config.entries.size()) << text;
  for (const ConfigEntry& entry : config.entries) {
    ASSERT_NE(back.find(entry.key), nullptr) << entry.key << "\n" << text;
    EXPECT_EQ(back.find(entry.key)->value, entry.value) << entry.key;
  }
}

TEST(Toml, MissingFileIsAnInputError) {
  const TemporaryDirectory dir;
  EXPECT_THROW(read_toml(dir.file("none.toml")), base::InputError);
  EXPECT_EQ(read_toml(dir.write("a.toml", "a = 1")).entries.size(), 1u);
}

}  // namespace
}  // namespace convoy::io
