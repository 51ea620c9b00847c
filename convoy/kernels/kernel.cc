#include "convoy/kernels/kernel.h"

#include <array>

namespace convoy::kernels {
namespace {

constexpr std::array<std::string_view, 4> kPassNames{"forward", "backward_data", "backward_weights",
                                                     "backward"};
constexpr std::array<std::string_view, 2> kEpilogueNames{"none", "relu"};
constexpr std::array<std::string_view, 4> kFamilyNames{"plain", "channels_last", "blocked", "batch_blocked"};

std::string join(const std::vector<tensor::Shape>& shapes) {
  std::string text;
  for (const tensor::Shape& shape : shapes) text += (text.empty() ? "" : ",") + shape.str();
  return text;
}

}  // namespace

std::string_view name(Pass pass) { return kPassNames.at(static_cast<std::size_t>(pass)); }
std::string_view name(Epilogue epilogue) { return kEpilogueNames.at(static_cast<std::size_t>(epilogue)); }
tensor::DType master_type(tensor::DType activations) {
  return activations == tensor::DType::bf16 ? tensor::DType::f32 : activations;
}

std::string_view name(LayoutFamily family) { return kFamilyNames.at(static_cast<std::size_t>(family)); }

base::Result<LayoutFamily> parse_layout_family(std::string_view text) {
  for (std::size_t i = 0; i < kFamilyNames.size(); ++i)
    if (kFamilyNames[i] == text) return static_cast<LayoutFamily>(i);
  return base::Reason{base::str("layout family \"", text,
                                "\" is unknown; there are plain, channels_last, blocked and batch_blocked")};
}

std::string Problem::str() const {
  std::string text =
      base::str(kind == nullptr ? "?" : kind->op, ' ', kernels::name(pass), ' ', join(inputs), " -> ",
                join(outputs), ' ', attributes.str(), ' ', tensor::name(type), ' ', kernels::name(family));
  if (pass == Pass::forward && !training) text += " inference";
  if (epilogue != Epilogue::none) text += base::str(' ', kernels::name(epilogue));
  return text;
}

}  // namespace convoy::kernels
