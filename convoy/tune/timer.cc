#include "convoy/tune/timer.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/graph/layer_kind.h"
#include "convoy/tensor/view.h"

namespace convoy::tune {
namespace {

using kernels::Pass;
using kernels::Problem;
using tensor::Buffer;
using tensor::DType;

// Bytes of a period of values that fill an array over and over: odd, so that no two rows are alike.
constexpr std::size_t kPeriod = 4099;

template <class T>
void fill(Buffer& buffer) {
  base::RandomStream random(1, base::Purpose::test, 7, 0);
  std::vector<T> period(kPeriod);
  for (T& value : period) {
    if constexpr (std::is_same_v<T, tensor::BFloat16>)
      value = tensor::to_bf16(static_cast<float>(random.uniform(-1, 1)));
    else
      value = static_cast<T>(random.uniform(-1, 1));
  }
  auto* out = reinterpret_cast<T*>(buffer.data());
  const std::int64_t count = buffer.bytes() / static_cast<std::int64_t>(sizeof(T));
  // By the team, so that each thread's part lies near it.
  base::parallel_for(count, kPeriod, [&](base::IndexRange range) {
    for (std::int64_t i = range.begin; i < range.end; i += kPeriod)
      std::memcpy(out + i, period.data(),
                  static_cast<std::size_t>(std::min<std::int64_t>(kPeriod, range.end - i)) * sizeof(T));
  });
}

bool is_label(const Problem& problem, std::size_t input) {
  return problem.kind->traits.takes_labels && input + 1 == problem.inputs.size();
}

// The arrays of one problem in the layouts of one kernel.
class Arrays {
 public:
  Arrays(const Problem& problem, const kernels::KernelTraits& traits) {
    const bool forward = problem.pass == Pass::forward;
    const bool data = !forward && problem.pass != Pass::backward_weights;
    const bool weights = !forward && problem.pass != Pass::backward_data;
    const DType master = kernels::master_type(problem.type);
    for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
      const Place place{traits.inputs[i], problem.inputs[i], problem.type};
      const bool label = is_label(problem, i);
      const bool read = forward || traits.reads_inputs[i];
      inputs_.push_back(!read ? nullptr : label ? zeros(problem.inputs[i].count() * 4) : values(place));
      input_gradients_.push_back(data && !label && problem.wanted[i] ? values(place) : nullptr);
    }
    for (std::size_t i = 0; i < problem.params.size(); ++i) {
      const graph::ParamSpec& param = problem.params[i];
      const Place place{traits.params[i], param.shape, master};
      const Place read{traits.params[i], param.shape,
                       traits.param_types.empty() ? master : traits.param_types[i]};
      const bool state = param.kind == tensor::SegmentKind::state;
      params_.push_back(problem.pass == Pass::backward_weights ? nullptr : values(read));
      next_state_.push_back(forward && problem.training && state ? values(place) : nullptr);
      param_gradients_.push_back(weights && !state ? values(place) : nullptr);
    }
    for (std::size_t i = 0; i < problem.outputs.size(); ++i) {
      const Place place{traits.outputs[i], problem.outputs[i], problem.type};
      outputs_.push_back(forward || traits.reads_outputs[i] ? values(place) : nullptr);
      output_gradients_.push_back(forward ? nullptr : values(place));
    }
    if (traits.workspace_bytes > 0) workspace_ = zeros(traits.workspace_bytes);
    if (traits.derived_bytes > 0) derived_ = zeros(traits.derived_bytes);
    context_.training = problem.training;
    context_.global_batch =
        std::max<std::int64_t>(1, problem.inputs[0].rank() > 0 ? problem.inputs[0][0] : 1);
  }

  void call(const kernels::Kernel& kernel, void* saved, bool derived_valid) const {
    kernel.run({.inputs = inputs_,
                .params = params_,
                .outputs = outputs_,
                .next_state = next_state_,
                .output_gradients = output_gradients_,
                .input_gradients = input_gradients_,
                .param_gradients = param_gradients_,
                .saved = saved,
                .workspace = workspace_,
                .derived = derived_,
                .derived_valid = derived_valid,
                .context = &context_});
  }

 private:
  struct Place {
    const kernels::Layout& layout;
    const tensor::Shape& shape;
    DType type;
  };

  void* values(const Place& place) {
    Buffer& buffer = buffers_.emplace_back(place.layout.storage_bytes(place.shape, place.type));
    if (place.type == DType::f64)
      fill<double>(buffer);
    else if (place.type == DType::bf16)
      fill<tensor::BFloat16>(buffer);
    else
      fill<float>(buffer);
    return buffer.data();
  }
  void* zeros(std::int64_t bytes) {
    Buffer& buffer = buffers_.emplace_back(bytes);
    std::memset(buffer.data(), 0, static_cast<std::size_t>(bytes));
    return buffer.data();
  }

  std::vector<Buffer> buffers_;
  std::vector<const void*> inputs_, params_, output_gradients_;
  std::vector<void*> outputs_, next_state_, input_gradients_, param_gradients_;
  void* workspace_ = nullptr;
  void* derived_ = nullptr;
  graph::EvalContext context_;
};

class Timer final : public KernelTimer {
 public:
  Timer(const kernels::KernelEntry& entry, const Problem& problem, const base::Clock& clock)
      : problem_(problem),
        clock_(clock),
        kernel_(entry.make(problem_)),
        arrays_(problem_, kernel_->traits()) {
    if (kernel_->traits().saved_bytes == 0) return;
    saved_ = Buffer(kernel_->traits().saved_bytes);
    if (problem_.pass != Pass::forward) save(entry);
  }

  const kernels::KernelTraits& traits() const override { return kernel_->traits(); }

  KernelTime measure(const TimingConfig& config) override {
    CONVOY_CHECK(config.least_repetitions >= 1, config.least_repetitions, " repetitions");
    std::vector<double> times;
    if (!warm_) {
      const double first = call();
      warm_ = true;
      if (first > std::max(config.give_up_seconds, config.budget_seconds)) times = {first};
    }
    double spent = 0;
    const int least = times.empty() ? config.least_repetitions : 0;
    while (static_cast<int>(times.size()) < least ||
           (least > 0 && spent < config.budget_seconds &&
            static_cast<int>(times.size()) < config.most_repetitions)) {
      times.push_back(call());
      spent += times.back();
    }
    std::sort(times.begin(), times.end());
    return {times.front(), times[times.size() / 2], static_cast<int>(times.size())};
  }

 private:
  double call() {
    const double begin = clock_.now();
    arrays_.call(*kernel_, saved_.data(), warm_ && !problem_.training);
    return clock_.now() - begin;
  }

  // What backward reads of forward must be what forward writes: it may hold indices.
  void save(const kernels::KernelEntry& entry) {
    Problem forward = problem_;
    forward.pass = Pass::forward;
    forward.training = true;
    const auto kernel = entry.make(forward);
    CONVOY_CHECK(kernel->traits().saved_bytes == saved_.bytes(), entry.name, " saves ",
                 kernel->traits().saved_bytes, " bytes and reads ", saved_.bytes());
    Arrays(forward, kernel->traits()).call(*kernel, saved_.data(), false);
  }

  Problem problem_;
  const base::Clock& clock_;
  std::unique_ptr<kernels::Kernel> kernel_;
  Arrays arrays_;
  Buffer saved_;
  bool warm_ = false;
};

}  // namespace

std::unique_ptr<KernelTimer> make_kernel_timer(const kernels::KernelEntry& entry, const Problem& problem,
                                               const base::Clock& clock) {
  return std::make_unique<Timer>(entry, problem, clock);
}

}  // namespace convoy::tune
