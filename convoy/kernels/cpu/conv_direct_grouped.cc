#include "convoy/kernels/cpu/conv_direct_grouped.h"

#include <algorithm>

#include "convoy/base/threads.h"

namespace convoy::kernels::cpu {

GroupedWeights::GroupedWeights(const ConvGeometry& g, std::int64_t lanes, bool backward_data)
    : outputs_(backward_data ? g.c : g.k),
      outputs_per_group_(backward_data ? g.c_per_group() : g.k_per_group()),
      inputs_per_group_(backward_data ? g.k_per_group() : g.c_per_group()),
      taps_(g.r * g.s),
      lanes_(lanes),
      backward_data_(backward_data) {
  std::int64_t offset = 0;
  for (std::int64_t first = 0; first < outputs_; first += lanes_) {
    const std::int64_t last = std::min(first + lanes_, outputs_) - 1;
    const std::int64_t begin = first / outputs_per_group_ * inputs_per_group_ / lanes_;
    const std::int64_t end = ((last / outputs_per_group_ + 1) * inputs_per_group_ + lanes_ - 1) / lanes_;
    spans_.push_back({begin, end - begin, offset});
    offset += (end - begin) * taps_ * lanes_ * lanes_;
  }
}

std::vector<OutputUnit> GroupedWeights::units(std::int64_t x_block) const {
  std::vector<OutputUnit> units;
  for (const Span& span : spans_)
    units.push_back({.block = static_cast<std::int64_t>(units.size()),
                     .x = span.first_input_block * x_block,
                     .w = span.offset,
                     .blocks = span.input_blocks});
  return units;
}

std::int64_t GroupedWeights::bytes() const {
  const Span& last = spans_.back();
  return (last.offset + last.input_blocks * taps_ * lanes_ * lanes_) *
         static_cast<std::int64_t>(sizeof(float));
}

void GroupedWeights::pack(const float* weights, float* out) const noexcept {
  base::parallel_for(static_cast<std::int64_t>(spans_.size()), 1, [&](base::IndexRange range) {
    for (std::int64_t block = range.begin; block < range.end; ++block) pack_block(weights, block, out);
  });
}

void GroupedWeights::pack_block(const float* weights, std::int64_t block, float* out) const {
  const Span& span = spans_[static_cast<std::size_t>(block)];
  float* to = out + span.offset;
  std::fill_n(to, span.input_blocks * taps_ * lanes_ * lanes_, 0.0F);
  for (std::int64_t o = block * lanes_; o < std::min((block + 1) * lanes_, outputs_); ++o) {
    const std::int64_t group = o / outputs_per_group_;
    for (std::int64_t member = 0; member < inputs_per_group_; ++member) {
      const std::int64_t i = group * inputs_per_group_ + member;
      const float* from = weights + (backward_data_ ? i * outputs_per_group_ + o % outputs_per_group_
                                                    : o * inputs_per_group_ + member) *
                                        taps_;
      float* at =
          to + ((i / lanes_ - span.first_input_block) * taps_ * lanes_ + i % lanes_) * lanes_ + o % lanes_;
      for (std::int64_t tap = 0; tap < taps_; ++tap) at[tap * lanes_ * lanes_] = from[tap];
    }
  }
}

}  // namespace convoy::kernels::cpu
