// Convolution by oneDNN's direct and GEMM implementations, in the layouts that the library asks for.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/onednn/conv-inl.h"
#include "convoy/kernels/onednn/entries.h"

namespace convoy::kernels::onednn {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// How reluctantly an implementation is taken; none: never. Measured on LeNet-5 and AlexNet, AVX-512:
// im2col and GEMM reach a third of the direct ones; batch-reduce GEMM needs a vector of input channels
// (6 channels: 162 us against 132); the gradient of at most 8 input channels is faster in vectors of 8
// (283 us against 350), which costs nothing where channels are innermost.
std::optional<int> reluctance(const Problem& problem, const std::string& implementation) {
  const std::int64_t channels = problem.params[0].shape[1];
  if (contains(implementation, "ref")) return std::nullopt;
  if (contains(implementation, "gemm:")) return 2;
  if (contains(implementation, "brgconv") && channels < 16) return 1;
  const bool narrow =
      problem.pass == Pass::backward_data && problem.family == LayoutFamily::channels_last && channels <= 8;
  return narrow && contains(implementation, "avx512") ? 1 : 0;
}

constexpr ConvMethod kDirect{.algorithm = dnnl::algorithm::convolution_direct, .reluctance = reluctance};

base::Verdict supports(const Problem& problem) { return check_conv(problem, kDirect); }

std::unique_ptr<Kernel> make(const Problem& problem) { return make_conv(problem, kDirect); }

// Vectors run along the channels that the pass writes, padded to whole vectors, and the padding is computed
// like the rest; in depthwise convolutions they run across the groups. docs/algorithms.md, "Choosing a plan",
// has the measurements behind the shares of peak.
double seconds(const Problem& problem, const machine::Machine& machine) {
  const std::string name = conv_implementation(problem, kDirect);
  if (contains(name, "gemm")) return roofline_seconds(problem, machine, 0.25);
  const bool is_avx512 = contains(name, "avx512");
  const std::int64_t lanes = is_avx512 ? 16 : 8;
  const std::int64_t groups = problem.attributes.integer("group");
  const std::int64_t written =
      problem.pass == Pass::backward_data ? problem.inputs[0][1] : problem.outputs[0][1];
  const std::int64_t channels = written == groups ? written : written / groups;
  const double useful =
      static_cast<double>(channels) / static_cast<double>((channels + lanes - 1) / lanes * lanes);
  const double width = is_avx512 || machine.isa != "avx512" ? 1 : 0.65;  // of half-wide vectors, by processor
  const double products = problem.type == tensor::DType::bf16 ? 2 : 1;   // in a multiply-add
  return roofline_seconds(problem, machine, 0.93 * products * width * useful);
}

}  // namespace

KernelEntry conv_entry() {
  return {.name = "onednn",
          .op = "Conv",
          .supports = supports,
          .make = make,
          .seconds = seconds,
          .error_growth = convolution_error_growth};
}

}  // namespace convoy::kernels::onednn
