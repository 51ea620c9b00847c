// Sizes of the dimensions of a dense array, outermost first.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace convoy::tensor {

// An image batch is {N, C, spatial…}, a matrix {rows, columns}, a scalar {}. Sizes are >= 0.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes) : sizes_(sizes) { check(); }
  explicit Shape(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) { check(); }

  int rank() const { return static_cast<int>(sizes_.size()); }
  std::int64_t operator[](int dimension) const { return sizes_[static_cast<std::size_t>(dimension)]; }
  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  auto begin() const { return sizes_.begin(); }
  auto end() const { return sizes_.end(); }

  // Number of elements: the product of the sizes, 1 for a scalar. Overflow is a bug.
  std::int64_t count() const;
  // Product of the sizes from dimension `first` on.
  std::int64_t count_from(int first) const;
  // The same shape with one size replaced.
  Shape with(int dimension, std::int64_t size) const;
  std::string str() const;  // "64x1x28x28"; "scalar"

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  void check() const;

  std::vector<std::int64_t> sizes_;
};

}  // namespace convoy::tensor
