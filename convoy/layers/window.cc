#include "convoy/layers/window.h"

#include <algorithm>
#include <numeric>

#include "convoy/base/check.h"
#include "convoy/layers/support.h"

namespace convoy::layers {
namespace {

using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t kMaxSize = std::int64_t{1} << 24;  // keeps every product below in 64 bits
constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

std::int64_t product(const Sizes& sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return count;
}

// Whether the product of the sizes stays in a range where every later product fits into 64 bits.
bool is_moderate(const Sizes& sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes)
    if (__builtin_mul_overflow(count, size, &count) || count > kMaxElements) return false;
  return true;
}

struct SizesRule {
  std::string_view name;
  std::size_t length;
  std::int64_t least;
  std::int64_t default_value;
};

base::Result<Sizes> read_sizes(const graph::Attributes& attributes, const SizesRule& rule) {
  if (!attributes.has(rule.name) || attributes.integers(rule.name).empty())
    return Sizes(rule.length, rule.default_value);
  const Sizes& sizes = attributes.integers(rule.name);
  if (sizes.size() != rule.length)
    return base::Reason{
        base::str(rule.name, " has ", sizes.size(), " entries; the input wants ", rule.length)};
  for (const std::int64_t size : sizes)
    if (size < rule.least || size > kMaxSize)
      return base::Reason{
          base::str(rule.name, " has the entry ", size, "; allowed are ", rule.least, " to ", kMaxSize)};
  return sizes;
}

enum class Padding { explicit_pads, valid, same_upper, same_lower };

base::Result<Padding> read_auto_pad(const graph::Attributes& attributes) {
  const std::string& text = attributes.text("auto_pad");
  if (text == "NOTSET") return Padding::explicit_pads;
  for (const std::int64_t pad : attributes.integers("pads"))
    if (pad != 0) return base::Reason{base::str("pads are given beside auto_pad=", text)};
  if (text == "VALID") return Padding::valid;
  if (text == "SAME_UPPER") return Padding::same_upper;
  if (text == "SAME_LOWER") return Padding::same_lower;
  return base::Reason{
      base::str("auto_pad is \"", text, "\"; known are NOTSET, VALID, SAME_UPPER, SAME_LOWER")};
}

// Fills pads and output of dimension d; false when no window fits.
bool place(Window& window, std::size_t d, Padding padding, bool ceil_mode) {
  const std::int64_t extent = (window.kernel[d] - 1) * window.dilations[d] + 1;
  const std::int64_t input = window.input[d], stride = window.strides[d];
  if (padding == Padding::same_upper || padding == Padding::same_lower) {
    window.output[d] = (input + stride - 1) / stride;
    const std::int64_t total = std::max<std::int64_t>(0, (window.output[d] - 1) * stride + extent - input);
    window.pads_begin[d] = padding == Padding::same_upper ? total / 2 : total - total / 2;
    window.pads_end[d] = total - window.pads_begin[d];
    return window.output[d] >= 1;
  }
  const std::int64_t slack = input + window.pads_begin[d] + window.pads_end[d] - extent;
  if (slack < 0) return false;
  window.output[d] = slack / stride + 1;
  if (ceil_mode && padding == Padding::explicit_pads && slack % stride != 0 &&
      window.output[d] * stride < input + window.pads_begin[d])
    ++window.output[d];
  return true;
}

base::Result<Window> read_window(const graph::Attributes& attributes, const tensor::Shape& input) {
  const auto rank = static_cast<std::size_t>(input.rank() - 2);
  Window window;
  window.input.assign(input.begin() + 2, input.end());
  if (attributes.integers("kernel_shape").empty()) return base::Reason{"kernel_shape is required"};
  Sizes pads;
  const std::pair<Sizes*, SizesRule> fields[] = {{&window.kernel, {"kernel_shape", rank, 1, 1}},
                                                 {&window.strides, {"strides", rank, 1, 1}},
                                                 {&window.dilations, {"dilations", rank, 1, 1}},
                                                 {&pads, {"pads", 2 * rank, 0, 0}}};
  for (const auto& [field, rule] : fields) {
    base::Result<Sizes> sizes = read_sizes(attributes, rule);
    if (!sizes) return sizes.reason();
    *field = std::move(sizes).value();
  }
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(rank);
  window.pads_begin.assign(pads.begin(), middle);
  window.pads_end.assign(middle, pads.end());
  window.output.assign(rank, 0);
  return window;
}

}  // namespace

std::int64_t Window::kernel_count() const { return product(kernel); }
std::int64_t Window::input_count() const { return product(input); }
std::int64_t Window::output_count() const { return product(output); }

base::Result<Window> resolve_window(const graph::Attributes& attributes, const tensor::Shape& input) {
  if (input.rank() < 3)
    return base::Reason{
        base::str("the input has ", input.rank(), " dimensions; {N, C, spatial...} is wanted")};
  base::Result<Window> read = read_window(attributes, input);
  if (!read) return read.reason();
  const base::Result<Padding> padding = read_auto_pad(attributes);
  if (!padding) return padding.reason();
  const std::int64_t ceil_mode = attributes.has("ceil_mode") ? attributes.integer("ceil_mode") : 0;
  if (ceil_mode != 0 && ceil_mode != 1)
    return base::Reason{base::str("ceil_mode is ", ceil_mode, ", not 0 or 1")};
  Window window = std::move(read).value();
  for (std::size_t d = 0; d < window.kernel.size(); ++d)
    if (!place(window, d, *padding, ceil_mode != 0))
      return base::Reason{base::str("a window of ", (window.kernel[d] - 1) * window.dilations[d] + 1,
                                    " does not fit into spatial dimension ", d, ", ", window.input[d],
                                    " and padding ", window.pads_begin[d], " + ", window.pads_end[d])};
  if (!is_moderate(window.kernel) || !is_moderate(window.output))
    return base::Reason{"kernel or output has more than 2^40 positions"};
  return window;
}

base::Verdict check_windows_hold_input(const Window& window) {
  const auto refusal = [](std::int64_t o, std::size_t d) {
    return base::Reason{base::str("window ", o, " of spatial dimension ", d, " holds only padding")};
  };
  for (std::size_t d = 0; d < window.kernel.size(); ++d) {
    const std::int64_t stride = window.strides[d], before = window.pads_begin[d];
    const std::int64_t in_padding = std::min(window.output[d], (before + stride - 1) / stride);
    for (std::int64_t o = 0; o < in_padding; ++o) {
      const std::int64_t first = o * stride - before;
      // The first tap that is not before the input; the window holds input if it exists and is inside.
      const std::int64_t skipped = (-first + window.dilations[d] - 1) / window.dilations[d];
      if (skipped >= window.kernel[d] || first + skipped * window.dilations[d] >= window.input[d])
        return refusal(o, d);
    }
    // The others begin inside, or behind the end: those from this one on.
    const std::int64_t behind = (window.input[d] + before + stride - 1) / stride;
    if (behind < window.output[d]) return refusal(behind, d);
  }
  return {};
}

tensor::Shape window_output(const Window& window, std::int64_t n, std::int64_t channels) {
  Sizes sizes = {n, channels};
  sizes.insert(sizes.end(), window.output.begin(), window.output.end());
  return tensor::Shape(std::move(sizes));
}

std::vector<std::int64_t> tap_offsets(const Window& window) {
  std::vector<std::int64_t> offsets;
  offsets.reserve(static_cast<std::size_t>(window.output_count() * window.kernel_count()));
  const std::size_t rank = window.kernel.size();
  Sizes o(rank, 0), k(rank, 0);
  do {
    do {
      std::int64_t offset = 0;
      for (std::size_t d = 0; d < rank && offset >= 0; ++d) {
        const std::int64_t i = o[d] * window.strides[d] - window.pads_begin[d] + k[d] * window.dilations[d];
        offset = i < 0 || i >= window.input[d] ? -1 : offset * window.input[d] + i;
      }
      offsets.push_back(offset);
    } while (advance(k, window.kernel));
  } while (advance(o, window.output));
  return offsets;
}

std::int64_t window_depth(const Window& window) {
  std::int64_t depth = 0;
  for (const std::int64_t size : window.kernel) depth += ceil_log2(size);
  return depth;
}

std::int64_t overlap_depth(const Window& window) {
  std::int64_t depth = 0;
  for (std::size_t d = 0; d < window.kernel.size(); ++d) {
    // Taps that meet one input position differ by multiples of this.
    const std::int64_t period = window.strides[d] / std::gcd(window.strides[d], window.dilations[d]);
    depth += ceil_log2((window.kernel[d] + period - 1) / period);
  }
  return depth;
}

}  // namespace convoy::layers
