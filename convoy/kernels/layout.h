// The physical order of a dense array's elements, as a printable value.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "convoy/base/result.h"
#include "convoy/tensor/dtype.h"
#include "convoy/tensor/param_layout.h"
#include "convoy/tensor/shape.h"

namespace convoy::kernels {

// A tag in oneDNN's notation: one letter a dimension, outermost first; a capital letter is a dimension that
// is also split into inner blocks, listed behind: "abcd" is NCHW, "acdb" NHWC, "aBcd16b" NChw16c,
// "ABcd16b16a" OIhw16i16o. "plain" is row-major in any rank. A blocked dimension is padded to a multiple of
// its block; whoever writes the array writes zeros there.
class Layout {
 public:
  Layout() : tag_("plain") {}
  static Layout plain() { return {}; }
  // Refuses what is no layout of `rank` dimensions.
  static base::Result<Layout> parse(std::string_view tag, int rank);

  const std::string& tag() const { return tag_; }
  bool is_plain() const { return tag_ == "plain"; }

  // Whether arrays of this shape can lie in this layout: refuses another rank, groups that do not divide
  // dimension 0, and more than 2^48 elements. Everything below requires it.
  base::Verdict fits(const tensor::Shape& shape) const;

  // Elements of storage, padding included.
  std::int64_t storage_count(const tensor::Shape& shape) const;
  std::int64_t storage_bytes(const tensor::Shape& shape, tensor::DType type) const {
    return storage_count(shape) * tensor::size_bytes(type);
  }
  // Position of the element with these coordinates within the storage.
  std::int64_t offset(const tensor::Shape& shape, std::span<const std::int64_t> index) const;

  friend bool operator==(const Layout&, const Layout&) = default;

 private:
  explicit Layout(std::string tag) : tag_(std::move(tag)) {}
  std::string tag_;
};

// How an arena stores a segment: what its layout_tag says. Requires a tag that is a layout of the segment.
Layout stored_layout(const tensor::Segment& segment);

}  // namespace convoy::kernels
