// Where every parameter and every state of a model lies in its arena.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/tensor/dtype.h"
#include "convoy/tensor/shape.h"

namespace convoy::tensor {

enum class SegmentKind : std::uint8_t {
  parameter,  // learned by gradient
  state,      // batch-norm statistics and the like: committed once a step, never differentiated
};

// What a parameter is for; update rules and initialisers decide by it (no weight decay on biases, say).
enum class ParamRole : std::uint8_t { weight, bias, scale, shift, running_mean, running_var };
std::string_view name(ParamRole role);

// This rank's part of a global array: [begin[d], begin[d] + extent[d]) in each dimension.
struct Slice {
  std::vector<std::int64_t> begin;
  std::vector<std::int64_t> extent;
  friend bool operator==(const Slice&, const Slice&) = default;
};

// One parameter or state array. Its local elements lie dense and row-major in slice.extent from
// `offset` on, unless layout_tag names another layout of the same elements (kernels/layout.h has the
// notation).
struct Segment {
  std::string name;  // "<layer>.<parameter>", e.g. "conv1.weight"
  Shape global_shape;
  Slice slice;
  std::vector<int> replica_group;  // ranks that hold the same slice, ascending
  SegmentKind kind = SegmentKind::parameter;
  ParamRole role = ParamRole::weight;
  std::string layout_tag = "plain";
  std::int64_t offset = 0;  // in elements, a multiple of 64 bytes
  std::int64_t count = 0;   // elements stored, the padding of a blocked layout included

  // Of a view of what is stored: the slice's extent, or one dimension where the layout is not plain.
  Shape stored_shape() const { return layout_tag == "plain" ? Shape(slice.extent) : Shape{count}; }
  friend bool operator==(const Segment&, const Segment&) = default;
};

// All segments, in graph order, parameters and state in two arenas of one element type. With global shape
// and slice, a checkpoint does not depend on the world size.
struct ParamLayout {
  DType type = DType::f32;
  std::vector<Segment> segments;
  std::int64_t parameter_count = 0;   // elements that are learned, without padding
  std::int64_t parameter_extent = 0;  // elements of the parameter arena, padding included
  std::int64_t state_extent = 0;      // elements of the state arena, padding included

  // Appends a segment and gives it its place; its offset is ignored, its name must be new.
  void append(Segment segment);
  // Appends a plain segment held whole by this rank.
  void append_replicated(std::string name, Shape shape, SegmentKind kind, ParamRole role);
  // Index of the segment, or -1.
  int find(std::string_view name) const;
  friend bool operator==(const ParamLayout&, const ParamLayout&) = default;
};

}  // namespace convoy::tensor
