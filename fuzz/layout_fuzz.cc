// A rank, sizes and a tag. On an accepted tag every element of a small array has a place of its own within
// the storage; on sizes beyond any array the layout is asked whether it fits and how much it takes.
#include "convoy/kernels/layout.h"

#include <algorithm>

#include "fuzz/fuzz_input.h"

namespace {

using convoy::kernels::Layout;
using convoy::tensor::Shape;

void check_places(const Layout& layout, const Shape& shape) {
  if (!layout.fits(shape)) return;
  const std::int64_t storage = layout.storage_count(shape);
  if (storage > 1 << 16) return;
  std::vector<bool> taken(static_cast<std::size_t>(storage), false);
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()), 0);
  for (std::int64_t element = 0; element < shape.count(); ++element) {
    std::int64_t rest = element;
    for (std::size_t d = index.size(); d-- > 0;) {
      index[d] = rest % shape[static_cast<int>(d)];
      rest /= shape[static_cast<int>(d)];
    }
    const std::int64_t place = layout.offset(shape, index);
    CONVOY_CHECK(place >= 0 && place < storage, layout.tag(), " ", shape.str(), " ", element);
    CONVOY_CHECK(!taken[static_cast<std::size_t>(place)], layout.tag(), " ", shape.str(), " ", element);
    taken[static_cast<std::size_t>(place)] = true;
  }
}

void check_large(const Layout& layout, int rank) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank), 1);
  for (std::int64_t& size : sizes) {
    size = std::int64_t{1} << 47;
    const Shape shape(sizes);
    if (layout.fits(shape)) CONVOY_CHECK(layout.storage_count(shape) >= shape.count(), layout.tag());
    size = 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const int rank = data[0] % 7;
  if (size < 1 + static_cast<std::size_t>(rank)) return 0;
  std::vector<std::int64_t> sizes;
  for (int d = 0; d < rank; ++d) sizes.push_back(data[1 + d] % 9);
  const std::string_view tag = convoy::fuzz::as_text(data, size).substr(1 + static_cast<std::size_t>(rank));
  const auto layout = Layout::parse(tag, rank);
  if (!layout) return 0;
  const auto back = Layout::parse(layout->tag(), rank);
  CONVOY_CHECK(back.ok() && *back == *layout, tag);
  check_places(*layout, Shape(sizes));
  check_large(*layout, rank);
  return 0;
}
