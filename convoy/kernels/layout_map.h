// A layout bound to a shape: what Layout's tag means in numbers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "convoy/kernels/layout.h"
#include "convoy/tensor/shape.h"

namespace convoy::kernels {

// Position of every element of an array of one shape under one layout. Immutable; cheap to query.
//   offset(i) = sum over d of outer(i_d) strides[d] + sum over inner blocks b of digit_b(i) weight_b
// where the digits of i_d in the mixed radix of its blocks are taken from the innermost outwards.
class LayoutMap {
 public:
  static constexpr int kMaxRank = 12;

  // One inner block of a dimension; listed outermost first, as in the tag.
  struct Block {
    int dimension = 0;
    std::int64_t size = 1;
  };

  // Requires a layout that fits the shape's rank and groups that divide dimension 0.
  LayoutMap(const tensor::Shape& shape, const Layout& layout);

  // The array's own sizes; with groups, dimension 0 stands split in two: {groups, sizes[0] / groups, …}.
  const std::vector<std::int64_t>& dims() const { return dims_; }
  const std::vector<std::int64_t>& padded_dims() const { return padded_; }
  const std::vector<std::int64_t>& strides() const { return strides_; }  // of whole blocks, in elements
  const std::vector<Block>& blocks() const { return blocks_; }
  std::int64_t groups() const { return groups_; }
  std::int64_t count() const { return count_; }  // elements of storage, padding included

  // `index` has the shape's own rank. Allocates nothing.
  std::int64_t offset(std::span<const std::int64_t> index) const;

 private:
  std::vector<std::int64_t> dims_;
  std::vector<std::int64_t> padded_;
  std::vector<std::int64_t> strides_;
  std::vector<Block> blocks_;
  std::int64_t groups_ = 1;
  std::int64_t count_ = 0;
};

// True when both layouts put every element of this shape at the same place and need no padding beyond each
// other's: a conversion would be a copy.
bool same_order(const tensor::Shape& shape, const Layout& a, const Layout& b);

// Plain when the layout orders this shape exactly as plain does ("acdb" of one channel, say), else itself.
// Kernels state canonical layouts, so that no conversion is planned where none is needed.
Layout canonical(const tensor::Shape& shape, const Layout& layout);

}  // namespace convoy::kernels
