// SHA-256 checksums, as checkpoints and downloads carry them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace convoy::io {

// The checksum of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  // 64 lower-case hexadecimal digits; nothing may be added afterwards.
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::span<const std::byte> bytes);
// Reads the file once, a piece at a time. Throws InputError.
std::string sha256_file(const std::string& path);

}  // namespace convoy::io
