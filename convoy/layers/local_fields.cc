#include "convoy/layers/local_fields.h"

namespace convoy::layers {

LocalFields::LocalFields(const Window& window, std::int64_t channels, std::int64_t maps)
    : channels_(at(channels)),
      maps_(at(maps)),
      places_(at(window.output_count())),
      pixels_(at(window.input_count())),
      taps_(at(window.kernel_count())),
      offsets_(tap_offsets(window)) {}

// Calls visit(code index, products); products(f) calls f(x index, w index) for each product of its sum.
template <class Visit>
void LocalFields::for_each_code(Visit&& visit) const {
  for (std::size_t p = 0; p < places_; ++p) {
    const std::int64_t* offsets = offsets_.data() + p * taps_;
    for (std::size_t k = 0; k < maps_; ++k)
      visit(k * places_ + p, [&](auto&& product) {
        for (std::size_t c = 0; c < channels_; ++c)
          for (std::size_t r = 0; r < taps_; ++r)
            if (offsets[r] >= 0)
              product(c * pixels_ + at(offsets[r]), ((p * maps_ + k) * channels_ + c) * taps_ + r);
      });
  }
}

void LocalFields::encode(std::span<const double> x, std::span<const double> w, std::span<double> code) const {
  for_each_code([&](std::size_t i, const auto& products) {
    double sum = code[i];
    products([&](std::size_t ix, std::size_t iw) { sum += w[iw] * x[ix]; });
    code[i] = sum;
  });
}

void LocalFields::decode(std::span<const double> code, std::span<const double> w, std::span<double> x) const {
  for_each_code([&](std::size_t i, const auto& products) {
    products([&](std::size_t ix, std::size_t iw) { x[ix] += w[iw] * code[i]; });
  });
}

void LocalFields::weigh(std::span<const double> x, std::span<const double> code, std::span<double> w) const {
  for_each_code([&](std::size_t i, const auto& products) {
    products([&](std::size_t ix, std::size_t iw) { w[iw] += code[i] * x[ix]; });
  });
}

base::Result<tensor::Shape> local_weights(const Window& window, std::int64_t channels, std::int64_t maps) {
  constexpr double kMost = 1LL << 40;
  if (maps < 1 || maps > (std::int64_t{1} << 31))
    return base::Reason{base::str("output_channels is ", maps, "; at least 1 is wanted")};
  const double count = static_cast<double>(window.output_count()) * static_cast<double>(maps) *
                       static_cast<double>(channels) * static_cast<double>(window.kernel_count());
  if (count > kMost) return base::Reason{"the weight is too large"};
  return tensor::Shape{window.output_count(), maps, channels * window.kernel_count()};
}

}  // namespace convoy::layers
