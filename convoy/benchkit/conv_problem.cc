#include "convoy/benchkit/conv_problem.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "convoy/layers/catalog.h"

namespace convoy::benchkit {
namespace {

using base::Reason;
using Numbers = std::vector<std::int64_t>;

constexpr std::string_view kLetters = "nchwkrqspdg";
constexpr std::int64_t kMostOfASize = std::int64_t{1} << 24;
constexpr std::int64_t kMostElements = std::int64_t{1} << 38;  // 1 TiB of float32

graph::Attributes attributes_of(const ConvProblem& p) {
  const graph::Attributes given = {
      {"output_channels", p.k},
      {"kernel_shape", Numbers{p.r, p.q}},
      {"strides", Numbers{p.stride_h, p.stride_w}},
      {"pads", Numbers(p.pads.begin(), p.pads.end())},
      {"dilations", Numbers{p.dilation_h, p.dilation_w}},
      {"group", p.groups},
      {"has_bias", std::int64_t{0}},
  };
  return graph::complete(given, layers::kConv.attributes).value();
}

base::Result<graph::Signature> signature_of(const ConvProblem& p) {
  const tensor::Shape input{p.n, p.c, p.h, p.w};
  return layers::kConv.infer(attributes_of(p), std::span(&input, 1));
}

// "3" or "3x1" at the front of `rest`, which loses it.
base::Result<Numbers> take_numbers(char letter, std::string_view& rest) {
  Numbers numbers;
  do {
    if (!numbers.empty()) rest.remove_prefix(1);  // the 'x'
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    const auto length = static_cast<std::size_t>(end - rest.data());
    if (error == std::errc::result_out_of_range || value > kMostOfASize)
      return Reason{base::str("the number after '", letter, "' is above ", kMostOfASize)};
    if (error != std::errc() || rest[0] == '-')
      return Reason{base::str("a whole number must follow '", letter, numbers.empty() ? "'" : "…x'")};
    numbers.push_back(value);
    rest.remove_prefix(length);
  } while (rest.starts_with('x'));
  return numbers;
}

// The numbers behind each letter of the text; where it is absent, nothing.
class Fields {
 public:
  static base::Result<Fields> parse(std::string_view text) {
    Fields fields;
    while (!text.empty()) {
      const char letter = text[0];
      const std::size_t at = kLetters.find(letter);
      if (at == std::string_view::npos)
        return Reason{base::str("'", text.substr(0, 12), "' begins with none of the letters ", kLetters)};
      if (fields.found_[at]) return Reason{base::str("'", letter, "' comes twice")};
      text.remove_prefix(1);
      auto numbers = take_numbers(letter, text);
      if (!numbers) return numbers.reason();
      const std::size_t most = letter == 'p' ? 4 : letter == 's' || letter == 'd' ? 2 : 1;
      const std::size_t count = numbers->size();
      if (count > most || count == 3)
        return Reason{base::str("'", letter, "' takes ",
                                most == 1   ? "one number"
                                : most == 2 ? "one or two numbers"
                                            : "one, two or four numbers",
                                ", not ", count)};
      fields.found_[at] = std::move(numbers).value();
    }
    for (const char letter : {'n', 'c', 'h', 'k', 'r'})
      if (!fields.get(letter)) return Reason{base::str("'", letter, "' is missing")};
    return fields;
  }

  const std::optional<Numbers>& get(char letter) const { return found_[kLetters.find(letter)]; }
  std::int64_t first(char letter, std::int64_t otherwise) const {
    return get(letter) ? get(letter)->front() : otherwise;
  }
  std::int64_t second(char letter, std::int64_t otherwise) const {
    return get(letter) ? get(letter)->at(get(letter)->size() > 1 ? 1 : 0) : otherwise;
  }
  std::array<std::int64_t, 4> four(char letter) const {
    if (get(letter) && get(letter)->size() == 4)
      return {get(letter)->at(0), get(letter)->at(1), get(letter)->at(2), get(letter)->at(3)};
    const std::int64_t down = first(letter, 0), across = second(letter, 0);
    return {down, across, down, across};
  }

 private:
  std::array<std::optional<Numbers>, kLetters.size()> found_;
};

std::string pair_text(char letter, std::int64_t down, std::int64_t across) {
  return down == across ? base::str(letter, down) : base::str(letter, down, 'x', across);
}

std::string pads_text(const std::array<std::int64_t, 4>& pads) {
  if (pads[0] == pads[2] && pads[1] == pads[3]) return pair_text('p', pads[0], pads[1]);
  return base::str('p', pads[0], 'x', pads[1], 'x', pads[2], 'x', pads[3]);
}

}  // namespace

base::Result<ConvProblem> ConvProblem::parse(std::string_view text) {
  const auto refuse = [&](const Reason& reason) {
    return Reason{base::str("convolution '", text.substr(0, 100), "': ", reason.text,
                            "; one is written like n32c64h56k64r3s1p1")};
  };
  const auto fields = Fields::parse(text);
  if (!fields) return refuse(fields.reason());
  ConvProblem p = {.n = fields->first('n', 1), .c = fields->first('c', 1), .h = fields->first('h', 1)};
  p.w = fields->first('w', p.h);
  p.k = fields->first('k', 1);
  p.r = fields->first('r', 1);
  p.q = fields->first('q', p.r);
  p.stride_h = fields->first('s', 1);
  p.stride_w = fields->second('s', 1);
  p.pads = fields->four('p');
  p.dilation_h = fields->first('d', 1);
  p.dilation_w = fields->second('d', 1);
  p.groups = fields->first('g', 1);
  if (const base::Verdict verdict = p.check(); !verdict) return refuse(verdict.reason());
  return p;
}

std::string ConvProblem::str() const {
  std::string text = base::str('n', n, 'c', c, 'h', h);
  if (w != h) text += base::str('w', w);
  text += base::str('k', k, 'r', r);
  if (q != r) text += base::str('q', q);
  text += pair_text('s', stride_h, stride_w) + pads_text(pads);
  if (dilation_h != 1 || dilation_w != 1) text += pair_text('d', dilation_h, dilation_w);
  if (groups != 1) text += base::str('g', groups);
  return text;
}

base::Verdict ConvProblem::check() const {
  struct Size {
    char letter;
    std::int64_t value;
  };
  for (const Size size :
       {Size{'n', n}, {'c', c}, {'h', h}, {'w', w}, {'k', k}, {'r', r}, {'q', q}, {'g', groups}})
    if (size.value < 1 || size.value > kMostOfASize)
      return Reason{base::str("'", size.letter, "' is ", size.value, "; it must be 1 to ", kMostOfASize)};
  // In floating point, because the products may be beyond 64 bits.
  const auto product = [](auto... values) { return (static_cast<double>(values) * ...); };
  const auto most = static_cast<double>(kMostElements);
  if (product(n, c, h, w) > most || product(k, c, r, q) > most)
    return Reason{base::str("its input or its filters have more than 2^38 elements")};
  const auto signature = signature_of(*this);
  if (!signature) return signature.reason();
  const tensor::Shape& y = signature->outputs[0];
  if (product(y[0], y[1], y[2], y[3]) > most)
    return Reason{base::str("its output has more than 2^38 elements")};
  return {};
}

kernels::Problem ConvProblem::kernel_problem(kernels::Pass pass, kernels::LayoutFamily family,
                                             bool training) const {
  const graph::Signature signature = signature_of(*this).value();
  kernels::Problem problem{.kind = &layers::kConv,
                           .attributes = attributes_of(*this),
                           .pass = pass,
                           .training = training,
                           .inputs = {{n, c, h, w}},
                           .params = signature.params,
                           .outputs = signature.outputs,
                           .family = family};
  if (pass == kernels::Pass::backward_data) problem.wanted = {true};
  return problem;
}

double ConvProblem::flops() const {
  const tensor::Shape y = signature_of(*this).value().outputs[0];
  return 2 * static_cast<double>(y.count()) * static_cast<double>(c / groups * r * q);
}

std::int64_t ConvProblem::bytes() const {
  const graph::Signature signature = signature_of(*this).value();
  return 4 * (n * c * h * w + signature.params[0].shape.count() + signature.outputs[0].count());
}

}  // namespace convoy::benchkit
