// The seam between networks and training: a function of parameters and a batch, with its gradient.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/tensor/batch.h"
#include "convoy/tensor/param_layout.h"

namespace convoy::optim {

enum class Mode : std::uint8_t {
  loss,      // forward as in inference, with the loss
  gradient,  // forward as in training, with the loss and every gradient
  predict,   // forward as in inference, outputs only
};

enum class Phase : std::uint8_t { forward, backward };

// A read view of one segment and the version of its contents. Version 0 means that the contents may change
// while they are read: derive nothing that outlives the step.
struct Acquired {
  tensor::ConstView view;
  std::uint64_t version = 0;
};

// Where parameters and state come from. They are an argument of every evaluation because line search, stale
// replicas, shared arrays, weight stashing and finite differences all need that.
class ParamSource {
 public:
  virtual ~ParamSource() = default;
  // Segment `segment` of the layout, parameter or state, for one phase of one evaluation. The view is valid
  // until the evaluation returns.
  virtual Acquired acquire(int segment, Phase phase) = 0;
};

// Where gradients go.
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  // Memory for the gradient of `segment`, in the segment's layout, valid until the evaluation returns. The
  // evaluation overwrites it.
  virtual tensor::View buffer(int segment) = 0;
  // The loss of this evaluation's samples, once, before the first gradient.
  virtual void loss(double) {}
  // Whether the segment's gradient may come in pieces. Then the evaluation may call take() instead of asking
  // for a buffer, before ready(): as the pieces form, after expect(), or from memory of its own when the
  // whole is final. It decides at the beginning.
  virtual bool takes_pieces(int) const { return false; }
  // Arrays that take() will touch from element `begin` of the segment on, to be fetched ahead; null: none.
  virtual std::array<const float*, 3> expect(int, std::int64_t) const noexcept { return {}; }
  // The elements `range` of the segment are final, each once. Several threads of the compute team call at
  // once. The segment's parameters are not read any more. Float32 only.
  virtual void take(int, base::IndexRange, std::span<const float>) noexcept {}
  // The elements `range` of the segment's gradient are written; `final`: no other contribution follows.
  // Called as early as possible, on the evaluating thread. Must not block.
  virtual void ready(int segment, base::IndexRange range, bool final) = 0;
  // Called between steps, for transports without a progress thread. Must not block.
  virtual void poll() {}
};

// Where state that is not learned by gradient (running statistics) goes. The strategy commits it once a
// step, so that a line search does not update it ten times.
class StateSink {
 public:
  virtual ~StateSink() = default;
  virtual tensor::View buffer(int segment) = 0;
};

// Receivers of one evaluation; null: not wanted.
struct Sinks {
  GradientSink* gradients = nullptr;  // required by Mode::gradient
  StateSink* state = nullptr;         // required by Mode::gradient where the model has state
  std::span<float> outputs;           // N × output elements, or empty
};

// What one evaluation found, for this rank's part of the batch.
struct Evaluation {
  double loss = 0;           // sum over local samples / global batch size: ranks' losses add up
  std::int64_t correct = 0;  // samples whose largest output is at their label
  std::int64_t samples = 0;
};

class Objective {
 public:
  virtual ~Objective() = default;
  virtual const tensor::ParamLayout& layout() const = 0;
  // Output elements a sample.
  virtual std::int64_t output_count() const = 0;
  // Evaluates the mean loss over the global batch, Σ_n loss(n) / global_size, on the local samples. One call
  // at a time an object. Deterministic for one thread count and plan. Throws base::Error for an environment
  // that fails; a loss that is not finite is returned, not thrown.
  virtual Evaluation evaluate(ParamSource& params, const tensor::Batch& batch, const base::StepKey& key,
                              const Sinks& sinks, Mode mode) = 0;
};

}  // namespace convoy::optim
