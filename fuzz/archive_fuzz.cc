// Any bytes as gzip, as xz, and as a tar archive in either or in none.
#include "convoy/io/archive.h"

#include "convoy/base/error.h"
#include "convoy/data/tar.h"
#include "convoy/io/temporary_directory.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using convoy::io::Compression;
  constexpr std::int64_t kMax_bytes = 1 << 20;
  static const convoy::io::TemporaryDirectory directory;  // one for all inputs
  const auto file = convoy::fuzz::as_file(data, size);
  for (const Compression compression : {Compression::none, Compression::gzip, Compression::xz}) {
    std::int64_t total_bytes = 0;
    try {
      convoy::io::unpack(
          *file, compression, [&](std::span<const std::byte> piece) { total_bytes += std::ssize(piece); },
          kMax_bytes);
    } catch (const convoy::base::InputError&) {
      continue;
    }
    CONVOY_CHECK(total_bytes <= kMax_bytes);
    try {
      convoy::data::extract_tar(*file, compression, {"no such entry"}, directory.path());
    } catch (const convoy::base::InputError&) {
    }
  }
  return 0;
}
