// Any bytes as an IDX file of images and as one of labels.
#include <vector>

#include "convoy/base/error.h"
#include "convoy/data/readers/idx.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = convoy::fuzz::as_file(data, size);
  try {
    const convoy::data::IdxImages images(file);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(images.rows() * images.columns()));
    images.read(0, pixels);
    images.read(images.count() - 1, pixels);
  } catch (const convoy::base::InputError&) {
  }
  try {
    for (const std::uint8_t label : convoy::data::read_idx_labels(*file, 10)) CONVOY_CHECK(label < 10);
  } catch (const convoy::base::InputError&) {
  }
  return 0;
}
