// Changes of layout and type: the only place where the elements of an array are put in another physical order
// or precision.
#pragma once

#include <memory>
#include <optional>

#include "convoy/kernels/layout.h"
#include "convoy/tensor/dtype.h"
#include "convoy/tensor/shape.h"

namespace convoy::kernels {

// Copies `from`-ordered storage into `to`-ordered storage of the same shape; padding becomes zero. float32
// becomes bf16 by rounding to the nearest, ties to even.
class Converter {
 public:
  virtual ~Converter() = default;
  virtual void run(const void* from, void* to) const noexcept = 0;
};

struct Conversion {
  tensor::Shape shape;
  tensor::DType type = tensor::DType::f32;
  Layout from;
  Layout to;
  std::optional<tensor::DType> as = {};  // the copy's type; none: `type`. Another: f32 and bf16 only

  tensor::DType to_type() const { return as.value_or(type); }
  friend bool operator==(const Conversion&, const Conversion&) = default;
};

// The fast path where the library has one, else the reference. Never fails.
std::unique_ptr<Converter> make_converter(const Conversion& conversion);
// Element by element through Layout::offset.
std::unique_ptr<Converter> make_reference_converter(const Conversion& conversion);

}  // namespace convoy::kernels
