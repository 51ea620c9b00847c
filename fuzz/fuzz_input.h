// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "convoy/base/check.h"
#include "convoy/io/file.h"

namespace convoy::fuzz {

inline std::span<const std::byte> as_bytes(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The input as a file; the bytes must outlive it.
inline std::shared_ptr<const io::RandomAccessFile> as_file(const std::uint8_t* data, std::size_t size) {
  return io::make_memory_file(as_bytes(data, size), "input");
}

}  // namespace convoy::fuzz
