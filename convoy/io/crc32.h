// CRC-32, the checksum of gzip and PNG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace convoy::io {

// Of all bytes; 0 of none. Fast enough to be taken at every read: it finds damage, not intent.
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace convoy::io
