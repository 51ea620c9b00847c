#include "convoy/kernels/convert.h"

#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/layout_map.h"
#include "convoy/kernels/onednn/reorder.h"

namespace convoy::kernels {
namespace {

// An offset is a sum of one function a dimension: their values for one layout.
std::vector<std::vector<std::int64_t>> offsets(const tensor::Shape& shape, const LayoutMap& map) {
  std::vector<std::vector<std::int64_t>> tables;
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (int d = 0; d < shape.rank(); ++d) {
    std::int64_t& at = index[static_cast<std::size_t>(d)];
    for (tables.emplace_back(); at < shape[d]; ++at) tables.back().push_back(map.offset(index));
    at = 0;
  }
  return tables;
}

class ReferenceConverter final : public Converter {
 public:
  explicit ReferenceConverter(const Conversion& conversion)
      : shape_(conversion.shape),
        type_(conversion.type),
        to_type_(conversion.to_type()),
        element_bytes_(tensor::size_bytes(conversion.type)) {
    CONVOY_CHECK(std::has_single_bit(static_cast<std::uint64_t>(element_bytes_)) && element_bytes_ <= 8,
                 "elements of ", element_bytes_, " bytes");
    const LayoutMap from(shape_, conversion.from), to(shape_, conversion.to);
    to_bytes_ = to.count() * tensor::size_bytes(to_type_);
    if (shape_.count() == 0) return;
    from_ = offsets(shape_, from);
    to_ = offsets(shape_, to);
  }

  void run(const void* from, void* to) const noexcept override {
    std::memset(to, 0, static_cast<std::size_t>(to_bytes_));
    if (shape_.count() == 0) return;
    if (type_ != to_type_) return round(from, to);
    switch (element_bytes_) {
      case 1:
        return copy<std::uint8_t>(from, to);
      case 2:
        return copy<std::uint16_t>(from, to);
      case 4:
        return copy<std::uint32_t>(from, to);
      default:
        return copy<std::uint64_t>(from, to);
    }
  }

 private:
  void round(const void* from, void* to) const {
    if (to_type_ == tensor::DType::bf16)
      return transform<float, tensor::BFloat16>(from, to, [](float x) { return tensor::to_bf16(x); });
    transform<tensor::BFloat16, float>(from, to, [](tensor::BFloat16 x) { return tensor::to_f32(x); });
  }

  template <class Bits>
  void copy(const void* from, void* to) const {
    transform<Bits, Bits>(from, to, [](Bits x) { return x; });
  }

  template <class From, class To, class Function>
  void transform(const void* from, void* to, const Function& function) const {
    const auto* source = static_cast<const From*>(from);
    auto* target = static_cast<To*>(to);
    if (shape_.rank() == 0) {
      *target = function(*source);
      return;
    }
    std::array<std::int64_t, LayoutMap::kMaxRank> index{};
    const std::vector<std::int64_t>&from_last = from_.back(), &to_last = to_.back();
    do {
      std::int64_t from_base = 0, to_base = 0;
      for (std::size_t d = 0; d + 1 < from_.size(); ++d) {
        from_base += from_[d][static_cast<std::size_t>(index[d])];
        to_base += to_[d][static_cast<std::size_t>(index[d])];
      }
      for (std::size_t i = 0; i < from_last.size(); ++i)
        target[to_base + to_last[i]] = function(source[from_base + from_last[i]]);
    } while (advance(index));
  }

  // The next index of all dimensions but the last, in row-major order; false behind the last.
  bool advance(std::span<std::int64_t> index) const {
    for (int d = shape_.rank() - 2; d >= 0; --d) {
      std::int64_t& i = index[static_cast<std::size_t>(d)];
      if (++i < shape_[d]) return true;
      i = 0;
    }
    return false;
  }

  tensor::Shape shape_;
  tensor::DType type_, to_type_;
  std::int64_t element_bytes_;
  std::int64_t to_bytes_ = 0;
  std::vector<std::vector<std::int64_t>> from_, to_;  // by dimension and index
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
  using tensor::DType;
  const DType from = conversion.type, to = conversion.to_type();
  CONVOY_CHECK(
      from == to || (from == DType::f32 && to == DType::bf16) || (from == DType::bf16 && to == DType::f32),
      "conversion of ", tensor::name(from), " to ", tensor::name(to));
  return std::make_unique<ReferenceConverter>(conversion);
}

std::unique_ptr<Converter> make_converter(const Conversion& conversion) {
  // Same order and the same padding: whoever wrote the source has zeroed its padding already.
  if (conversion.type == conversion.to_type() && same_order(conversion.shape, conversion.from, conversion.to))
    return std::make_unique<CopyConverter>(conversion.from.storage_bytes(conversion.shape, conversion.type));
  if (auto fast = onednn::make_reorder(conversion)) return fast;
  return make_reference_converter(conversion);
}

}  // namespace convoy::kernels
