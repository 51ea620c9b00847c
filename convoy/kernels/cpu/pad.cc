// Pad of channels alone, in float32: in every family of layouts a sample's channels are one contiguous run
// (channels innermost: a pixel's), so that each run of y is some elements of `value`, a run of x, and more of
// `value`.
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/family.h"

namespace convoy::kernels::cpu {
namespace {

// Elements that one thread takes at least: waking the team costs about as much as these.
constexpr std::int64_t kGrain = 8192;

// Numbers of elements, padding of blocks included.
struct Runs {
  std::int64_t count = 0;  // of runs
  std::int64_t before = 0, kept = 0, behind = 0;

  std::int64_t padded() const { return before + kept + behind; }
};

bool is_blocked(const Problem& problem, LayoutFamily family) {
  return problem.family == family && problem.inputs[0].rank() >= 3;
}

Runs runs_of(const Problem& problem) {
  const tensor::Shape& x = problem.inputs[0];
  const auto& pads = problem.attributes.integers("pads");
  const std::int64_t before = pads[1], behind = pads[static_cast<std::size_t>(x.rank()) + 1];
  if (is_blocked(problem, LayoutFamily::channels_last))
    return {.count = x[0] * x.count_from(2), .before = before, .kept = x[1], .behind = behind};
  const bool has_sample_blocks = is_blocked(problem, LayoutFamily::batch_blocked);
  const std::int64_t block = has_sample_blocks ? family_block() : 1, map = x.count_from(2) * block;
  return {.count = (x[0] + block - 1) / block,
          .before = before * map,
          .kept = x[1] * map,
          .behind = behind * map};
}

class Pad final : public Kernel {
 public:
  explicit Pad(const Problem& problem)
      : forward_(problem.pass == Pass::forward),
        runs_(runs_of(problem)),
        value_(static_cast<float>(problem.attributes.real("value"))) {
    traits_.inputs = {activation_layout(problem.inputs[0], problem.family)};
    traits_.outputs = {activation_layout(problem.outputs[0], problem.family)};
    traits_.reads_inputs = {false};
    traits_.reads_outputs = {false};
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return "copy"; }

  void run(const KernelArgs& args) const noexcept override {
    const auto* from = static_cast<const float*>(forward_ ? args.inputs[0] : args.output_gradients[0]);
    auto* to = static_cast<float*>(forward_ ? args.outputs[0] : args.input_gradients[0]);
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain / runs_.padded());
    base::parallel_for(runs_.count, grain, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i)
        forward_ ? pad(from + i * runs_.kept, to + i * runs_.padded())
                 : cut(from + i * runs_.padded(), to + i * runs_.kept);
    });
  }

 private:
  void pad(const float* x, float* y) const {
    std::fill_n(y, runs_.before, value_);
    std::copy_n(x, runs_.kept, y + runs_.before);
    std::fill_n(y + runs_.before + runs_.kept, runs_.behind, value_);
  }
  void cut(const float* dy, float* dx) const { std::copy_n(dy + runs_.before, runs_.kept, dx); }

  bool forward_;
  Runs runs_;
  float value_;
  KernelTraits traits_;
};

base::Verdict check_blocks(const Problem& problem) {
  const tensor::Shape& x = problem.inputs[0];
  const std::int64_t block = family_block(), before = problem.attributes.integers("pads")[1];
  if (is_blocked(problem, LayoutFamily::blocked) &&
      (before % block != 0 || x[1] % block != 0 || problem.outputs[0][1] % block != 0))
    return base::Reason{base::str("channels before, within and behind in blocks of ", block, " only")};
  if (is_blocked(problem, LayoutFamily::batch_blocked) && x[0] % block != 0 &&
      problem.attributes.real("value") != 0)
    return base::Reason{"a block of samples with places left must be filled up with zeros"};
  return {};
}

base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"no relu behind padding"};
  if (problem.pass != Pass::forward && problem.pass != Pass::backward_data)
    return base::Reason{"Pad has no parameters"};
  const auto& pads = problem.attributes.integers("pads");
  const std::size_t rank = pads.size() / 2;
  for (std::size_t d = 0; d < pads.size(); ++d)
    if (pads[d] < 0 || (pads[d] > 0 && d % rank != 1)) return base::Reason{"only channels that are added"};
  return check_blocks(problem);
}

}  // namespace

KernelEntry pad_entry() {
  return {.name = "copy",
          .op = "Pad",
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<Pad>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.5); },
          .error_growth = [](const Problem&) { return 0.0; }};
}

}  // namespace convoy::kernels::cpu
