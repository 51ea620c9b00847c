#include "convoy/tensor/shape.h"

#include "convoy/base/check.h"

namespace convoy::tensor {

void Shape::check() const {
  for (const std::int64_t size : sizes_) CONVOY_CHECK(size >= 0, "size ", size);
}

std::int64_t Shape::count() const { return count_from(0); }

std::int64_t Shape::count_from(int first) const {
  std::int64_t product = 1;
  for (int d = first; d < rank(); ++d)
    CONVOY_CHECK(!__builtin_mul_overflow(product, (*this)[d], &product), "shape ", str());
  return product;
}

Shape Shape::with(int dimension, std::int64_t size) const {
  CONVOY_CHECK(dimension >= 0 && dimension < rank(), "dimension ", dimension, " of ", str());
  std::vector<std::int64_t> sizes = sizes_;
  sizes[static_cast<std::size_t>(dimension)] = size;
  return Shape(std::move(sizes));
}

std::string Shape::str() const {
  if (sizes_.empty()) return "scalar";
  std::string text;
  for (const std::int64_t size : sizes_) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

}  // namespace convoy::tensor
