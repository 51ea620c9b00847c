#include "convoy/tensor/view.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace convoy::tensor {
namespace {
constexpr std::int64_t kHugePage_bytes = std::int64_t{2} << 20;
}  // namespace

Buffer::Buffer(std::int64_t bytes) : bytes_(bytes) {
  CONVOY_CHECK(bytes >= 0, "bytes = ", bytes);
  if (bytes == 0) return;
  const bool huge = bytes >= 2 * kHugePage_bytes;
  const std::int64_t alignment = huge ? kHugePage_bytes : kAlignment_bytes;
  const std::int64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* pointer = std::aligned_alloc(static_cast<std::size_t>(alignment), static_cast<std::size_t>(rounded));
  if (pointer == nullptr) throw std::bad_alloc();
  if (huge) ::madvise(pointer, static_cast<std::size_t>(rounded), MADV_HUGEPAGE);  // advice: may fail
  data_.reset(static_cast<std::byte*>(pointer));
}

void Buffer::Free::operator()(std::byte* pointer) const { std::free(pointer); }

void Tensor::fill_zero() {
  if (buffer_.bytes() > 0) std::memset(buffer_.data(), 0, static_cast<std::size_t>(buffer_.bytes()));
}

Tensor Tensor::clone() const {
  Tensor copy(type_, shape_);
  if (buffer_.bytes() > 0)
    std::memcpy(copy.buffer_.data(), buffer_.data(), static_cast<std::size_t>(buffer_.bytes()));
  return copy;
}

}  // namespace convoy::tensor
