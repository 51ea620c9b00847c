// Any bytes as a tar archive whose headers are read: entries lie within the archive, one behind the other.
#include "convoy/base/error.h"
#include "convoy/data/tar_format.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = convoy::fuzz::as_file(data, size);
  std::int64_t end = 0;
  try {
    convoy::data::scan_tar(*file, [&](const convoy::data::TarEntry& entry) {
      CONVOY_CHECK(entry.offset_bytes >= end + convoy::data::kTarBlock_bytes, entry.offset_bytes);
      end = entry.offset_bytes + entry.size_bytes;
      CONVOY_CHECK(entry.size_bytes >= 0 && end <= file->size_bytes(), end);
    });
  } catch (const convoy::base::InputError&) {
  }
  return 0;
}
