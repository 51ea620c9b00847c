// The loops of the direct convolution, alike for forward and backward_data.
#pragma once

#include <cstdint>
#include <vector>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_direct_axis.h"
#include "convoy/kernels/cpu/conv_direct_taps.h"
#include "convoy/kernels/cpu/conv_direct_tile.h"

namespace convoy::kernels::cpu {

// Blocks of output channels that one tile makes, and what they read.
struct OutputUnit {
  std::int64_t block = 0;   // the first of them
  int vectors = 1;          // how many
  std::int64_t x = 0;       // where their input channels begin within a sample, in floats
  std::int64_t w = 0;       // where their weights begin, in floats
  std::int64_t blocks = 1;  // blocks of input channels that they sum over
};

// What is to be summed; all strides are in floats. Outputs lie in blocks of one vector of channels.
struct CorrelationSpec {
  std::int64_t samples = 1;
  std::vector<Axis> rows, columns;  // phases, each with each: the outputs of a sample
  std::vector<OutputUnit> units;    // the output channels
  std::int64_t channels = 1;        // of the outputs, unpadded

  std::int64_t x_sample = 0, x_block = 0, x_line = 0, x_pixel = 0;
  std::int64_t y_sample = 0, y_block = 0, y_line = 0, y_pixel = 0;
  std::int64_t w_block = 0, w_row = 0, w_column = 0,
               w_vector = 0;  // a block, a filter's row, a tap; a vector

  std::int64_t inner = 1;  // input channels of a block: one float, and one vector of weights, apart
  // channels; depthwise: each lane reads its own input channel, needs inner = 1 and units of 1 vector; taps:
  // for few blocks, needs inner = 1 and one phase of rows.
  TileForm form = TileForm::channels;
  bool relu = false;
};

struct CorrelationArrays {
  const float* x = nullptr;
  const float* w = nullptr;
  const float* bias = nullptr;  // plain, `channels` elements; null: 0
  float* y = nullptr;
};

// A prepared sum. The weights of some units stay in the level-2 cache while bands of rows of all samples pass
// by; sums too long for that are cut into chunks, which accumulate in y. Requires a processor with AVX2.
class Correlation {
 public:
  // Plans for the calling thread's thread count.
  explicit Correlation(CorrelationSpec spec);

  // y = bias + sum of x w, then relu; lanes of y beyond its channels become 0 where those of w are 0. Threads
  // over units, samples and bands; the same bits for every thread count.
  void run(const CorrelationArrays& arrays) const noexcept;

  // Vector multiply-adds of one call, and calls of a tile's code: what the time is made of.
  double products() const;
  double tiles() const;

 private:
  struct Step {  // of a row, for tiles of 1 and 2 vectors; offsets in floats
    TileStep tile;
    TileFunction function[kMaxTileVectors];
    std::int64_t x, y, w;
    std::vector<TilePartCall> parts;
    TapList taps;  // where they are listed
  };
  struct ColumnPhase {
    std::vector<Step> steps;
    std::int64_t x_step, y_step, x_tap, w_tap;
  };
  struct Chunk {
    base::IndexRange blocks, taps;
    bool first, last;
  };
  struct Item;

  void plan_columns();
  void plan_rows();
  void plan_chunks();
  void plan_items();
  void plan_segments(std::int64_t row_bytes);
  std::int64_t item_count() const;
  Step make_step(const Axis& axis, const TileStep& tile, const ColumnPhase& phase) const;
  TapList taps_of(const TileStep& tile, const ColumnPhase& phase) const;
  double products_of_sample() const;
  void run_items(const CorrelationArrays& arrays, base::IndexRange items) const;
  void run_item(const CorrelationArrays& arrays, const Chunk& chunk, std::int64_t index) const;
  void run_rows(TileCall call, const Chunk& chunk, base::IndexRange rows, base::IndexRange steps,
                int vectors) const;
  void run_row(TileCall& call, const Chunk& chunk, const ColumnPhase& phase, base::IndexRange steps,
               int vectors) const;

  CorrelationSpec spec_;
  std::vector<ColumnPhase> columns_;
  std::vector<std::vector<base::IndexRange>> row_taps_;  // of each row of each phase
  std::vector<Chunk> chunks_;
  std::int64_t rows_ = 0;                      // of the longest phase
  bool has_gaps_ = false;                      // outputs of a row that no tap meets, between others
  bool is_flat_ = false;                       // one row, cut into segments of one step each
  int groups_ = 1, bands_ = 1, segments_ = 1;  // parts of units, rows, steps
};

}  // namespace convoy::kernels::cpu
