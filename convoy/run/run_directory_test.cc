#include "convoy/run/run_directory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::run {
namespace {

io::Json row(int step) { return io::Json::object({{"step", step}, {"loss", 1.5}}); }

TEST(RunDirectory, IsMadeAndHoldsNoRunAtFirst) {
  const io::TemporaryDirectory temporary;
  const RunDirectory directory(temporary.file("a/b"));
  EXPECT_TRUE(std::filesystem::is_directory(temporary.file("a/b")));
  EXPECT_FALSE(directory.holds_a_run());
  EXPECT_EQ(directory.latest_checkpoint(), std::nullopt);
}

TEST(RunDirectory, KnowsARunByAnyOfItsFiles) {
  const io::TemporaryDirectory temporary;
  {
    const RunDirectory directory(temporary.file("config"));
    directory.write_config("[train]\n");
    EXPECT_TRUE(directory.holds_a_run());
    EXPECT_EQ(io::read_file(temporary.file("config/config.toml")), "[train]\n");
  }
  const RunDirectory directory(temporary.file("metrics"));
  directory.append_metrics(row(1));
  EXPECT_TRUE(directory.holds_a_run());
}

TEST(RunDirectory, BelongsToOneAtATime) {
  const io::TemporaryDirectory temporary;
  const std::string path = temporary.file("run");
  {
    const RunDirectory first(path);
    EXPECT_THROW(RunDirectory second(path), base::UsageError);
  }
  EXPECT_NO_THROW(RunDirectory third(path));
}

TEST(RunDirectory, RefusesAFileInItsPlace) {
  const io::TemporaryDirectory temporary;
  EXPECT_THROW(RunDirectory directory(temporary.write("file", "x")), base::Error);
  EXPECT_EQ(io::read_file(temporary.file("file")), "x");
}

TEST(RunDirectory, AppendsRowsAndTrimsThemToAStep) {
  const io::TemporaryDirectory temporary;
  const RunDirectory directory(temporary.file("run"));
  const std::string path = temporary.file("run/metrics.jsonl");
  directory.trim_metrics(0);  // nothing there: nothing to do
  EXPECT_FALSE(io::file_exists(path));
  for (const int step : {10, 20, 20, 30}) directory.append_metrics(row(step));
  directory.trim_metrics(20);
  const std::string kept = row(10).dump() + "\n" + row(20).dump() + "\n" + row(20).dump() + "\n";
  EXPECT_EQ(io::read_file(path), kept);
  directory.append_metrics(row(21));
  EXPECT_EQ(io::read_file(path), kept + row(21).dump() + "\n");
}

TEST(RunDirectory, DropsTheRowThatAKilledRunCutShort) {
  const io::TemporaryDirectory temporary;
  std::filesystem::create_directory(temporary.file("run"));
  const std::string path = temporary.write("run/metrics.jsonl", row(1).dump() + "\n{\"step\": 2, \"lo");
  RunDirectory(temporary.file("run")).trim_metrics(100);
  EXPECT_EQ(io::read_file(path), row(1).dump() + "\n");
}

TEST(RunDirectory, RefusesMetricsThatAreNone) {
  const io::TemporaryDirectory temporary;
  std::filesystem::create_directory(temporary.file("run"));
  for (const char* text : {"not json\n", "{\"loss\": 1}\n", "[]\n"}) {
    const std::string path = temporary.write("run/metrics.jsonl", text);
    EXPECT_THROW(RunDirectory(temporary.file("run")).trim_metrics(1), base::InputError) << text;
    EXPECT_EQ(io::read_file(path), text);
  }
}

TEST(RunDirectory, TheDefaultNamesModelAndData) {
  const RunConfig config;
  const std::string path = default_run_directory(config);
  EXPECT_TRUE(path.starts_with("runs/lenet5-digits-")) << path;
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace convoy::run
