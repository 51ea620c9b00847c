#include "convoy/optim/arena_sinks.h"

#include <cstddef>

#include "convoy/base/check.h"

namespace convoy::optim {
namespace {

using tensor::ConstView;
using tensor::ParamLayout;
using tensor::SegmentKind;
using tensor::View;

const tensor::Segment& checked(const ParamLayout& layout, int segment) {
  CONVOY_CHECK(segment >= 0 && segment < static_cast<int>(layout.segments.size()), "segment ", segment,
               " of ", layout.segments.size());
  return layout.segments[static_cast<std::size_t>(segment)];
}

template <class AnyView>
AnyView cut(const ParamLayout& layout, int segment, const AnyView& arena) {
  const tensor::Segment& s = checked(layout, segment);
  CONVOY_CHECK(arena.type() == layout.type, "arena of ", tensor::name(arena.type()), " for a layout of ",
               tensor::name(layout.type));
  CONVOY_CHECK(s.offset + s.count <= arena.count(), s.name, " ends at ", s.offset + s.count,
               " in an arena of ", arena.count());
  using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(arena.data())>>,
                                  const std::byte, std::byte>;
  return AnyView(static_cast<Byte*>(arena.data()) + s.offset * tensor::size_bytes(layout.type), layout.type,
                 s.stored_shape());
}

class ArenaSource final : public ParamSource {
 public:
  explicit ArenaSource(const ArenaSourceConfig& config) : config_(config) {}
  Acquired acquire(int segment, Phase) override {
    const bool parameter = checked(config_.layout, segment).kind == SegmentKind::parameter;
    return {segment_view(config_.layout, segment, parameter ? config_.parameters : config_.state),
            config_.version == nullptr ? 0 : *config_.version};
  }

 private:
  ArenaSourceConfig config_;
};

class ArenaGradientSink final : public GradientSink {
 public:
  ArenaGradientSink(const ParamLayout& layout, const View& arena) : layout_(layout), arena_(arena) {}
  View buffer(int segment) override {
    CONVOY_CHECK(checked(layout_, segment).kind == SegmentKind::parameter, "a gradient of state");
    return segment_view(layout_, segment, arena_);
  }
  void ready(int, base::IndexRange, bool) override {}

 private:
  const ParamLayout& layout_;
  View arena_;
};

class ArenaStateSink final : public StateSink {
 public:
  ArenaStateSink(const ParamLayout& layout, const View& arena) : layout_(layout), arena_(arena) {}
  View buffer(int segment) override {
    CONVOY_CHECK(checked(layout_, segment).kind == SegmentKind::state, "a parameter is no state");
    return segment_view(layout_, segment, arena_);
  }

 private:
  const ParamLayout& layout_;
  View arena_;
};

}  // namespace

View segment_view(const ParamLayout& layout, int segment, const View& arena) {
  return cut(layout, segment, arena);
}
ConstView segment_view(const ParamLayout& layout, int segment, const ConstView& arena) {
  return cut(layout, segment, arena);
}

std::unique_ptr<ParamSource> make_arena_source(const ArenaSourceConfig& config) {
  return std::make_unique<ArenaSource>(config);
}
std::unique_ptr<GradientSink> make_arena_gradient_sink(const ParamLayout& layout, const View& arena) {
  return std::make_unique<ArenaGradientSink>(layout, arena);
}
std::unique_ptr<StateSink> make_arena_state_sink(const ParamLayout& layout, const View& arena) {
  return std::make_unique<ArenaStateSink>(layout, arena);
}

}  // namespace convoy::optim
