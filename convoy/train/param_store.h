// Parameters, state and optimiser slots of one replica.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "convoy/optim/objective.h"
#include "convoy/optim/update_rule.h"
#include "convoy/tensor/param_layout.h"
#include "convoy/train/segment_codec.h"

namespace convoy::train {

// Owns the arenas and hands them out as source and sinks. The version grows by one a committed step and
// starts at 1.
class ParamStore {
 public:
  virtual ~ParamStore() = default;
  virtual const tensor::ParamLayout& layout() const = 0;
  // Null where every segment is stored plain.
  virtual const SegmentCodec* codec() const = 0;
  virtual std::uint64_t version() const = 0;

  virtual optim::ParamSource& source() = 0;
  virtual optim::GradientSink& gradient_sink() = 0;
  virtual optim::StateSink& state_sink() = 0;

  virtual std::span<float> parameters() = 0;  // layout().parameter_extent
  virtual std::span<float> gradients() = 0;   // same extent
  virtual std::span<float> state() = 0;       // layout().state_extent
  virtual int slot_count() const = 0;
  virtual std::span<float> slot(int index) = 0;  // optimiser state, parameter_extent

  // Makes the state written to state_sink() current and advances the version. Call once a step, after the
  // update rule has run.
  virtual void commit() = 0;

  // Bytes reserved, by part, for reports of memory. Gradients that nobody asks an array for take none.
  struct Memory {
    std::int64_t parameters = 0, gradients = 0, state = 0, slots = 0;
  };
  virtual Memory memory_bytes() const = 0;
};

struct LocalStoreConfig {
  const tensor::ParamLayout& layout;
  int slot_count = 0;
  float initial_slot_value = 0;
  std::shared_ptr<const SegmentCodec> codec;  // required where a layout_tag is not plain
};

// All in this process's memory. Padding is zero and stays zero; slots start at `initial_slot_value`.
std::unique_ptr<ParamStore> make_local_store(const LocalStoreConfig& config);

}  // namespace convoy::train
