#include "convoy/io/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "convoy/base/error.h"
#include "convoy/base/rng.h"

namespace convoy::io {
namespace {

std::string problem_of(std::string_view text) {
  try {
    return "parsed as " + parse_json(text, "f.json").dump();
  } catch (const base::InputError& error) {
    return error.what();
  }
}

TEST(Json, PrintsAndParsesEveryKind) {
  Json json = Json::object();
  json.set("null", nullptr).set("yes", true).set("int", -7).set("double", 0.5).set("text", "a\"b\\c\n\x01é");
  json.set("list", Json::Array{1, "two", Json::object(), Json::array()})
      .set("nested", Json::object({{"z", 1}, {"a", 2}}));
  const std::string line =
      R"({"null":null,"yes":true,"int":-7,"double":0.5,"text":"a\"b\\c\n\u0001é","list":[1,"two",{},[]],"nested":{"z":1,"a":2}})";
  EXPECT_EQ(json.dump(), line);
  EXPECT_EQ(parse_json(line, "f"), json);
  EXPECT_EQ(parse_json(json.dump(2), "f"), json);
}

TEST(Json, IndentsWithOneMemberALine) {
  EXPECT_EQ(Json::object({{"a", 1}, {"b", Json::Array{1, 2}}}).dump(2),
            "{\n  \"a\": 1,\n  \"b\": [\n    1,\n    2\n  ]\n}\n");
}

TEST(Json, SetReplaces) {
  Json json = Json::object({{"a", 1}, {"b", 2}});
  json.set("a", 3);
  EXPECT_EQ(json.dump(), R"({"a":3,"b":2})");
  EXPECT_EQ(json.find("c"), nullptr);
}

TEST(Json, DoublesComeBackBitForBit) {
  base::RandomStream random(1, base::Purpose::test, 0, 0);
  for (int i = 0; i < 20000; ++i) {
    const auto bits = random.bits64();
    const auto value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    const Json back = parse_json(Json(value).dump(), "f");
    ASSERT_FALSE(back.is_int64()) << Json(value).dump();
    ASSERT_EQ(std::bit_cast<std::uint64_t>(back.as_double()), bits) << Json(value).dump();
  }
  for (const double value : {0.0, -0.0, 1.0, 1e300, 5e-324, 123456789012345680.0})
    EXPECT_EQ(std::bit_cast<std::uint64_t>(parse_json(Json(value).dump(), "f").as_double()),
              std::bit_cast<std::uint64_t>(value));
}

TEST(Json, IntegersComeBackExactly) {
  for (const std::int64_t value :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{0}, std::numeric_limits<std::int64_t>::max()})
    EXPECT_EQ(parse_json(Json(value).dump(), "f").as_int64(), value);
  constexpr std::uint64_t large = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(Json(large).dump(), "18446744073709551615");
  EXPECT_EQ(parse_json("18446744073709551615", "f").as_uint64(), large);
  EXPECT_TRUE(Json(7u).is_int64());
  EXPECT_TRUE(Json(7).is_uint64());
  EXPECT_FALSE(Json(-7).is_uint64());
}

TEST(Json, NotANumberIsNull) {
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(-std::numeric_limits<double>::infinity()).dump(), "null");
}

TEST(Json, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(Json("a\xff"
                 "b\xc0\xaf"
                 "\xed\xa0\x80"
                 "\xf0\x9f\x9a\x9a")
                .dump(),
            "\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\xef\xbf\xbd"
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
            "\xf0\x9f\x9a\x9a\"");
}

TEST(Json, BadTextIsRefusedWithItsPosition) {
  EXPECT_NE(problem_of(R"({"a": 1,})").find("f.json: bad JSON at byte 8"), std::string::npos)
      << problem_of(R"({"a": 1,})");
  for (const char* text : {"", "{", "[1 2]", "nul", "01", "1.", "\"abc", "\"\x01\"", "\"\xff\"", "{} {}",
                           "[1],", "NaN", "'a'", "{1:2}"})
    EXPECT_NE(problem_of(text).find("f.json: bad JSON at byte"), std::string::npos)
        << text << ": " << problem_of(text);
}

TEST(Json, PositionsCountFromTheBase) {
  try {
    parse_json("[1,]", "f", 100);
    FAIL();
  } catch (const base::InputError& error) {
    EXPECT_NE(std::string(error.what()).find("at byte 103"), std::string::npos) << error.what();
  }
}

TEST(Json, HostileInputIsRefused) {
  EXPECT_NE(problem_of(std::string(1000000, '[')).find("deeper than 64"), std::string::npos);
  std::string objects;
  for (int i = 0; i < 100; ++i) objects += "{\"a\":";
  EXPECT_NE(problem_of(objects).find("deeper than 64"), std::string::npos);
  EXPECT_NE(problem_of(R"({"a":1,"b":2,"a":3})").find("\"a\" comes twice"), std::string::npos);
  EXPECT_NE(problem_of("18446744073709551616").find("out of range"), std::string::npos);
  EXPECT_NE(problem_of("1e999").find("f.json"), std::string::npos);
  EXPECT_EQ(problem_of(std::string(64, '[') + std::string(64, ']')).substr(0, 9), "parsed as");
}

TEST(Json, RequiredMembersAreNamed) {
  const Json json = parse_json(R"({"n":1.5,"i":3,"s":"x","b":false,"a":[],"o":{}})", "m");
  EXPECT_EQ(require_double(json, "n", "m"), 1.5);
  EXPECT_EQ(require_double(json, "i", "m"), 3.0);
  EXPECT_EQ(require_int64(json, "i", "m"), 3);
  EXPECT_EQ(require_uint64(json, "i", "m"), 3u);
  EXPECT_EQ(require_string(json, "s", "m"), "x");
  EXPECT_FALSE(require_bool(json, "b", "m"));
  EXPECT_TRUE(require_array(json, "a", "m").empty());
  EXPECT_TRUE(require_object(json, "o", "m").is_object());
  const auto problem = [&](auto&& get) -> std::string {
    try {
      get();
    } catch (const base::InputError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(problem([&] { require_int64(json, "x", "m"); }), "m: 'x' is missing");
  EXPECT_EQ(problem([&] { require_int64(json, "n", "m"); }), "m: 'n' must be an integer");
  EXPECT_EQ(problem([&] { require_string(json, "n", "m"); }), "m: 'n' must be a string");
  EXPECT_EQ(problem([&] { require_int64(Json(1), "n", "m"); }), "m: a JSON object is expected");
}

}  // namespace
}  // namespace convoy::io
