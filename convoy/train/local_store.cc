// A parameter store in this process's memory.
#include <algorithm>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/optim/arena_sinks.h"
#include "convoy/train/param_store.h"

namespace convoy::train {
namespace {

using tensor::DType;
using tensor::ParamLayout;
using tensor::SegmentKind;
using tensor::Shape;
using tensor::Tensor;

Tensor zeros(std::int64_t extent) {
  Tensor tensor(DType::f32, Shape{extent});
  tensor.fill_zero();
  return tensor;
}

std::int64_t bytes(const Tensor& tensor) { return tensor.view().bytes(); }

// Collects the state of an evaluation and remembers which segments it wrote.
class PendingState final : public optim::StateSink {
 public:
  explicit PendingState(const ParamLayout& layout)
      : layout_(layout),
        arena_(zeros(layout.state_extent)),
        sink_(optim::make_arena_state_sink(layout, arena_.view())),
        written_(layout.segments.size(), false) {}

  tensor::View buffer(int segment) override {
    tensor::View view = sink_->buffer(segment);
    written_[static_cast<std::size_t>(segment)] = true;
    return view;
  }

  // Copies what was written since the last call into `current`.
  void flush(std::span<float> current) {
    for (std::size_t s = 0; s < written_.size(); ++s) {
      if (!written_[s]) continue;
      const auto offset = static_cast<std::size_t>(layout_.segments[s].offset);
      const auto count = static_cast<std::size_t>(layout_.segments[s].count);
      std::copy_n(arena_.as<float>().begin() + static_cast<std::ptrdiff_t>(offset), count,
                  current.begin() + static_cast<std::ptrdiff_t>(offset));
      written_[s] = false;
    }
  }
  std::int64_t size_bytes() const { return bytes(arena_); }

 private:
  const ParamLayout& layout_;
  Tensor arena_;
  std::unique_ptr<optim::StateSink> sink_;
  std::vector<bool> written_;
};

class LocalStore final : public ParamStore {
 public:
  explicit LocalStore(const LocalStoreConfig& config)
      : layout_(config.layout),
        codec_(config.codec),
        parameters_(zeros(layout_.parameter_extent)),
        gradients_(DType::f32, Shape{layout_.parameter_extent}),
        state_(zeros(layout_.state_extent)),
        pending_(layout_),
        source_(optim::make_arena_source({layout_, parameters_.view(), state_.view(), &version_})),
        gradient_sink_(optim::make_arena_gradient_sink(layout_, gradients_.view())) {
    CONVOY_CHECK(layout_.type == DType::f32, "a store of ", tensor::name(layout_.type));
    CONVOY_CHECK(config.slot_count >= 0 && config.slot_count <= optim::kMaxSlots, config.slot_count,
                 " slots");
    for (const tensor::Segment& segment : layout_.segments)
      CONVOY_CHECK(segment.layout_tag == "plain" || codec_, segment.name, " is stored as ",
                   segment.layout_tag, " and nobody can translate it");
    for (int s = 0; s < config.slot_count; ++s) {
      slots_.push_back(zeros(layout_.parameter_extent));
      fill_segments(slots_.back().as<float>(), config.initial_slot_value);
    }
  }

  const ParamLayout& layout() const override { return layout_; }
  const SegmentCodec* codec() const override { return codec_.get(); }
  std::uint64_t version() const override { return version_; }
  optim::ParamSource& source() override { return *source_; }
  optim::GradientSink& gradient_sink() override { return *gradient_sink_; }
  optim::StateSink& state_sink() override { return pending_; }
  std::span<float> parameters() override { return parameters_.as<float>(); }
  std::span<float> gradients() override { return gradients_.as<float>(); }
  std::span<float> state() override { return state_.as<float>(); }
  int slot_count() const override { return static_cast<int>(slots_.size()); }
  std::span<float> slot(int index) override {
    CONVOY_CHECK(index >= 0 && index < slot_count(), "slot ", index, " of ", slot_count());
    return slots_[static_cast<std::size_t>(index)].as<float>();
  }

  void commit() override {
    pending_.flush(state_.as<float>());
    ++version_;
  }

  Memory memory_bytes() const override {
    Memory memory{.parameters = bytes(parameters_),
                  .gradients = bytes(gradients_),
                  .state = bytes(state_) + pending_.size_bytes(),
                  .slots = 0};
    for (const Tensor& slot : slots_) memory.slots += bytes(slot);
    return memory;
  }

 private:
  void fill_segments(std::span<float> arena, float value) const {
    for (const tensor::Segment& segment : layout_.segments)
      if (segment.kind == SegmentKind::parameter)
        std::fill_n(arena.begin() + segment.offset, segment.count, value);
  }

  ParamLayout layout_;
  std::shared_ptr<const SegmentCodec> codec_;
  std::uint64_t version_ = 1;
  Tensor parameters_;
  Tensor gradients_;  // not touched before somebody writes: where all are taken when ready, it has no pages
  Tensor state_;
  std::vector<Tensor> slots_;
  PendingState pending_;
  std::unique_ptr<optim::ParamSource> source_;
  std::unique_ptr<optim::GradientSink> gradient_sink_;
};

}  // namespace

std::unique_ptr<ParamStore> make_local_store(const LocalStoreConfig& config) {
  return std::make_unique<LocalStore>(config);
}

}  // namespace convoy::train
