// Sources and sinks over arenas in memory: the simplest ones.
#pragma once

#include <cstdint>
#include <memory>

#include "convoy/optim/objective.h"
#include "convoy/tensor/param_layout.h"
#include "convoy/tensor/view.h"

namespace convoy::optim {

// The segment's elements within its arena, in the shape of its slice. The arena is one-dimensional, of the
// layout's type and extent.
tensor::View segment_view(const tensor::ParamLayout& layout, int segment, const tensor::View& arena);
tensor::ConstView segment_view(const tensor::ParamLayout& layout, int segment,
                               const tensor::ConstView& arena);

// What an arena source reads; everything outlives the source.
struct ArenaSourceConfig {
  const tensor::ParamLayout& layout;
  tensor::ConstView parameters;
  tensor::ConstView state;                 // may be empty where the layout has none
  const std::uint64_t* version = nullptr;  // read at each acquire; null: version 0, cache nothing
};

std::unique_ptr<ParamSource> make_arena_source(const ArenaSourceConfig& config);
// Gradients are written in place in `arena`; `ready` is not passed on.
std::unique_ptr<GradientSink> make_arena_gradient_sink(const tensor::ParamLayout& layout,
                                                       const tensor::View& arena);
std::unique_ptr<StateSink> make_arena_state_sink(const tensor::ParamLayout& layout,
                                                 const tensor::View& arena);

}  // namespace convoy::optim
