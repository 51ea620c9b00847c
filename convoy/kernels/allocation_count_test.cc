// Counts what a kernel's call allocates, the libraries it calls included. In its own file, so that no
// compiler sees a pair of new and free.
#include <atomic>
#include <cstdlib>
#include <new>

#include "convoy/kernels/kernel_tester.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CONVOY_COUNT_BY_HOOK
#include <sanitizer/allocator_interface.h>
#endif
#endif

namespace {
std::atomic<std::int64_t> allocations{0};
}  // namespace

#ifdef CONVOY_COUNT_BY_HOOK

// ThreadSanitizer has operators of its own, which no program may replace, and tells of each call instead.
namespace convoy::kernels {

std::int64_t allocation_count() {
  [[maybe_unused]] static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, std::size_t) { allocations.fetch_add(1, std::memory_order_relaxed); },
      [](const volatile void*) {});
  return allocations.load();
}

int largest_silent_team() { return 1; }

}  // namespace convoy::kernels

#else

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  if (void* pointer = operator new(size, std::nothrow)) return pointer;
  throw std::bad_alloc();
}
void operator delete(void* pointer) noexcept { std::free(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { std::free(pointer); }

namespace convoy::kernels {

std::int64_t allocation_count() { return allocations.load(); }

int largest_silent_team() { return 2; }

}  // namespace convoy::kernels

#endif
