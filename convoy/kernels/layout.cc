#include "convoy/kernels/layout.h"

#include <algorithm>
#include <optional>

#include "convoy/base/check.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels {
namespace {

constexpr std::string_view kPlain = "plain";

// Together they keep every position within 2^60. The largest block of today's libraries has 4,096 elements.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;
constexpr std::int64_t kMaxBlock = std::int64_t{1} << 12;

// What a tag says, independent of sizes.
struct Parsed {
  std::int64_t groups = 0;  // 0: none stated
  std::vector<int> order;   // dimensions, outermost first
  std::vector<LayoutMap::Block> blocks;
  std::string problem;  // why this is no tag; empty: it is one
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// Reads a number of at most six digits at `at` and moves behind it; 0 when there is none.
std::int64_t read_number(std::string_view text, std::size_t& at) {
  std::int64_t number = 0;
  for (int digits = 0; at < text.size() && is_digit(text[at]) && digits < 6; ++digits)
    number = number * 10 + (text[at++] - '0');
  return number;
}

// "g2:" in front: dimension 0 is split into that many groups, which are the tag's first letter.
void read_groups(std::string_view tag, std::size_t& at, Parsed& parsed) {
  if (tag.size() < 2 || tag[0] != 'g' || !is_digit(tag[1])) return;
  at = 1;
  parsed.groups = read_number(tag, at);
  if (parsed.groups < 1 || at >= tag.size() || tag[at] != ':')
    parsed.problem = "a group count reads like \"g2:\"";
  else
    ++at;
}

void read_order(std::string_view tag, std::size_t& at, int rank, Parsed& parsed, std::vector<bool>& split) {
  std::vector<bool> seen(static_cast<std::size_t>(rank), false);
  for (; at < tag.size() && (is_lower(tag[at]) || is_upper(tag[at])); ++at) {
    const int dimension = is_upper(tag[at]) ? tag[at] - 'A' : tag[at] - 'a';
    if (dimension >= rank) {
      parsed.problem = std::string("dimension ") + tag[at] + " is beyond rank " + std::to_string(rank);
      return;
    }
    const auto d = static_cast<std::size_t>(dimension);
    if (seen[d]) {
      parsed.problem = std::string("dimension ") + tag[at] + " occurs twice";
      return;
    }
    seen[d] = true;
    split[d] = is_upper(tag[at]);
    parsed.order.push_back(dimension);
  }
  if (static_cast<int>(parsed.order.size()) != rank)
    parsed.problem =
        "it names " + std::to_string(parsed.order.size()) + " of " + std::to_string(rank) + " dimensions";
}

void read_blocks(std::string_view tag, std::size_t& at, int rank, Parsed& parsed,
                 const std::vector<bool>& split) {
  std::vector<bool> blocked(static_cast<std::size_t>(rank), false);
  std::int64_t elements = 1;
  while (at < tag.size()) {
    const std::int64_t size = read_number(tag, at);
    if (size < 2 || at >= tag.size() || !is_lower(tag[at]) || tag[at] - 'a' >= rank) {
      parsed.problem = "an inner block reads like \"16b\", its size at least 2";
      return;
    }
    const int dimension = tag[at++] - 'a';
    elements *= size;  // both below 2^20
    if (elements > kMaxBlock) {
      parsed.problem = "its inner blocks have more than " + std::to_string(kMaxBlock) + " elements";
      return;
    }
    blocked[static_cast<std::size_t>(dimension)] = true;
    parsed.blocks.push_back({dimension, size});
  }
  if (blocked != split) parsed.problem = "capital letters and inner blocks name different dimensions";
}

Parsed parse_tag(std::string_view tag, int shape_rank) {
  Parsed parsed;
  std::size_t at = 0;
  read_groups(tag, at, parsed);
  if (!parsed.problem.empty()) return parsed;
  const int rank = shape_rank + (parsed.groups > 0 ? 1 : 0);
  if (rank > LayoutMap::kMaxRank) {
    parsed.problem = "rank " + std::to_string(rank) + " exceeds " + std::to_string(LayoutMap::kMaxRank);
    return parsed;
  }
  std::vector<bool> split(static_cast<std::size_t>(rank), false);
  read_order(tag, at, rank, parsed, split);
  if (parsed.problem.empty()) read_blocks(tag, at, rank, parsed, split);
  return parsed;
}

// Row-major, without inner blocks; groups change nothing then.
bool is_row_major(const Parsed& parsed) {
  return parsed.blocks.empty() && std::is_sorted(parsed.order.begin(), parsed.order.end());
}

Parsed row_major(int rank) {
  Parsed parsed;
  for (int d = 0; d < rank; ++d) parsed.order.push_back(d);
  return parsed;
}

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

base::Result<Layout> Layout::parse(std::string_view tag, int rank) {
  CONVOY_CHECK(rank >= 0, "rank ", rank);
  if (tag == kPlain) return Layout();
  const Parsed parsed = parse_tag(tag, rank);
  if (!parsed.problem.empty())
    return base::Reason{base::str("layout \"", tag, "\" of rank ", rank, ": ", parsed.problem)};
  if (is_row_major(parsed)) return Layout();
  return Layout(std::string(tag));
}

base::Verdict Layout::fits(const tensor::Shape& shape) const {
  if (is_plain()) return {};
  const Parsed parsed = parse_tag(tag_, shape.rank());
  if (!parsed.problem.empty())
    return base::Reason{base::str("layout ", tag_, " for ", shape.str(), ": ", parsed.problem)};
  if (parsed.groups > 0 && shape[0] % parsed.groups != 0)
    return base::Reason{
        base::str("layout ", tag_, " for ", shape.str(), ": the groups do not divide ", shape[0])};
  std::int64_t count = 1;
  for (const std::int64_t size : shape)
    if (__builtin_mul_overflow(count, std::max<std::int64_t>(size, 1), &count) || count > kMaxElements)
      return base::Reason{base::str("layout ", tag_, " for ", shape.str(), ": the array is too large")};
  return {};
}

std::int64_t Layout::storage_count(const tensor::Shape& shape) const {
  return is_plain() ? shape.count() : LayoutMap(shape, *this).count();
}

std::int64_t Layout::offset(const tensor::Shape& shape, std::span<const std::int64_t> index) const {
  return LayoutMap(shape, *this).offset(index);
}

Layout stored_layout(const tensor::Segment& segment) {
  return Layout::parse(segment.layout_tag, segment.global_shape.rank()).value();
}

LayoutMap::LayoutMap(const tensor::Shape& shape, const Layout& layout) : dims_(shape.sizes()) {
  const Parsed parsed = layout.is_plain() ? row_major(shape.rank()) : parse_tag(layout.tag(), shape.rank());
  CONVOY_CHECK(parsed.problem.empty(), layout.tag(), " for ", shape.str(), ": ", parsed.problem);
  CONVOY_CHECK(shape.rank() <= kMaxRank, shape.str());
  if (parsed.groups > 0) {
    CONVOY_CHECK(shape[0] % parsed.groups == 0, layout.tag(), " for ", shape.str());
    groups_ = parsed.groups;
    dims_[0] /= groups_;
    dims_.insert(dims_.begin(), groups_);
  }
  blocks_ = parsed.blocks;
  std::vector<std::int64_t> block(dims_.size(), 1);
  std::int64_t stride = 1;
  for (const Block& b : blocks_) {
    block[static_cast<std::size_t>(b.dimension)] *= b.size;
    stride *= b.size;
  }
  padded_.resize(dims_.size());
  strides_.resize(dims_.size());
  for (auto it = parsed.order.rbegin(); it != parsed.order.rend(); ++it) {
    const auto d = static_cast<std::size_t>(*it);
    padded_[d] = round_up(dims_[d], block[d]);
    strides_[d] = stride;
    stride *= padded_[d] / block[d];
  }
  count_ = stride;
}

std::int64_t LayoutMap::offset(std::span<const std::int64_t> index) const {
  std::int64_t digits[kMaxRank];
  std::size_t d = 0;
  if (dims_.size() != index.size()) {
    CONVOY_CHECK(dims_.size() == index.size() + 1, dims_.size(), " dimensions, ", index.size(),
                 " coordinates");
    digits[0] = index[0] / dims_[1];
    digits[1] = index[0] % dims_[1];
    index = index.subspan(1);
    d = 2;
  }
  std::copy(index.begin(), index.end(), digits + d);
  std::int64_t position = 0, weight = 1;
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
    std::int64_t& rest = digits[block->dimension];
    position += rest % block->size * weight;
    rest /= block->size;
    weight *= block->size;
  }
  for (std::size_t k = 0; k < dims_.size(); ++k) position += digits[k] * strides_[k];
  return position;
}

bool same_order(const tensor::Shape& shape, const Layout& a, const Layout& b) {
  if (a == b) return true;
  const LayoutMap first(shape, a), second(shape, b);
  if (first.count() != second.count()) return false;
  const auto rank = static_cast<std::size_t>(shape.rank());
  std::vector<std::int64_t> index(rank, 0);
  // Offsets are sums of one function a dimension, so equality along each axis is equality everywhere.
  for (std::size_t d = 0; d < rank; ++d) {
    for (index[d] = 0; index[d] < shape[static_cast<int>(d)]; ++index[d])
      if (first.offset(index) != second.offset(index)) return false;
    index[d] = 0;
  }
  return true;
}

Layout canonical(const tensor::Shape& shape, const Layout& layout) {
  return same_order(shape, layout, Layout::plain()) ? Layout::plain() : layout;
}

}  // namespace convoy::kernels
