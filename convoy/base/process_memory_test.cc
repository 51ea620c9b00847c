#include "convoy/base/process_memory.h"

#include <gtest/gtest.h>

#include <memory>

namespace convoy::base {
namespace {

TEST(PeakMemory, GrowsWithWhatIsTouched) {
  const std::int64_t before = peak_memory_bytes();
  ASSERT_GT(before, 0);
  constexpr std::size_t kBytes = 256 << 20;
  const std::unique_ptr<char[]> block = std::make_unique<char[]>(kBytes);
  volatile char* touched = block.get();
  for (std::size_t i = 0; i < kBytes; i += 4096) touched[i] = 1;
  EXPECT_GE(peak_memory_bytes() - before, static_cast<std::int64_t>(kBytes / 2));
}

}  // namespace
}  // namespace convoy::base
