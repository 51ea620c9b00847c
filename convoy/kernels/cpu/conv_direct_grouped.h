// Weights of a grouped convolution whose groups do not fill whole blocks of channels.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/kernels/cpu/conv_direct_correlation.h"
#include "convoy/kernels/cpu/conv_geometry.h"

namespace convoy::kernels::cpu {

// A block of output channels then belongs to several groups, or shares one with its neighbours. It sums over
// all blocks of input channels that its groups touch, with weights of 0 between channels of different groups:
// more products than needed, by at most the block over the channels of a group, but whole vectors. (So an
// infinite or undefined input of one group shows in its neighbours.) Of forward, outputs are k and inputs c;
// of backward_data it is the other way round.
class GroupedWeights {
 public:
  GroupedWeights(const ConvGeometry& g, std::int64_t lanes, bool backward_data);

  // One a block of output channels. x_block: floats between blocks of input channels.
  std::vector<OutputUnit> units(std::int64_t x_block) const;
  std::int64_t bytes() const;

  // out[block][input block][r][s][input channel][output channel] from weights [k][c of group][r][s]. Threads
  // over blocks.
  void pack(const float* weights, float* out) const noexcept;

 private:
  struct Span {  // of one block of outputs
    std::int64_t first_input_block, input_blocks, offset;
  };
  void pack_block(const float* weights, std::int64_t block, float* out) const;

  std::int64_t outputs_, outputs_per_group_, inputs_per_group_, taps_, lanes_;
  bool backward_data_;
  std::vector<Span> spans_;
};

}  // namespace convoy::kernels::cpu
