// Dense arrays that somebody else owns, and the owning kind.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

#include "convoy/base/check.h"
#include "convoy/tensor/dtype.h"
#include "convoy/tensor/shape.h"

namespace convoy::tensor {

inline constexpr std::int64_t kAlignment_bytes = 64;

// A borrowed dense array, row-major in its shape unless whoever hands it out says otherwise (a blocked
// layout is declared beside the view, never hidden in strides). Copies alias. Const views are read-only.
template <bool is_const>
class BasicView {
 public:
  using Void = std::conditional_t<is_const, const void, void>;

  BasicView() = default;
  BasicView(Void* data, DType type, Shape shape) : data_(data), type_(type), shape_(std::move(shape)) {}
  // A template, because a constructor of this form would hide the copy constructor of View.
  template <bool other_is_const>
  requires(is_const && !other_is_const) BasicView(const BasicView<other_is_const>& other)
      : data_(other.data()), type_(other.type()), shape_(other.shape()) {}

  Void* data() const { return data_; }
  DType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  std::int64_t count() const { return shape_.count(); }
  std::int64_t bytes() const { return count() * size_bytes(type_); }
  bool empty() const { return data_ == nullptr; }

  // The elements as T, which must be the view's own type.
  template <class T>
  std::span<std::conditional_t<is_const, const T, T>> as() const {
    CONVOY_CHECK(type_ == dtype_of<T>::value, "view of ", name(type_), " read as ", name(dtype_of<T>::value));
    return {static_cast<std::conditional_t<is_const, const T, T>*>(data_), static_cast<std::size_t>(count())};
  }

 private:
  Void* data_ = nullptr;
  DType type_ = DType::f32;
  Shape shape_;
};
using View = BasicView<false>;
using ConstView = BasicView<true>;

// Uninitialised bytes, aligned to 64; large buffers ask for transparent huge pages.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t bytes);

  std::byte* data() const { return data_.get(); }
  std::int64_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* pointer) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::int64_t bytes_ = 0;
};

// An owned dense row-major array. Moves; does not copy by accident (see clone).
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType type, Shape shape)
      : buffer_(shape.count() * size_bytes(type)), type_(type), shape_(std::move(shape)) {}

  View view() { return {buffer_.data(), type_, shape_}; }
  ConstView view() const { return {buffer_.data(), type_, shape_}; }
  DType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  template <class T>
  std::span<T> as() {
    return view().as<T>();
  }
  template <class T>
  std::span<const T> as() const {
    return view().as<T>();
  }

  void fill_zero();
  Tensor clone() const;

 private:
  Buffer buffer_;
  DType type_ = DType::f32;
  Shape shape_;
};

}  // namespace convoy::tensor
