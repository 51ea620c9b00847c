// Any bytes as a CIFAR-10 batch.
#include <vector>

#include "convoy/base/error.h"
#include "convoy/data/readers/cifar10.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const std::int64_t expected_records : {0, 2}) {
    try {
      const convoy::data::CifarBatch batch(convoy::fuzz::as_file(data, size), expected_records);
      std::vector<std::uint8_t> pixels(3072);
      for (std::int64_t i = 0; i < batch.count(); ++i) {
        const std::int32_t label = batch.read(i, pixels);
        CONVOY_CHECK(label >= 0 && label < 10);
      }
    } catch (const convoy::base::InputError&) {
    }
  }
  return 0;
}
