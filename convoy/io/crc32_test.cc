#include "convoy/io/crc32.h"

#include <gtest/gtest.h>

#include <string_view>

namespace convoy::io {
namespace {

// The check value of the catalogue of parametrised CRC algorithms.
TEST(Crc32, KnownValues) {
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc32(std::as_bytes(std::span(digits))), 0xcbf43926u);
  EXPECT_EQ(crc32({}), 0u);
}

}  // namespace
}  // namespace convoy::io
