#include "convoy/tune/cache_file.h"

#include <gtest/gtest.h>

namespace convoy::tune {
namespace {

CacheContents sample() {
  MachineRecord one{
      .machine = {.cpu = "CPU \"A\"", .isa = "AVX3", .processors = 2, .libraries = {{"oneDNN", "2.6.3"}}}};
  one.ceilings[2] = {.f32_flops = 2e11,
                     .memory_bandwidth = 2e10,
                     .cache_bandwidth = 1e11,
                     .dispatch_seconds = 1.5e-6,
                     .cache_bytes = 1 << 25};
  one.seconds[{"Conv forward x", 1, "fft"}] = 1.0 / 3;
  one.seconds[{"Conv forward x", 1, "winograd:f4"}] = 2;
  one.seconds[{"Conv forward x", 2, "fft"}] = 1e-7;
  one.seconds[{"Conv forward y", 2, "fft"}] = 0.25;
  MachineRecord other{.machine = {.cpu = "B", .isa = "AVX2", .processors = 64, .libraries = {}}};
  return {{one, other}};
}

std::string refusal(const std::string& text) {
  const auto contents = parse_cache(text);
  return contents ? "accepted" : contents.reason().text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(CacheFile, PrintsWhatItReads) {
  const std::string text = print_cache(sample());
  const auto back = parse_cache(text);
  ASSERT_TRUE(back.ok()) << back.reason().text;
  EXPECT_EQ(*back, sample());
  EXPECT_EQ(print_cache(*back), text);
  EXPECT_EQ(*parse_cache(print_cache({})), CacheContents());
}

TEST(CacheFile, RefusesWhatItDoesNotMean) {
  const std::string good = print_cache(sample());
  for (std::size_t length = 0; length + 2 < good.size(); length += 7)
    EXPECT_NE(refusal(good.substr(0, length)), "accepted") << length;
  EXPECT_EQ(refusal(replaced(good, "\"format\": 1", "\"format\": 2")),
            "it has format 2, this Convoy reads 1");
  EXPECT_EQ(refusal(replaced(good, "\"format\"", "\"formal\"")), "'format' is missing");
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"2.0", "-2.0"},
                                                        {"2.0", "0"},
                                                        {"2.0", "1e300"},
                                                        {"2.0", "\"2\""},
                                                        {"0.25", "null"},
                                                        {"\"processors\": 2", "\"processors\": 0"},
                                                        {"\"processors\": 2", "\"processors\": 2.5"},
                                                        {"\"cache_bytes\": 33554432", "\"cache_bytes\": -1"},
                                                        {"\"f32_flops\"", "\"flops\""},
                                                        {"\"2\": {", "\"02\": {"},
                                                        {"\"2\": {", "\"0\": {"},
                                                        {"\"2\": {", "\"99999\": {"},
                                                        {"\"2.6.3\"", "263"},
                                                        {"\"B\"", "null"}})
    EXPECT_NE(refusal(replaced(good, from, to)), "accepted") << from << " → " << to;
  CacheContents twice = sample();
  twice.machines[1].machine = twice.machines[0].machine;
  EXPECT_EQ(refusal(print_cache(twice)), "it lists a machine twice");
}

TEST(CacheFile, KnowsThisMachine) {
  const MachineKey machine = identify_machine();
  EXPECT_EQ(machine, identify_machine());
  EXPECT_FALSE(machine.isa.empty());
  EXPECT_GE(machine.processors, 1);
  for (const char* library : {"Convoy", "oneDNN", "Highway"})
    EXPECT_FALSE(machine.libraries.at(library).empty()) << library;
  MachineKey newer = machine;
  newer.libraries["oneDNN"] = "3.0";
  EXPECT_NE(machine, newer);
  EXPECT_TRUE(machine.same_machine(newer));
  EXPECT_EQ(machine.str().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace convoy::tune
