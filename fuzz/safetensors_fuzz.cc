// Any bytes as a safetensors file; whatever is accepted must be readable to the last byte.
#include "convoy/io/safetensors.h"

#include "convoy/base/error.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const convoy::io::SafetensorsReader reader(convoy::fuzz::as_file(data, size));
    std::int64_t total_bytes = 0;
    for (const convoy::io::StoredTensor& stored : reader.tensors()) {
      CONVOY_CHECK(reader.find(stored.name) == &stored);
      total_bytes += reader.read(stored).view().bytes();
    }
    CONVOY_CHECK(total_bytes <= static_cast<std::int64_t>(size));
  } catch (const convoy::base::InputError&) {
  }
  return 0;
}
