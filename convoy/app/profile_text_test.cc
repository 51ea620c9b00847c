#include "convoy/app/profile_text.h"

#include <gtest/gtest.h>

#include "convoy/base/check.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::app {
namespace {

run::ProfileReport small_profile() {
  run::ProfileReport profile{.first_step = 11, .steps = 20, .step_seconds = 0.010};
  profile.machine.f32_flops = 100e9;
  profile.rows = {{.layer = "conv1",
                   .direction = "forward + relu",
                   .kernel = "winograd:f4/blocked",
                   .seconds = 0.005,
                   .flops = 4e8,
                   .bytes = 2048},
                  {.layer = "conv1",
                   .direction = "backward_weights",
                   .kernel = "direct/blocked",
                   .seconds = 0.002,
                   .flops = 1e8},
                  {.layer = "pool1", .direction = "gradient sum", .seconds = 0.001, .bytes = 1 << 20}};
  profile.others = {{.direction = "conversions", .seconds = 0.0005, .bytes = 512},
                    {.direction = "data wait", .seconds = 0.0013}};
  profile.timeline = {.tracks = {"training thread"},
                      .events = {{.name = "step 11", .category = "step", .begin = 1, .end = 2}}};
  return profile;
}

TEST(ProfileText, IsATableWithItsSum) {
  EXPECT_EQ(profile_text(small_profile()),
            "profile: steps 11 to 30, 10.000 ms a step; peak 100.0 GFLOP/s, 1 thread\n"
            "layer  direction         kernel                  ms   share  GFLOP/s  of peak    bytes\n"
            "──────────────────────────────────────────────────────────────────────────────────────\n"
            "conv1  forward + relu    winograd:f4/blocked  5.000  50.0 %     80.0     80 %  2.0 KiB\n"
            "conv1  backward_weights  direct/blocked       2.000  20.0 %     50.0     50 %\n"
            "pool1  gradient sum                           1.000  10.0 %                    1.0 MiB\n"
            "──────────────────────────────────────────────────────────────────────────────────────\n"
            "       conversions                            0.500   5.0 %                      512 B\n"
            "       data wait                              1.300  13.0 %\n"
            "──────────────────────────────────────────────────────────────────────────────────────\n"
            "       sum                                    9.800  98.0 %     51.0     51 %\n"
            "the sum is 98.00 % of the step\n");
}

TEST(ProfileText, ManyRowsEndInOneForTheRest) {
  const std::string text = profile_text(small_profile(), 1);
  EXPECT_NE(text.find("\n2 more"), std::string::npos) << text;
  EXPECT_NE(text.find("3.000  30.0 %     33.3     33 %"), std::string::npos) << text;
  EXPECT_NE(text.find("sum                                  9.800  98.0 %"), std::string::npos) << text;
}

TEST(ProfileText, SaysWhereThereIsNone) {
  EXPECT_EQ(profile_text({}), "profile: none, the run ended before its warm-up was over\n");
  EXPECT_EQ(write_profile_trace({}, {}), "");
}

TEST(ProfileText, JsonHasEveryRowAndNullForWhatIsNot) {
  const io::Json rows = profile_rows_json(small_profile());
  ASSERT_EQ(rows.as_array().size(), 5u);
  const io::Json &first = rows.as_array()[0], &last = rows.as_array()[4];
  EXPECT_EQ(io::require_string(first, "layer", "json"), "conv1");
  EXPECT_DOUBLE_EQ(io::require_double(first, "gflops_per_second", "json"), 80);
  EXPECT_DOUBLE_EQ(io::require_double(first, "peak_share", "json"), 0.8);
  for (const char* name : {"layer", "kernel", "gflops_per_second", "peak_share", "bytes"})
    EXPECT_TRUE(last.find(name)->is_null()) << name;
  EXPECT_DOUBLE_EQ(io::require_double(last, "share", "json"), 0.13);
  EXPECT_DOUBLE_EQ(io::require_double(profile_summary_json(small_profile()), "explained_share", "json"),
                   0.98);
}

TEST(ProfileText, WritesTheTraceIntoTheRunDirectory) {
  const io::TemporaryDirectory directory;
  run::Prelude prelude;
  prelude.run_directory = directory.file("run");
  prelude.model = "lenet5";
  const std::string path = write_profile_trace(prelude, small_profile());
  EXPECT_EQ(path, directory.file("run/trace/step-000000011.json"));
  EXPECT_EQ(io::require_string(*io::read_json(path).find("otherData"), "model", path), "lenet5");
}

}  // namespace
}  // namespace convoy::app
