// How much memory this process has used.
#pragma once

#include <cstdint>

namespace convoy::base {

// The largest resident set of this process since it began, in bytes; 0 where the system does not say. Unlike
// getrusage's figure it does not start from that of the process that launched it.
std::int64_t peak_memory_bytes();

}  // namespace convoy::base
