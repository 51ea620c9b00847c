#include "convoy/layers/support.h"

#include <bit>
#include <charconv>
#include <cmath>

#include "convoy/base/check.h"

namespace convoy::layers {
namespace {

constexpr std::int64_t kMaxOperations = std::int64_t{1} << 52;

}  // namespace

bool advance(std::vector<std::int64_t>& index, const std::vector<std::int64_t>& sizes) {
  for (std::size_t d = sizes.size(); d-- > 0;) {
    if (++index[d] < sizes[d]) return true;
    index[d] = 0;
  }
  return false;
}

std::int64_t ceil_log2(std::int64_t n) {
  CONVOY_CHECK(n >= 1, "n = ", n);
  return std::bit_width(static_cast<std::uint64_t>(n - 1));
}

base::Result<int> sample_axis(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    return base::Reason{base::str("axis ", axis, " is outside the input's ", rank, " dimensions")};
  const auto dimension = static_cast<int>(axis < 0 ? axis + rank : axis);
  if (dimension == 0) return base::Reason{base::str("axis ", axis, " is the batch")};
  return dimension;
}

base::Result<graph::Initialiser> parse_initialiser(std::string_view text, const Fans& fans) {
  using Rule = graph::Initialiser::Rule;
  graph::Initialiser initialiser{.fan_in = fans.in, .fan_out = fans.out};
  const std::size_t colon = text.find(':');
  const std::string_view rule = text.substr(0, colon);
  const bool has_number = colon != std::string_view::npos;
  double number = 0;
  if (has_number) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(number))
      return base::Reason{base::str("initialiser \"", text, "\": \"", digits, "\" is no number")};
  }
  if (rule == "he" && !has_number) {
    initialiser.rule = Rule::he_normal;
  } else if (rule == "glorot" && !has_number) {
    initialiser.rule = Rule::glorot_uniform;
  } else if (rule == "gaussian" && has_number && number >= 0) {
    initialiser.rule = Rule::gaussian;
    initialiser.stddev = number;
  } else if (rule == "constant" && has_number) {
    initialiser.rule = Rule::constant;
    initialiser.value = number;
  } else {
    return base::Reason{
        base::str("initialiser \"", text, "\"; known are he, glorot, gaussian:STDDEV, constant:VALUE")};
  }
  return initialiser;
}

base::Verdict check_work(const tensor::Shape& output, std::int64_t operations) {
  std::int64_t total = operations;
  for (const std::int64_t size : output)
    if (__builtin_mul_overflow(total, size, &total) || total > kMaxOperations)
      return base::Reason{base::str(operations, " operations for each of ", output.str(),
                                    " outputs are more than any machine can do")};
  return {};
}

base::Result<graph::Signature> same_shape(const graph::Attributes&, std::span<const tensor::Shape> inputs) {
  return graph::Signature{.outputs = {inputs[0]}, .params = {}};
}

graph::Work elementwise_work(std::span<const tensor::Shape> inputs, std::int64_t flops, std::int64_t depth,
                             const ElementWork& backward) {
  const std::int64_t elements = inputs[0].count();
  return {.other_flops = elements * flops,
          .other_flops_backward = elements * backward.flops,
          .depth = depth,
          .depth_backward_data = backward.depth};
}

}  // namespace convoy::layers
