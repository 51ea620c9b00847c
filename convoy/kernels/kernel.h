// One computation of one layer, prepared for one problem: what the catalog's entries make and `exec` runs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/graph/layer_kind.h"
#include "convoy/kernels/layout.h"
#include "convoy/machine/machine.h"

namespace convoy::kernels {

enum class Pass : std::uint8_t {
  forward,
  backward_data,     // gradients of the inputs
  backward_weights,  // gradients of the parameters
  backward,          // both at once: layers with traits.joint_backward, and no others
};
std::string_view name(Pass pass);

// What may be appended to a pass at no extra traffic: y = relu(f(x)). A joint backward pass with it gets the
// gradient of that y, and finds by itself where f(x) was positive; no other backward pass has one.
enum class Epilogue : std::uint8_t { none, relu };
std::string_view name(Epilogue epilogue);

// The family of layouts a kernel should work in. It answers with exact layouts, or refuses.
enum class LayoutFamily : std::uint8_t {
  plain,
  channels_last,
  blocked,        // channels in blocks of one vector: "aBcd16b"
  batch_blocked,  // samples in blocks of one vector, which lie innermost: "Abcd16a"
};
inline constexpr LayoutFamily kLayoutFamilies[] = {LayoutFamily::plain, LayoutFamily::channels_last,
                                                   LayoutFamily::blocked, LayoutFamily::batch_blocked};
std::string_view name(LayoutFamily family);
base::Result<LayoutFamily> parse_layout_family(std::string_view name);

// The type of parameters, their gradients and state beside activations of this type: float32 beside bf16,
// else the same.
tensor::DType master_type(tensor::DType activations);

// Everything that determines a kernel. Plain data: equal problems may share a kernel.
struct Problem {
  const graph::LayerKind* kind = nullptr;
  graph::Attributes attributes;
  Pass pass = Pass::forward;
  bool training = true;                     // forward: whether a backward pass follows
  tensor::DType type = tensor::DType::f32;  // of inputs, outputs and their gradients
  std::vector<tensor::Shape> inputs;
  std::vector<graph::ParamSpec> params;
  std::vector<tensor::Shape> outputs;
  std::vector<bool> wanted;  // backward_data, backward: which inputs' gradients
  Epilogue epilogue = Epilogue::none;
  LayoutFamily family = LayoutFamily::plain;

  std::string str() const;  // one line: "Conv forward 64x1x28x28 -> 64x6x28x28 {...} f32 plain relu"
};

// What the memory plan must know of a prepared kernel. A gradient has the layout of what it is the gradient
// of, so the same lists serve both.
struct KernelTraits {
  std::vector<Layout> inputs;
  std::vector<Layout> params;  // one a Problem::params entry; state is plain
  // In which type the kernel reads each; empty: the master type, in which gradients and state always are.
  std::vector<tensor::DType> param_types;
  std::vector<Layout> outputs;
  std::int64_t workspace_bytes = 0;  // scratch, aligned to 64, contents irrelevant before and after
  std::int64_t saved_bytes =
      0;  // written by forward in training, read by backward of the same entry and family
  std::int64_t derived_bytes =
      0;  // a place that outlives the call, for what the kernel derives from its parameters alone
  std::vector<bool> reads_inputs;  // backward passes: which of the forward arrays must still exist
  std::vector<bool> reads_outputs;
  bool in_pieces = false;  // backward_weights: params[0]'s gradient can go to KernelArgs::pieces
  bool in_place = false;   // forward: outputs[0] may be inputs[0]'s memory; backward: input_gradients[0] may
                           // be output_gradients[0]'s
};

// Takes gradients of parameters while they are in cache, in place of an array.
class GradientPieces {
 public:
  virtual ~GradientPieces() = default;
  // What take() will touch beside the gradient when it gets the elements from `offset` on: up to three arrays
  // parallel to it, each at that element; null: fewer. For the kernel to fetch ahead, a line now and then
  // (all at once, 128 lines cost a quarter of the time of a 64 x 16 tile over 128 samples).
  using Arrays = std::array<const float*, 3>;
  virtual Arrays expect(std::int64_t offset) const noexcept = 0;
  // They are final. Each element is given once; several threads of the team call at once.
  virtual void take(std::int64_t offset, std::span<const float> gradient) noexcept = 0;
};

// Pointers of one call, in the layouts of KernelTraits, aligned to 64 bytes, disjoint but for in_place.
// Null: not wanted, or not needed according to the traits. Everything wanted is overwritten whole, padding
// included. Labels are int32; the other arrays have the types of problem and traits.
struct KernelArgs {
  std::span<const void* const> inputs;
  std::span<const void* const> params;
  std::span<void* const> outputs;     // forward: written; backward: read
  std::span<void* const> next_state;  // forward in training: one a param, null but for state
  std::span<const void* const> output_gradients;
  std::span<void* const> input_gradients;
  std::span<void* const> param_gradients;
  GradientPieces* pieces = nullptr;  // given where param_gradients[0] is null and traits.in_pieces holds
  void* saved = nullptr;
  void* workspace = nullptr;
  // derived_bytes of memory that belong to this kernel. `derived_valid`: the last call filled it from the
  // same version of the parameters, so that it may be used as it is; else it must be filled anew.
  void* derived = nullptr;
  bool derived_valid = false;
  const graph::EvalContext* context = nullptr;
};

// A prepared computation. `run` allocates nothing, throws nothing, uses the compute team of base/threads.h
// and is deterministic for one problem and thread count. One call at a time.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual const KernelTraits& traits() const = 0;
  virtual std::string implementation() const = 0;  // for people: "jit:avx512_core", "brgemm", "reference"
  virtual void run(const KernelArgs& args) const noexcept = 0;
};

// What an error bound multiplies, docs/numerics.md, "Kernels" and "Whole maps". Terms are absolute: |x| |w|.
enum class ErrorTerms : std::uint8_t {
  // T of an element is the sum of its own terms: no other product is ever added to what becomes the element.
  own,
  // Convolutions that add and cancel products of a tile or image (Winograd, FFT). With |x[n,c]|max the
  // largest
  // magnitude of one image's channel and |w[k,c]|sum the sum of magnitudes of one filter's channel,
  //   forward:          T[n,k] = sum over c of |x[n,c]|max |w[k,c]|sum, and |b[k]|
  //   backward_data:    T[n,c] = sum over k of |dy[n,k]|max |w[k,c]|sum
  //   backward_weights: T[k,c] = sum over n of |dy[n,k]|sum |x[n,c]|max; of the bias its own terms
  // for all elements of a map alike: every own sum is smaller, and so is every sum over a tile.
  whole_maps,
};

// One line of a catalog.
struct KernelEntry {
  std::string_view name;  // unique for its op: "onednn", "direct", "reference"
  std::string_view op;    // LayerKind::op it serves; "*": any
  base::Verdict (*supports)(const Problem&);
  // Requires supports(problem). The thread count is the calling thread's.
  std::unique_ptr<Kernel> (*make)(const Problem&);
  // Predicted seconds of one call.
  double (*seconds)(const Problem&, const machine::Machine&);
  // Error bound in units of the master type's epsilon times the terms below; docs/numerics.md derives it.
  // What a kernel stores as bf16 it has rounded once more, to the nearest.
  double (*error_growth)(const Problem&);
  ErrorTerms error_terms = ErrorTerms::own;
  // Whether sums of products of small integers come out exact, as they do when nothing but them is computed.
  // Winograd's and Fourier's transforms have fractions: false.
  bool exact_on_integers = true;
};

}  // namespace convoy::kernels
