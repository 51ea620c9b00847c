// A pass of the direct convolution as a kernel: a correlation, and where its arrays lie.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/kernels/cpu/conv_direct_correlation.h"
#include "convoy/kernels/cpu/conv_direct_grouped.h"
#include "convoy/kernels/cpu/conv_geometry.h"
#include "convoy/kernels/kernel.h"

namespace convoy::kernels::cpu {

// How the channels of a convolution fill blocks of one vector, which decides how its weights lie.
enum class ChannelForm : std::uint8_t {
  blocks,     // one group, or groups of whole blocks
  depthwise,  // a group a channel: vectors run across groups
  mixed,      // groups that share blocks: GroupedWeights
};
ChannelForm channel_form(const ConvGeometry& g, std::int64_t lanes);

// A 1x1 convolution without padding or stride knows no rows: an image is one, and tiles cross their ends.
bool is_pointwise(const ConvGeometry& g);

struct DirectPass {
  CorrelationSpec spec;
  std::optional<GroupedWeights> grouped;
  Layout weights;
  Layout image;  // of what the convolution's input is: x, or its gradient
};

// Units of blocks of output channels, two vectors each where a group has them.
struct BlockUnits {
  std::int64_t groups = 1;
  std::int64_t outputs = 1, inputs = 1;    // blocks a group
  std::int64_t x_block = 0, w_vector = 0;  // CorrelationSpec
};
std::vector<OutputUnit> block_units(const BlockUnits& of);
// One unit a block, which reads the input block of the same number.
std::vector<OutputUnit> depthwise_units(std::int64_t blocks, std::int64_t x_block, std::int64_t w_vector);

// The canonical layout of the weights with this tag, in which # stands for `lanes`. The tag is that of two
// spatial dimensions; of one, its last letter drops out.
Layout weight_layout(const Problem& problem, std::string_view tag, std::int64_t lanes);

// Refuses other families than blocked, other passes, and what ConvGeometry refuses.
base::Verdict supports_direct(const Problem& problem, Pass pass);

// The kernel of a forward or backward_data pass. Packed grouped weights are kept in `derived` in inference.
std::unique_ptr<Kernel> make_direct_pass(const Problem& problem, DirectPass pass);

// From the multiply-adds and tiles that the correlation counts.
double direct_pass_seconds(const Problem& problem, const machine::Machine& machine, const DirectPass& pass);

}  // namespace convoy::kernels::cpu
