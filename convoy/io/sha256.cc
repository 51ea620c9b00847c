#include "convoy/io/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/io/file.h"

namespace convoy::io {

struct Sha256::State {
  struct Free {
    void operator()(EVP_MD_CTX* pointer) const { EVP_MD_CTX_free(pointer); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  CONVOY_CHECK(
      state_->context != nullptr && EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1,
      "OpenSSL offers no SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  CONVOY_CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish_hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  CONVOY_CHECK(EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 sum;
  sum.update(bytes);
  return sum.finish_hex();
}

std::string sha256_file(const std::string& path) {
  const auto file = open_file(path);
  Sha256 sum;
  std::vector<std::byte> piece(std::size_t{1} << 18);
  for (std::int64_t offset = 0; offset < file->size_bytes();) {
    const std::int64_t bytes = std::min<std::int64_t>(file->size_bytes() - offset, std::ssize(piece));
    const std::span<std::byte> part = std::span(piece).first(static_cast<std::size_t>(bytes));
    file->read_at(offset, part);
    sum.update(part);
    offset += bytes;
  }
  return sum.finish_hex();
}

}  // namespace convoy::io
