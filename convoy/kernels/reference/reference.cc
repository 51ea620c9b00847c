// The layer kinds' own float64 definition as kernels: slow, single-threaded, and right. float32 arrays are
// widened into the workspace, computed in float64 and rounded once.
#include <algorithm>

#include "convoy/base/check.h"
#include "convoy/kernels/catalog.h"
#include "convoy/kernels/cost.h"
#include "convoy/tensor/view.h"

namespace convoy::kernels {
namespace {

using tensor::ConstView;
using tensor::DType;
using tensor::View;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + tensor::kAlignment_bytes - 1) / tensor::kAlignment_bytes * tensor::kAlignment_bytes;
}

// Hands out float64 arrays from the workspace, in call order.
class Scratch {
 public:
  explicit Scratch(void* workspace) : next_(static_cast<std::byte*>(workspace)) {}
  double* take(std::int64_t count) {
    auto* array = reinterpret_cast<double*>(next_);
    next_ += aligned(count * static_cast<std::int64_t>(sizeof(double)));
    return array;
  }

 private:
  std::byte* next_;
};

// An array computed in float64 that goes back to the caller's float32 afterwards.
struct Rounding {
  const double* from;
  float* to;
  std::int64_t count;
};

// The views of one call and what must happen after it. It allocates: the reference is the oracle and the
// last resort, and stands outside the promise that the fast kernels keep.
class CallViews {
 public:
  CallViews(const Problem& problem, const KernelArgs& args)
      : problem_(problem), scratch_(args.workspace), narrow_(problem.type == DType::f32) {
    const bool forward = problem.pass == Pass::forward;
    for (std::size_t i = 0; i < problem.inputs.size(); ++i)
      inputs.push_back(is_label(i) ? ConstView(args.inputs[i], DType::i32, problem.inputs[i])
                                   : read(args.inputs[i], problem.inputs[i]));
    for (std::size_t i = 0; i < problem.params.size(); ++i)
      params.push_back(read(args.params[i], problem.params[i].shape));
    for (std::size_t i = 0; i < problem.outputs.size(); ++i)
      outputs.push_back(forward ? write(args.outputs[i], problem.outputs[i])
                                : reread(args.outputs[i], problem.outputs[i]));
    forward ? add_state(args) : add_gradients(args);
  }

  void round_all() const {
    for (const Rounding& r : roundings_)
      for (std::int64_t i = 0; i < r.count; ++i) r.to[i] = static_cast<float>(r.from[i]);
  }

  std::vector<ConstView> inputs, params, output_gradients;
  std::vector<View> outputs, next_state, input_gradients, param_gradients;

 private:
  bool is_label(std::size_t input) const {
    return problem_.kind->traits.takes_labels && input + 1 == problem_.inputs.size();
  }

  void add_state(const KernelArgs& args) {
    for (std::size_t i = 0; i < problem_.params.size(); ++i)
      next_state.push_back(
          write(i < args.next_state.size() ? args.next_state[i] : nullptr, problem_.params[i].shape));
  }

  void add_gradients(const KernelArgs& args) {
    const bool data = problem_.pass != Pass::backward_weights, weights = problem_.pass != Pass::backward_data;
    for (std::size_t i = 0; i < problem_.outputs.size(); ++i)
      output_gradients.push_back(read(args.output_gradients[i], problem_.outputs[i]));
    for (std::size_t i = 0; i < problem_.inputs.size(); ++i)
      input_gradients.push_back(data && i < args.input_gradients.size()
                                    ? write(args.input_gradients[i], problem_.inputs[i])
                                    : View());
    for (std::size_t i = 0; i < problem_.params.size(); ++i)
      param_gradients.push_back(weights && i < args.param_gradients.size()
                                    ? write(args.param_gradients[i], problem_.params[i].shape)
                                    : View());
  }

  double* widen(const void* data, std::int64_t count) {
    double* wide = scratch_.take(count);
    std::copy_n(static_cast<const float*>(data), count, wide);
    return wide;
  }

  // An array that the pass does not need keeps its shape: definitions take sizes from it.
  ConstView read(const void* data, const tensor::Shape& shape) {
    if (data == nullptr) return {nullptr, DType::f64, shape};
    if (!narrow_) return {data, DType::f64, shape};
    return {widen(data, shape.count()), DType::f64, shape};
  }

  View reread(void* data, const tensor::Shape& shape) {
    if (data == nullptr) return {nullptr, DType::f64, shape};
    if (!narrow_) return {data, DType::f64, shape};
    return {widen(data, shape.count()), DType::f64, shape};
  }

  View write(void* data, const tensor::Shape& shape) {
    if (data == nullptr) return {};
    if (!narrow_) return {data, DType::f64, shape};
    double* wide = scratch_.take(shape.count());
    roundings_.push_back({wide, static_cast<float*>(data), shape.count()});
    return {wide, DType::f64, shape};
  }

  const Problem& problem_;
  Scratch scratch_;
  bool narrow_;
  std::vector<Rounding> roundings_;
};

// Room for every array of any pass in float64; parameters twice, for their gradients or next state.
std::int64_t workspace_bytes(const Problem& problem) {
  if (problem.type != DType::f32) return 0;
  std::int64_t bytes = 0;
  const auto twice = [&](const tensor::Shape& shape) {
    bytes += 2 * aligned(shape.count() * static_cast<std::int64_t>(sizeof(double)));
  };
  for (const tensor::Shape& shape : problem.inputs) twice(shape);
  for (const tensor::Shape& shape : problem.outputs) twice(shape);
  for (const graph::ParamSpec& param : problem.params) twice(param.shape);
  return bytes;
}

class ReferenceKernel final : public Kernel {
 public:
  explicit ReferenceKernel(const Problem& problem) : problem_(problem) {
    traits_.inputs.resize(problem.inputs.size());
    traits_.params.resize(problem.params.size());
    traits_.outputs.resize(problem.outputs.size());
    traits_.workspace_bytes = workspace_bytes(problem);
    const bool backward = problem.pass != Pass::forward;
    traits_.reads_inputs.assign(problem.inputs.size(), backward);
    traits_.reads_outputs.assign(problem.outputs.size(), false);  // references recompute what they need
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "reference"; }

  void run(const KernelArgs& args) const noexcept override {
    const graph::EvalContext standard;
    CallViews views(problem_, args);
    const graph::ReferenceArgs reference{.attributes = problem_.attributes,
                                         .context = args.context == nullptr ? standard : *args.context,
                                         .inputs = views.inputs,
                                         .params = views.params,
                                         .outputs = views.outputs,
                                         .next_state = views.next_state,
                                         .output_gradients = views.output_gradients,
                                         .input_gradients = views.input_gradients,
                                         .param_gradients = views.param_gradients};
    if (problem_.pass == Pass::forward) {
      problem_.kind->forward(reference);
      if (problem_.epilogue == Epilogue::relu) clamp(views);
    } else {
      problem_.kind->backward(reference);
    }
    views.round_all();
  }

 private:
  static void clamp(CallViews& views) {
    for (const View& output : views.outputs)
      for (double& y : output.as<double>()) y = y <= 0 ? 0 : y;
  }

  Problem problem_;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.type != DType::f32 && problem.type != DType::f64)
    return base::Reason{base::str("the reference takes f32 and f64, not ", tensor::name(problem.type))};
  if (problem.family != LayoutFamily::plain)
    return base::Reason{base::str("the reference works in plain layout, not ", name(problem.family))};
  if (problem.epilogue != Epilogue::none && problem.pass != Pass::forward)
    return base::Reason{"a backward pass has no epilogue"};
  if (problem.pass == Pass::backward && !problem.kind->traits.joint_backward)
    return base::Reason{base::str(problem.kind->op, " has two separate backward passes")};
  if (problem.pass == Pass::backward_weights && problem.params.empty())
    return base::Reason{base::str(problem.kind->op, " has no parameters")};
  return {};
}

std::unique_ptr<Kernel> make(const Problem& problem) { return std::make_unique<ReferenceKernel>(problem); }

// One thread, scalar, with index arithmetic for every product: under a hundredth of peak.
double seconds(const Problem& problem, const machine::Machine& machine) {
  return roofline_seconds(problem, machine, 0.003);
}

// Rounded once, half a unit; the float64 sums add less than the other half for any size that fits memory.
double error_growth(const Problem&) { return 1; }

}  // namespace

Catalog reference_catalog() {
  return {{.name = "reference",
           .op = "*",
           .supports = supports,
           .make = make,
           .seconds = seconds,
           .error_growth = error_growth}};
}

}  // namespace convoy::kernels
