// The lowered step: explicit operations over explicit memory. Plain data that exec runs, verify proves,
// estimate costs and print shows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/kernels/convert.h"
#include "convoy/kernels/kernel.h"
#include "convoy/tensor/param_layout.h"

namespace convoy::plan {

// The training configuration's part of lowering.
struct StepConfig {
  enum class Mode : std::uint8_t { loss, gradient, predict };
  Mode mode = Mode::gradient;
  std::int64_t batch = 1;                   // samples on this rank
  tensor::DType type = tensor::DType::f32;  // of parameters, their gradients and all that is not said below
  // Activations and their gradients may be stored in bf16, and bf16 products be summed in float32. Requires
  // type f32. A plan says where.
  bool bf16 = false;
};
std::string_view name(StepConfig::Mode mode);

// Who owns a slot's memory.
enum class Region : std::uint8_t {
  arena,       // the Program's own, placed by the memory plan
  parameter,   // handed out by Acquire, read-only: a parameter or a state segment
  gradient,    // for one segment: the sink's, or the Program's own where the sink takes pieces
  next_state,  // the state sink's, for one segment
  input,       // the batch's samples, read-only
  labels,      // the batch's class indices, read-only
};
std::string_view name(Region region);

// One array. Two arena slots may lie in the same place if no step needs both.
struct Slot {
  std::string name;
  Region region = Region::arena;
  int segment = -1;  // parameter, gradient, next_state
  tensor::Shape shape = {};
  tensor::DType type = tensor::DType::f32;
  kernels::Layout layout = {};
  std::int64_t bytes = 0;
  // In the arena, or in the memory for gradients; a multiple of 64. -1: a gradient that leaves in pieces, as
  // it forms, and has no place.
  std::int64_t offset = 0;
};

// ADR 2 says which of the house's step kinds exist before there is a second rank.
enum class StepKind : std::uint8_t {
  acquire,      // bind a segment's parameter slot for one phase
  compute,      // run a kernel
  convert,      // change a slot's layout or type into another slot
  fill,         // set every element of a slot to a constant
  reduce_into,  // slot += slot
  ready,        // a segment's gradient is final and its parameters are read no more
  mark,         // a name for profiles: the boundary of forward and backward
};
std::string_view name(StepKind kind);

// Slots of a compute step by role, as in kernels::KernelArgs; -1: absent.
struct Operands {
  std::vector<int> inputs = {}, params = {}, outputs = {}, next_state = {};
  std::vector<int> output_gradients = {}, input_gradients = {}, param_gradients = {};
  // The gradient of params[0] may leave in pieces as it is formed: the kernel can give it so, it is the
  // segment's own slot, and no later step reads the parameter, which the receiver may therefore change.
  bool in_pieces = false;
  int saved = -1;
  int workspace = -1;
};

// One operation. Steps of one queue run in order; a step on another queue starts when the tokens it waits
// for are signalled. A token is signalled by exactly one step.
struct Step {
  StepKind kind = StepKind::mark;
  int queue = 0;                // 0: the compute team
  std::vector<int> waits = {};  // tokens
  int signals = -1;             // token
  int layer = -1;
  bool recomputed = false;  // a forward pass, or a conversion, repeated for the backward pass
  std::string label;        // "conv1 backward_data"; of a mark: its name

  int kernel = -1;  // compute: index into Program::kernels
  Operands operands = {};
  int from = -1, to = -1;  // convert, fill (to), reduce_into; ready (from): the gradient
  double value = 0;        // fill
  int segment = -1;        // acquire, ready
  bool backward = false;   // acquire: the phase

  std::vector<int> reads() const;   // slots
  std::vector<int> writes() const;  // slots, workspace included
};

struct KernelCall {
  kernels::Problem problem;
  std::string entry;
  kernels::KernelTraits traits;
  std::string implementation;
};

struct Program {
  StepConfig config;
  std::string graph_name;
  tensor::ParamLayout layout;
  std::vector<Slot> slots;
  std::vector<KernelCall> kernels;
  std::vector<Step> steps;
  int input_slot = -1, labels_slot = -1, output_slot = -1, loss_slot = -1;
  std::int64_t arena_bytes = 0;           // as planned
  std::int64_t arena_bytes_unshared = 0;  // if every arena slot had a place of its own
  // Memory for the gradients that leave when they are ready and in no pieces before that, as planned: each
  // has its place there from its first write to its Ready.
  std::int64_t gradient_bytes = 0;
};

// By slot: whether it is a gradient that leaves in pieces as it forms.
std::vector<bool> given_in_pieces(const Program& program);

}  // namespace convoy::plan
