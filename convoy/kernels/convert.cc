#include "convoy/kernels/convert.h"

#include <array>
#include <cstring>
#include <span>

#include "convoy/base/threads.h"
#include "convoy/kernels/layout_map.h"
#include "convoy/kernels/onednn/reorder.h"

namespace convoy::kernels {
namespace {

class ReferenceConverter final : public Converter {
 public:
  explicit ReferenceConverter(const Conversion& conversion)
      : shape_(conversion.shape),
        element_bytes_(tensor::size_bytes(conversion.type)),
        from_(conversion.shape, conversion.from),
        to_(conversion.shape, conversion.to) {}

  void run(const void* from, void* to) const noexcept override {
    std::memset(to, 0, static_cast<std::size_t>(to_.count() * element_bytes_));
    if (shape_.count() == 0) return;
    std::array<std::int64_t, LayoutMap::kMaxRank> storage{};
    const std::span<std::int64_t> index(storage.data(), static_cast<std::size_t>(shape_.rank()));
    do {
      std::memcpy(static_cast<std::byte*>(to) + to_.offset(index) * element_bytes_,
                  static_cast<const std::byte*>(from) + from_.offset(index) * element_bytes_,
                  static_cast<std::size_t>(element_bytes_));
    } while (advance(index));
  }

 private:
  // The next index in row-major order; false behind the last.
  bool advance(std::span<std::int64_t> index) const {
    for (int d = shape_.rank() - 1; d >= 0; --d) {
      std::int64_t& i = index[static_cast<std::size_t>(d)];
      if (++i < shape_[d]) return true;
      i = 0;
    }
    return false;
  }

  tensor::Shape shape_;
  std::int64_t element_bytes_;
  LayoutMap from_;
  LayoutMap to_;
};

// Both layouts order this shape alike and need no padding: a copy by the team.
class CopyConverter final : public Converter {
 public:
  explicit CopyConverter(std::int64_t bytes) : bytes_(bytes) {}

  void run(const void* from, void* to) const noexcept override {
    constexpr std::int64_t kGrain_bytes = 1 << 16;  // below this, waking the team costs more than it saves
    base::parallel_for(bytes_, kGrain_bytes, [&](base::IndexRange range) {
      std::memcpy(static_cast<std::byte*>(to) + range.begin,
                  static_cast<const std::byte*>(from) + range.begin, static_cast<std::size_t>(range.size()));
    });
  }

 private:
  std::int64_t bytes_;
};

}  // namespace

std::unique_ptr<Converter> make_reference_converter(const Conversion& conversion) {
  return std::make_unique<ReferenceConverter>(conversion);
}

std::unique_ptr<Converter> make_converter(const Conversion& conversion) {
  // Same order and the same padding: whoever wrote the source has zeroed its padding already.
  if (same_order(conversion.shape, conversion.from, conversion.to))
    return std::make_unique<CopyConverter>(conversion.from.storage_bytes(conversion.shape, conversion.type));
  if (auto fast = onednn::make_reorder(conversion)) return fast;
  return make_reference_converter(conversion);
}

}  // namespace convoy::kernels
