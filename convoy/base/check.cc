#include "convoy/base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace convoy::base {
namespace {
std::atomic<int> rank_of_process{0};
}  // namespace

void set_process_rank(int rank) { rank_of_process.store(rank, std::memory_order_relaxed); }
int process_rank() { return rank_of_process.load(std::memory_order_relaxed); }

void bug(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "convoy: bug on rank %d at %s:%d: %s%s%s\n", process_rank(), file, line, condition,
               message.empty() ? "" : ": ", message.c_str());
  std::abort();
}

}  // namespace convoy::base
