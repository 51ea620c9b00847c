// A convolution's forward pass, or a part of its backward_data, as products of column matrix and weights.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_lowering.h"

namespace convoy::kernels::cpu {

// What is multiplied and where it lies. Images are in blocks of L = simd_lanes() channels, each group's
// channels in whole blocks; strides count floats.
struct GatherSpec {
  Lowering lowering;  // from source to grid pixels
  std::int64_t images = 1;
  std::int64_t groups = 1;
  std::int64_t source_channels = 1;  // of a group
  std::int64_t target_panels = 1;    // of a group: blocks of the channels that are written
  // Grid pixel (i, j) is target pixel (i target_stride_h + target_row, j target_stride_w + target_column).
  std::int64_t target_h = 0, target_w = 0;
  std::int64_t target_stride_h = 1, target_stride_w = 1;
  std::int64_t target_row = 0, target_column = 0;
  // Where the L x L weights of entry block * taps + tap begin, from their panel's begin.
  std::vector<std::int64_t> weight_blocks;
  std::int64_t weight_panel_stride = 0;
  std::int64_t weight_group_stride = 0;
  std::int64_t bias_count = 0;  // values of a group, if there is a bias
  bool relu = false;
  bool whole_images = false;  // the column matrix of whole images, not of what fits the second cache
  int threads = 1;            // that the work is cut for
  // The work is cut as if there were so many entries, grid rows and grid columns; 0: as there are. Products
  // that interleave their grids in one target are cut alike then.
  std::int64_t cut_entries = 0, cut_rows = 0, cut_columns = 0;
};

struct GatherOperands {
  const float* source = nullptr;
  const float* weights = nullptr;
  const float* bias = nullptr;  // or null
  float* target = nullptr;
};

// target[n, j, pixel] = sum over blocks, taps and channels of the column matrix times the weights, + bias,
// relu. The work is cut into units (images x pixels x panels), disjoint in what they write. A unit multiplies
// a chunk of the depth at a time: it lowers the chunk into its thread's scratch, unless the column matrix is
// the source itself, and calls multiply_panels.
class GatherProduct {
 public:
  explicit GatherProduct(GatherSpec spec);

  std::int64_t units() const { return spec_.groups * image_parts_ * row_parts_ * panel_parts_; }
  // Floats that one thread needs.
  std::int64_t scratch_count() const;
  // In the calling thread.
  void run_units(base::IndexRange units, const GatherOperands& operands, float* scratch) const noexcept;

 private:
  struct Unit;

  void cut();
  Unit unit(std::int64_t index) const;
  void run_unit(const Unit& unit, const GatherOperands& operands, float* scratch) const noexcept;
  void lower(const Unit& unit, const float* source, base::IndexRange entries, float* scratch) const noexcept;
  // Floats between one block's source pixels and the next block's.
  std::int64_t source_stride() const;

  GatherSpec spec_;
  std::int64_t lanes_ = 0;
  bool is_identity_ = false;        // nothing is lowered
  bool is_contiguous_ = false;      // grid pixels follow one another in the target
  std::int64_t source_blocks_ = 0;  // of a group
  std::int64_t entries_ = 0;        // blocks * taps
  std::int64_t idle_steps_ = 0;     // at the end of the last entry, known to be padding
  std::int64_t chunk_ = 1;          // entries multiplied at a time
  std::int64_t image_parts_ = 1, row_parts_ = 1, panel_parts_ = 1;
  // Rows are pixels where the target is contiguous, else grid rows.
  std::int64_t rows_ = 0, row_grain_ = 1;
};

}  // namespace convoy::kernels::cpu
