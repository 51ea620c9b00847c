#include "convoy/kernels/layout.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "convoy/kernels/layout_map.h"

namespace convoy::kernels {
namespace {

using Index = std::array<std::int64_t, 4>;

Layout layout(std::string_view tag, int rank = 4) { return Layout::parse(tag, rank).value(); }

TEST(Layout, ParsesAndPrintsTags) {
  for (const std::string_view tag : {"acdb", "aBcd16b", "ABcd16b16a", "ABcd8b16a2b", "cdba", "g2:aBCde8b8c"})
    EXPECT_EQ(layout(tag).tag(), tag);
  EXPECT_EQ(layout("aBcde16b", 5).tag(), "aBcde16b");
  EXPECT_EQ(layout("ba", 2).tag(), "ba");
}

TEST(Layout, RowMajorTagsArePlain) {
  EXPECT_TRUE(layout("plain").is_plain());
  EXPECT_TRUE(layout("abcd").is_plain());
  EXPECT_TRUE(layout("g2:abcde").is_plain());
  EXPECT_TRUE(layout("plain", 0).is_plain());
  EXPECT_EQ(layout("abcd"), Layout::plain());
}

TEST(Layout, RefusesWhatIsNoLayoutAndSaysWhy) {
  for (const std::string_view tag :
       {"",         "abc",     "abcde",   "abca",         "abcz",    "aBcd",     "abcd16b",
        "aBcd0b",   "aBcd1b",  "aBcd16",  "aBcd16B",      "aBcd16e", "aBcd16b ", "g:abcde",
        "g0:abcde", "g2abcde", "g2:abcd", "aBcd9999999b", "16b",     "Plain"}) {
    const auto result = Layout::parse(tag, 4);
    ASSERT_FALSE(result.ok()) << tag;
    EXPECT_NE(result.reason().text.find("layout \""), std::string::npos) << result.reason().text;
  }
}

TEST(Layout, OffsetsOfKnownLayouts) {
  const tensor::Shape shape{2, 20, 3, 5};
  const Index index{1, 17, 2, 4};
  EXPECT_EQ(Layout::plain().offset(shape, index), ((1 * 20 + 17) * 3 + 2) * 5 + 4);
  EXPECT_EQ(layout("acdb").offset(shape, index), ((1 * 3 + 2) * 5 + 4) * 20 + 17);
  EXPECT_EQ(layout("aBcd16b").offset(shape, index), (((1 * 2 + 1) * 3 + 2) * 5 + 4) * 16 + 1);
  EXPECT_EQ(layout("aBcd16b").storage_count(shape), 2 * 32 * 3 * 5);
  // OIhw8i16o2i: i = 16 ib + 2 i8 + i2.
  const tensor::Shape weights{16, 32, 1, 1};
  EXPECT_EQ(layout("ABcd8b16a2b").offset(weights, Index{3, 21, 0, 0}), 1 * 256 + 2 * 32 + 3 * 2 + 1);
}

TEST(Layout, GroupsSplitTheFirstDimension) {
  const tensor::Shape shape{6, 4, 1, 1};  // two groups of three filters
  const Layout grouped = layout("g2:aBcde8b");
  EXPECT_EQ(grouped.storage_count(shape), 2 * 8 * 4);
  EXPECT_EQ(grouped.offset(shape, Index{4, 2, 0, 0}), 32 + 2 * 8 + 1);  // group 1, filter 1
}

TEST(Layout, EveryElementHasItsOwnPlace) {
  for (const std::string_view tag : {"plain", "acdb", "dcba", "aBcd16b", "ABcd16b16a", "ABcd8b16a2b",
                                     "aBCd4c8b", "g3:aBCde4b2c", "g3:eabcd"}) {
    const tensor::Shape shape{6, 5, 3, 2};
    const LayoutMap map(shape, layout(tag));
    std::set<std::int64_t> places;
    for (Index i{}; i[0] < shape[0]; ++i[0])
      for (i[1] = 0; i[1] < shape[1]; ++i[1])
        for (i[2] = 0; i[2] < shape[2]; ++i[2])
          for (i[3] = 0; i[3] < shape[3]; ++i[3]) {
            const std::int64_t place = map.offset(i);
            EXPECT_GE(place, 0);
            EXPECT_LT(place, map.count());
            EXPECT_TRUE(places.insert(place).second) << tag;
          }
    EXPECT_EQ(static_cast<std::int64_t>(places.size()), shape.count()) << tag;
  }
}

TEST(Layout, CanonicalIsPlainExactlyWhereTheOrderIs) {
  EXPECT_TRUE(canonical({8, 1, 5, 5}, layout("acdb")).is_plain());
  EXPECT_TRUE(canonical({8, 7, 1, 1}, layout("acdb")).is_plain());
  EXPECT_TRUE(canonical({8, 16, 1, 1}, layout("aBcd16b")).is_plain());
  EXPECT_FALSE(canonical({8, 7, 1, 1}, layout("aBcd16b")).is_plain());  // padded
  EXPECT_FALSE(canonical({8, 2, 5, 1}, layout("acdb")).is_plain());
  EXPECT_TRUE(same_order({4, 3, 1, 2}, layout("acdb"), layout("adcb")));
  EXPECT_FALSE(same_order({4, 3, 2, 2}, layout("acdb"), layout("adcb")));
}

TEST(Layout, FitsSaysWhatCannotLieInIt) {
  EXPECT_TRUE(layout("g3:aBCde4b2c").fits({6, 5, 3, 2}));
  EXPECT_FALSE(layout("g3:aBCde4b2c").fits({7, 5, 3, 2}));  // groups
  EXPECT_FALSE(layout("acdb").fits({7, 5, 3}));             // rank
  constexpr std::int64_t kLarge = std::int64_t{1} << 24;
  EXPECT_TRUE(layout("ABcd64b64a").fits({kLarge, kLarge, 1, 1}));
  EXPECT_EQ(layout("ABcd64b64a").storage_count({kLarge, kLarge, 1, 1}), kLarge * kLarge);
  EXPECT_FALSE(layout("acdb").fits({kLarge, kLarge, 2, 1}));
  EXPECT_FALSE(layout("acdb").fits({0, kLarge, kLarge, 2}));  // strides are computed of an empty one too
}

TEST(Layout, BlocksHaveALargestSize) {
  EXPECT_TRUE(Layout::parse("ABcd64b64a", 4).ok());
  EXPECT_FALSE(Layout::parse("ABcd64b65a", 4).ok());
  EXPECT_FALSE(Layout::parse("Abcd999999a999999a999999a999999a", 4).ok());
}

TEST(Layout, ScalarsArePlain) {
  EXPECT_EQ(Layout::plain().storage_count({}), 1);
  EXPECT_EQ(Layout::plain().offset({}, {}), 0);
}

}  // namespace
}  // namespace convoy::kernels
