// oneDNN (2.6, v2 API) behind Convoy's terms: memory descriptors from layouts and back, and a kernel that is
// a list of prepared primitives. Only the sources of this folder include it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convoy/kernels/family.h"
#include "convoy/kernels/kernel.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace convoy::kernels::onednn {

using Desc = dnnl::memory::desc;

// The library's handle on this processor and the queue its primitives run on: the calling thread.
struct Engine {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

dnnl::memory::dims dims(const tensor::Shape& shape);  // a scalar has one dimension of size 1
// In this layout and type, float32 or bf16.
Desc desc(const tensor::Shape& shape, const Layout& layout = Layout::plain(),
          tensor::DType type = tensor::DType::f32);
// As `desc`, with dimension 0 split into groups: {groups, sizes[0] / groups, …}.
Desc grouped_desc(const tensor::Shape& shape, std::int64_t groups, tensor::DType type = tensor::DType::f32);
Desc any_desc(const dnnl::memory::dims& sizes, tensor::DType type = tensor::DType::f32);
// An activation of the problem, in its family of layouts and its type.
Desc activation_desc(const Problem& problem, const tensor::Shape& shape);
// The layout that orders `shape` as the descriptor does, canonical; none when a tag cannot say it.
std::optional<Layout> layout_of(const tensor::Shape& shape, const Desc& desc);

// Where the pointer of an argument comes from.
struct Source {
  enum class Kind : std::uint8_t {
    input,
    param,
    output,
    next_state,
    output_gradient,
    input_gradient,
    param_gradient,
    saved,
    workspace,
    derived
  };
  Kind kind = Kind::input;
  std::size_t index = 0;   // within its list
  std::int64_t bytes = 0;  // offset into saved, workspace or derived
};

// One primitive and the memory objects of its arguments, made once. `run` costs about a microsecond beyond
// the computation.
class Call {
 public:
  Call(Engine& engine, const dnnl::primitive& primitive) : engine_(engine), primitive_(primitive) {}

  Call& add(int argument, const Desc& desc, Source source);
  void run(const KernelArgs& args) noexcept;

 private:
  Engine engine_;
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
  std::vector<Source> sources_;
  std::vector<void*> bound_;
};

// The parts of a kernel that is nothing but primitives run one after another.
struct Recipe {
  KernelTraits traits;
  std::string implementation;
  std::vector<Call> calls;
  std::vector<Call> derivation = {};  // run first where what is derived is not valid
};
std::unique_ptr<Kernel> make_kernel(Recipe recipe);

// Attributes of every primitive here: scratch memory is the caller's; optionally relu behind the result.
dnnl::primitive_attr attributes(Epilogue epilogue = Epilogue::none);

// Adds the primitive's scratch to the recipe's workspace and to the call.
void add_scratchpad(Recipe& recipe, Call& call, const Desc& scratchpad);

// Traits with a plain layout for each array of the problem and nothing read by backward passes.
KernelTraits plain_traits(const Problem& problem);

// KernelTraits::param_types of a layer whose first parameter is multiplied by activations, and so is of their
// type.
std::vector<tensor::DType> weight_read_as(const Problem& problem);

// Runs `make`, which throws dnnl::error for what the library does not have, and turns that into a reason.
template <class Make>
base::Verdict try_to(const Make& make) {
  try {
    make();
    return {};
  } catch (const dnnl::error& error) {
    return base::Reason{base::str("oneDNN: ", error.what())};
  }
}

// What a primitive family offers.
struct Offer {
  bool relu_epilogue = false;  // on a forward pass
  bool bf16 = false;           // beside f32, where the processor multiplies it
};

// The reasons that hold for every primitive.
base::Verdict check_common(const Problem& problem, const Offer& offer);

}  // namespace convoy::kernels::onednn
