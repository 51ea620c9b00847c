#include "convoy/tensor/param_layout.h"

#include "convoy/base/check.h"
#include "convoy/tensor/view.h"

namespace convoy::tensor {

std::string_view name(ParamRole role) {
  switch (role) {
    case ParamRole::weight:
      return "weight";
    case ParamRole::bias:
      return "bias";
    case ParamRole::scale:
      return "scale";
    case ParamRole::shift:
      return "shift";
    case ParamRole::running_mean:
      return "running_mean";
    case ParamRole::running_var:
      return "running_var";
  }
  CONVOY_CHECK(false, "role ", static_cast<int>(role));
}

void ParamLayout::append(Segment segment) {
  CONVOY_CHECK(find(segment.name) < 0, "segment ", segment.name, " appended twice");
  const std::int64_t unit = kAlignment_bytes / size_bytes(type);
  std::int64_t& extent = segment.kind == SegmentKind::parameter ? parameter_extent : state_extent;
  segment.offset = extent;
  extent += (segment.count + unit - 1) / unit * unit;
  if (segment.kind == SegmentKind::parameter) parameter_count += Shape(segment.slice.extent).count();
  segments.push_back(std::move(segment));
}

void ParamLayout::append_replicated(std::string name, Shape shape, SegmentKind kind, ParamRole role) {
  append({.name = std::move(name),
          .global_shape = shape,
          .slice = {std::vector<std::int64_t>(shape.sizes().size(), 0), shape.sizes()},
          .replica_group = {0},
          .kind = kind,
          .role = role,
          .count = shape.count()});
}

int ParamLayout::find(std::string_view wanted) const {
  for (std::size_t i = 0; i < segments.size(); ++i)
    if (segments[i].name == wanted) return static_cast<int>(i);
  return -1;
}

}  // namespace convoy::tensor
