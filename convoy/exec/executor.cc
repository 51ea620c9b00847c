#include "convoy/exec/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/bf16.h"
#include "convoy/kernels/convert.h"
#include "convoy/tensor/view.h"

namespace convoy::exec {
namespace {

using plan::Region;
using plan::Slot;
using plan::Step;
using plan::StepKind;
using tensor::DType;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Elements a thread should have at least, so that starting the team pays.
constexpr std::int64_t kGrain = 16384;

template <class T>
void add_into(const T* from, T* to, std::int64_t count) {
  base::parallel_for(count, kGrain, [&](base::IndexRange range) {
    for (std::int64_t i = range.begin; i < range.end; ++i) to[i] += from[i];
  });
}

void add_into(const tensor::BFloat16* from, tensor::BFloat16* to, std::int64_t count) {
  base::parallel_for(count, kGrain, [&](base::IndexRange range) { kernels::add_bf16(from, to, range); });
}

template <class T>
void fill(T* to, std::int64_t count, double value) {
  std::fill_n(to, count, static_cast<T>(value));
}
void fill(tensor::BFloat16* to, std::int64_t count, double value) {
  std::fill_n(to, count, tensor::to_bf16(static_cast<float>(value)));
}

// Calls `body` with a null pointer of the type, which is one that Programs fill and add.
template <class Body>
void with_type(DType type, const Body& body) {
  if (type == DType::f64) return body(static_cast<double*>(nullptr));
  if (type == DType::bf16) return body(static_cast<tensor::BFloat16*>(nullptr));
  CONVOY_CHECK(type == DType::f32, "sum of ", tensor::name(type));
  body(static_cast<float*>(nullptr));
}

// A compute step's pointers, laid out once; run() only replaces those whose memory changes between runs.
struct Call {
  std::vector<const void*> inputs, params, output_gradients;
  std::vector<void*> outputs, next_state, input_gradients, param_gradients;
};

// What a kernel derives from its parameters, kept between runs and for all its steps.
struct Derived {
  tensor::Buffer memory;
  std::vector<std::uint64_t> versions;  // by param: what it was made of; 0: of nothing lasting
};

// Passes a kernel's pieces of one segment's gradient on to the sink.
class Relay final : public kernels::GradientPieces {
 public:
  Relay(optim::GradientSink& sink, int segment) : sink_(sink), segment_(segment) {}
  Arrays expect(std::int64_t offset) const noexcept override { return sink_.expect(segment_, offset); }
  void take(std::int64_t offset, std::span<const float> gradient) noexcept override {
    sink_.take(segment_, {offset, offset + std::ssize(gradient)}, gradient);
  }

 private:
  optim::GradientSink& sink_;
  int segment_;
};

}  // namespace

class Executor::Impl {
 public:
  Impl(plan::Program p, const kernels::Catalog& catalog)
      : program_(std::move(p)),
        given_in_pieces_(plan::given_in_pieces(program_)),
        arena_(program_.arena_bytes),
        gradients_(program_.gradient_bytes),
        addresses_(program_.slots.size(), nullptr) {
    for (const plan::KernelCall& call : program_.kernels) {
      const kernels::KernelEntry* entry = kernels::find(catalog, call.problem.kind->op, call.entry);
      CONVOY_CHECK(entry != nullptr, "no kernel ", call.entry, " for ", call.problem.kind->op);
      kernels_.push_back(entry->make(call.problem));
      Derived& derived = derived_.emplace_back();
      if (call.traits.derived_bytes == 0) continue;
      derived.memory = tensor::Buffer(call.traits.derived_bytes);
      derived.versions.assign(call.problem.params.size(), 0);
    }
    for (std::size_t i = 0; i < program_.slots.size(); ++i) {
      const Slot& slot = program_.slots[i];
      if (slot.region == Region::arena) addresses_[i] = arena_.data() + slot.offset;
    }
    calls_.resize(program_.steps.size());
    converters_.resize(program_.steps.size());
    versions_.assign(program_.slots.size(), 0);
    for (std::size_t i = 0; i < program_.steps.size(); ++i) prepare(i);
  }

  const plan::Program& program() const { return program_; }
  void* address(int slot) const { return addresses_[at(slot)]; }

  double loss() const {
    CONVOY_CHECK(program_.loss_slot >= 0, "a predict Program has no loss");
    const void* value = address(program_.loss_slot);
    return program_.config.type == DType::f64 ? *static_cast<const double*>(value)
                                              : static_cast<double>(*static_cast<const float*>(value));
  }

  void run(const Bindings& bindings, StepTimes* times) {
    bind(bindings);
    if (times == nullptr) {
      for (std::size_t i = 0; i < program_.steps.size(); ++i) step(i, bindings);
      return;
    }
    times->seconds.resize(program_.steps.size(), 0.0);
    times->readings.resize(program_.steps.size() + 1);
    std::vector<double>& readings = times->readings;
    readings[0] = now();
    for (std::size_t i = 0; i < program_.steps.size(); ++i) {
      step(i, bindings);
      readings[i + 1] = now();
      times->seconds[i] += readings[i + 1] - readings[i];
    }
    times->total += readings.back() - readings.front();
    ++times->runs;
  }

 private:
  void prepare(std::size_t index) {
    const Step& step = program_.steps[index];
    if (step.kind == StepKind::convert) {
      const Slot& from = program_.slots[at(step.from)];
      const Slot& to = program_.slots[at(step.to)];
      // Behind a view, a plain array has another shape than the one whose layout is blocked.
      const tensor::Shape& shape = from.layout.is_plain() ? to.shape : from.shape;
      converters_[index] = kernels::make_converter({shape, from.type, from.layout, to.layout, to.type});
    }
    if (step.kind != StepKind::compute) return;
    const bool forward = program_.kernels[at(step.kernel)].problem.pass == kernels::Pass::forward;
    if (!forward && first_backward_ < 0) first_backward_ = static_cast<int>(index);
    Call& call = calls_[index];
    call.inputs.resize(step.operands.inputs.size());
    call.params.resize(step.operands.params.size());
    call.outputs.resize(step.operands.outputs.size());
    call.next_state.resize(step.operands.next_state.size());
    call.output_gradients.resize(step.operands.output_gradients.size());
    call.input_gradients.resize(step.operands.input_gradients.size());
    call.param_gradients.resize(step.operands.param_gradients.size());
  }

  // Whether what the step's kernel derived when it last ran is of the parameters that it gets now. Notes
  // these.
  bool still_derived(const plan::Operands& operands, Derived& derived) {
    bool same = !derived.versions.empty();
    for (std::size_t k = 0; k < derived.versions.size(); ++k) {
      const std::uint64_t now = operands.params[k] < 0 ? 0 : versions_[at(operands.params[k])];
      same = same && now != 0 && now == derived.versions[k];
      derived.versions[k] = now;
    }
    return same;
  }

  // Addresses that the caller owns. Parameters follow at their Acquire steps.
  void bind(const Bindings& bindings) {
    for (std::size_t i = 0; i < program_.slots.size(); ++i) {
      const Slot& slot = program_.slots[i];
      switch (slot.region) {
        case Region::input:
          addresses_[i] = const_cast<void*>(bindings.input);
          break;
        case Region::labels:
          addresses_[i] = const_cast<std::int32_t*>(bindings.labels);
          break;
        case Region::gradient:
          CONVOY_CHECK(bindings.gradients != nullptr, "a gradient step needs a gradient sink");
          addresses_[i] = gradient_address(i, *bindings.gradients);
          break;
        case Region::next_state:
          CONVOY_CHECK(bindings.state != nullptr, "the model has state: a gradient step needs a state sink");
          addresses_[i] = checked(bindings.state->buffer(slot.segment), slot);
          break;
        case Region::arena:
        case Region::parameter:
          break;
      }
    }
  }

  // Null where the gradient leaves in pieces as it forms.
  void* gradient_address(std::size_t index, optim::GradientSink& sink) const {
    const Slot& slot = program_.slots[index];
    if (!takes_pieces(slot, sink)) return checked(sink.buffer(slot.segment), slot);
    return given_in_pieces_[index] ? nullptr : gradients_.data() + slot.offset;
  }

  static bool takes_pieces(const Slot& slot, const optim::GradientSink& sink) {
    return slot.type == DType::f32 && sink.takes_pieces(slot.segment);
  }

  template <class V>
  static void* checked(const V& view, const Slot& slot) {
    CONVOY_CHECK(view.type() == slot.type && view.bytes() == slot.bytes, "slot ", slot.name, " wants ",
                 slot.bytes, " bytes of ", tensor::name(slot.type), " and got ", view.bytes(), " of ",
                 tensor::name(view.type()));
    return const_cast<void*>(static_cast<const void*>(view.data()));
  }

  template <class P>
  void gather(const std::vector<int>& slots, std::vector<P>& pointers) const {
    for (std::size_t k = 0; k < slots.size(); ++k)
      pointers[k] = slots[k] < 0 ? nullptr : addresses_[at(slots[k])];
  }

  void compute(std::size_t index, const Bindings& bindings) {
    const Step& step = program_.steps[index];
    const plan::Operands& o = step.operands;
    Call& call = calls_[index];
    gather(o.inputs, call.inputs);
    gather(o.params, call.params);
    gather(o.outputs, call.outputs);
    gather(o.next_state, call.next_state);
    gather(o.output_gradients, call.output_gradients);
    gather(o.input_gradients, call.input_gradients);
    gather(o.param_gradients, call.param_gradients);
    graph::EvalContext context = bindings.context;
    context.training = program_.config.mode == plan::StepConfig::Mode::gradient;
    context.layer_index = step.layer;
    std::optional<Relay> relay;
    if (o.in_pieces && call.param_gradients[0] == nullptr)
      relay.emplace(*bindings.gradients, program_.slots[at(o.param_gradients[0])].segment);
    kernels_[at(step.kernel)]->run({.inputs = call.inputs,
                                    .params = call.params,
                                    .outputs = call.outputs,
                                    .next_state = call.next_state,
                                    .output_gradients = call.output_gradients,
                                    .input_gradients = call.input_gradients,
                                    .param_gradients = call.param_gradients,
                                    .pieces = relay ? &*relay : nullptr,
                                    .saved = o.saved < 0 ? nullptr : address(o.saved),
                                    .workspace = o.workspace < 0 ? nullptr : address(o.workspace),
                                    .derived = derived_[at(step.kernel)].memory.data(),
                                    .derived_valid = still_derived(o, derived_[at(step.kernel)]),
                                    .context = &context});
  }

  void acquire(const Step& step, optim::ParamSource& params) {
    const auto phase = step.backward ? optim::Phase::backward : optim::Phase::forward;
    const optim::Acquired acquired = params.acquire(step.segment, phase);
    addresses_[at(step.to)] = checked(acquired.view, program_.slots[at(step.to)]);
    versions_[at(step.to)] = acquired.version;
  }

  void fill_slot(const Step& step) {
    const Slot& slot = program_.slots[at(step.to)];
    const std::int64_t count = slot.bytes / tensor::size_bytes(slot.type);
    with_type(slot.type,
              [&](auto* typed) { fill(static_cast<decltype(typed)>(address(step.to)), count, step.value); });
  }

  void reduce(const Step& step) {
    const Slot& slot = program_.slots[at(step.to)];
    const std::int64_t count = slot.bytes / tensor::size_bytes(slot.type);  // padding is zero in both
    with_type(slot.type, [&](auto* typed) {
      using Pointer = decltype(typed);
      add_into(static_cast<Pointer>(address(step.from)), static_cast<Pointer>(address(step.to)), count);
    });
  }

  // A gradient that is final. One that stands in the Program's own memory leaves it now, while it is in
  // cache.
  void announce(const Step& step, optim::GradientSink& sink) {
    const Slot& slot = program_.slots[at(step.from)];
    const std::int64_t count = program_.layout.segments[at(step.segment)].count;
    if (address(step.from) != nullptr && takes_pieces(slot, sink)) {
      const auto* gradient = static_cast<const float*>(address(step.from));
      base::parallel_for(count, kGrain, [&](base::IndexRange range) {
        sink.take(step.segment, range, {gradient + range.begin, static_cast<std::size_t>(range.size())});
      });
    }
    sink.ready(step.segment, {0, count}, true);
  }

  void step(std::size_t index, const Bindings& bindings) {
    const Step& step = program_.steps[index];
    switch (step.kind) {
      case StepKind::acquire:
        acquire(step, *bindings.params);
        break;
      case StepKind::compute:
        if (static_cast<int>(index) == first_backward_ && program_.loss_slot >= 0)
          bindings.gradients->loss(loss());
        compute(index, bindings);
        if (bindings.gradients != nullptr) bindings.gradients->poll();
        break;
      case StepKind::convert:
        converters_[index]->run(address(step.from), address(step.to));
        versions_[at(step.to)] = versions_[at(step.from)];
        break;
      case StepKind::fill:
        fill_slot(step);
        break;
      case StepKind::reduce_into:
        reduce(step);
        break;
      case StepKind::ready:
        announce(step, *bindings.gradients);
        break;
      case StepKind::mark:
        break;
    }
  }

  plan::Program program_;
  int first_backward_ = -1;              // step
  std::vector<bool> given_in_pieces_;    // by slot
  std::vector<std::uint64_t> versions_;  // by slot: of the parameters in it
  tensor::Buffer arena_;
  tensor::Buffer gradients_;  // that a sink takes when they are ready; untouched where it has arrays for them
  std::vector<void*> addresses_;  // by slot
  std::vector<std::unique_ptr<kernels::Kernel>> kernels_;
  std::vector<Derived> derived_;                                 // by kernel
  std::vector<Call> calls_;                                      // by step
  std::vector<std::unique_ptr<kernels::Converter>> converters_;  // by step
};

Executor::Executor(plan::Program program, const kernels::Catalog& catalog)
    : impl_(std::make_unique<Impl>(std::move(program), catalog)) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;

const plan::Program& Executor::program() const { return impl_->program(); }
void Executor::run(const Bindings& bindings, StepTimes* times) { impl_->run(bindings, times); }

double Executor::loss() const { return impl_->loss(); }

const void* Executor::output() const { return impl_->address(program().output_slot); }

}  // namespace convoy::exec
