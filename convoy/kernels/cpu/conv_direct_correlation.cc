#include "convoy/kernels/cpu/conv_direct_correlation.h"

#include <algorithm>
#include <utility>

#include "convoy/base/check.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

constexpr std::int64_t kFloat = sizeof(float);
// Shares of a level-2 cache of 1 MiB, the rest of which holds outputs and what the prefetchers guess.
constexpr std::int64_t kWeights_bytes = 384 << 10;
constexpr std::int64_t kInputs_bytes = 256 << 10;
// Work a thread takes at least, in vector multiply-adds: waking the team costs about as much.
constexpr double kGrain_products = 10000;
// Items for each thread where there is a choice, so that the last ones do not leave the others waiting.
constexpr std::int64_t kItemsPerThread = 8;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

base::IndexRange intersect(base::IndexRange a, base::IndexRange b) {
  const base::IndexRange both{std::max(a.begin, b.begin), std::min(a.end, b.end)};
  return both.size() > 0 ? both : base::IndexRange{0, 0};
}

int part_count(std::int64_t count, std::int64_t most) {
  return static_cast<int>(ceil_div(count, std::max<std::int64_t>(most, 1)));
}

// Parts of [0, count), at least `wanted` where there are as many elements: all alike in size if some number
// up to twice that allows it, else of one element each, so that threads come out even.
int even_parts(std::int64_t count, std::int64_t wanted) {
  for (std::int64_t parts = wanted; parts <= std::min(2 * wanted, count); ++parts)
    if (count % parts == 0) return static_cast<int>(parts);
  return static_cast<int>(count);
}

}  // namespace

Correlation::Correlation(CorrelationSpec spec) : spec_(std::move(spec)) {
  CONVOY_CHECK(spec_.inner == 1 || spec_.form == TileForm::channels, spec_.inner, " inner channels");
  CONVOY_CHECK(spec_.rows.size() == 1 || spec_.form != TileForm::taps, spec_.rows.size(), " phases of rows");
  plan_columns();
  plan_rows();
  plan_chunks();
  plan_items();
}

void Correlation::plan_columns() {
  for (const Axis& axis : spec_.columns) {
    ColumnPhase phase{.steps = {},
                      .x_step = axis.in_step * spec_.x_pixel,
                      .y_step = axis.out_step * spec_.y_pixel,
                      .x_tap = axis.in_tap_step * spec_.x_pixel,
                      .w_tap = axis.tap_step * spec_.w_column};
    if (axis.taps == 0) {
      has_gaps_ = true;
      continue;
    }
    for (const TileStep& tile : tile_steps(axis, widest_tile()))
      phase.steps.push_back(make_step(axis, tile, phase));
    columns_.push_back(std::move(phase));
  }
}

Correlation::Step Correlation::make_step(const Axis& axis, const TileStep& tile,
                                         const ColumnPhase& phase) const {
  Step step{.tile = tile,
            .function = {},
            .x = axis.input_of(tile.begin, tile.tap) * spec_.x_pixel,
            .y = (axis.first + tile.begin * axis.out_step) * spec_.y_pixel,
            .w = (axis.tap_first + tile.tap * axis.tap_step) * spec_.w_column,
            .parts = {},
            .taps = taps_of(tile, phase)};
  for (int v = 0; v < (spec_.form == TileForm::depthwise ? 1 : kMaxTileVectors); ++v)
    step.function[v] = tile_function({v + 1, tile.width, phase.x_step, spec_.form});
  for (const TilePart& part : tile.parts)
    step.parts.push_back({.x = (part.tap - tile.tap) * phase.x_tap,
                          .w = (part.tap - tile.tap) * phase.w_tap,
                          .columns = part.taps,
                          .inner = spec_.inner,
                          .outputs = ((1U << part.width) - 1) << (part.begin - tile.begin)});
  return step;
}

TapList Correlation::taps_of(const TileStep& tile, const ColumnPhase& phase) const {
  if (spec_.form != TileForm::taps) return {};
  const Axis& rows = spec_.rows[0];
  return list_taps(tile, {.rows = std::max<std::int64_t>(rows.taps, 1),
                          .x_row = rows.in_tap_step * spec_.x_line,
                          .x_tap = phase.x_tap,
                          .w_row = rows.tap_step * spec_.w_row,
                          .w_tap = phase.w_tap});
}

void Correlation::plan_rows() {
  for (const Axis& axis : spec_.rows) {
    std::vector<base::IndexRange> taps;
    for (std::int64_t i = 0; i < axis.count; ++i) taps.push_back(axis.taps_of(i));
    rows_ = std::max(rows_, axis.count);
    row_taps_.push_back(std::move(taps));
  }
}

void Correlation::plan_chunks() {
  std::int64_t blocks = 0, vectors = 0, taps = 0;
  for (const OutputUnit& unit : spec_.units) {
    blocks = std::max(blocks, unit.blocks);
    vectors = std::max<std::int64_t>(vectors, unit.vectors);
  }
  for (const Axis& axis : spec_.rows) taps = std::max(taps, axis.taps);
  const std::int64_t block_bytes = vectors * spec_.w_block * kFloat;
  const int block_parts = part_count(blocks, kWeights_bytes / block_bytes);
  const int tap_parts =
      block_bytes <= kWeights_bytes ? 1 : part_count(taps, taps * kWeights_bytes / block_bytes);
  for (int b = 0; b < block_parts; ++b)
    for (int t = 0; t < tap_parts; ++t)
      chunks_.push_back({.blocks = base::split_range(blocks, block_parts, b),
                         .taps = base::split_range(taps, tap_parts, t),
                         .first = b + t == 0,
                         .last = b == block_parts - 1 && t == tap_parts - 1});
}

std::int64_t Correlation::item_count() const { return groups_ * spec_.samples * bands_ * segments_; }

void Correlation::plan_items() {
  const auto units = static_cast<std::int64_t>(spec_.units.size());
  const std::int64_t blocks = chunks_[0].blocks.size(),
                     taps_share = static_cast<std::int64_t>(chunks_.size());
  const OutputUnit& unit = spec_.units[0];
  const std::int64_t unit_bytes = unit.vectors * unit.blocks * spec_.w_block * kFloat / taps_share;
  const std::int64_t row_bytes = blocks * spec_.x_line * spec_.rows[0].in_step * kFloat;
  groups_ = part_count(units, kWeights_bytes / std::max<std::int64_t>(unit_bytes, 1));
  bands_ = part_count(rows_, kInputs_bytes / row_bytes);
  plan_segments(row_bytes);
  if (base::thread_count() == 1) return;
  const std::int64_t wanted = kItemsPerThread * base::thread_count();
  if (item_count() < wanted) bands_ = even_parts(rows_, ceil_div(wanted, item_count() / bands_));
  if (item_count() < wanted) groups_ = even_parts(units, ceil_div(wanted, item_count() / groups_));
}

// Cuts a row that is all of an image into runs of tiles: short enough for the inputs' share of the cache, and
// for every thread to have some.
void Correlation::plan_segments(std::int64_t row_bytes) {
  is_flat_ = rows_ == 1 && spec_.rows.size() == 1 && spec_.rows[0].taps > 0 && !has_gaps_ &&
             columns_.size() == 1 &&
             std::all_of(columns_[0].steps.begin(), columns_[0].steps.end(),
                         [](const Step& s) { return s.parts.empty(); });
  if (!is_flat_) return;
  const std::int64_t threads = base::thread_count();
  std::vector<Step> cut;
  for (const Step& step : columns_[0].steps) {
    const std::int64_t tile_bytes = row_bytes / spec_.columns[0].in_size * step.tile.width;
    int parts = part_count(step.tile.runs, kInputs_bytes / std::max<std::int64_t>(tile_bytes, 1));
    if (threads > 1 && groups_ * spec_.samples * parts < kItemsPerThread * threads)
      parts = even_parts(step.tile.runs, kItemsPerThread * threads);
    for (int part = 0; part < parts; ++part) {
      const base::IndexRange runs = base::split_range(step.tile.runs, parts, part);
      Step piece = step;
      piece.tile.runs = runs.size();
      piece.x += runs.begin * step.tile.width * columns_[0].x_step;
      piece.y += runs.begin * step.tile.width * columns_[0].y_step;
      cut.push_back(piece);
    }
  }
  columns_[0].steps = std::move(cut);
  segments_ = static_cast<int>(columns_[0].steps.size());
}

double Correlation::products_of_sample() const {
  double row_taps = 0, column_taps = 0, unit_blocks = 0;
  for (const auto& phase : row_taps_)
    for (const base::IndexRange& taps : phase) row_taps += static_cast<double>(taps.size());
  for (const ColumnPhase& phase : columns_)
    for (const Step& step : phase.steps) {
      column_taps += static_cast<double>(step.tile.width * step.tile.taps * step.tile.runs);
      for (const TilePart& part : step.tile.parts) column_taps += static_cast<double>(part.width * part.taps);
    }
  for (const OutputUnit& unit : spec_.units) unit_blocks += static_cast<double>(unit.vectors * unit.blocks);
  return row_taps * column_taps * unit_blocks * static_cast<double>(spec_.inner);
}

double Correlation::products() const { return static_cast<double>(spec_.samples) * products_of_sample(); }

double Correlation::tiles() const {
  double rows = 0, steps = 0;
  for (const auto& phase : row_taps_) rows += static_cast<double>(phase.size());
  for (const ColumnPhase& phase : columns_)
    for (const Step& step : phase.steps) steps += static_cast<double>(step.tile.runs);
  return rows * steps * static_cast<double>(spec_.units.size() * chunks_.size()) *
         static_cast<double>(spec_.samples);
}

void Correlation::run(const CorrelationArrays& arrays) const noexcept {
  const std::int64_t items = item_count();
  // As many parts as threads that have work enough: whole items each, alike in number.
  const double worth = std::max(products() / kGrain_products, 1.0);
  const auto parts = static_cast<std::int64_t>(std::min<double>(worth, base::thread_count()));
  const std::int64_t grain = parts >= base::thread_count() ? 1 : ceil_div(items, parts);
  base::parallel_for(items, grain, [&](base::IndexRange range) { run_items(arrays, range); });
}

// Items are numbered with segments innermost, then bands, samples and groups of units.
void Correlation::run_items(const CorrelationArrays& arrays, base::IndexRange items) const {
  const std::int64_t of_group = item_count() / groups_;
  for (std::int64_t begin = items.begin; begin < items.end;) {
    const std::int64_t end = std::min(items.end, (begin / of_group + 1) * of_group);
    for (const Chunk& chunk : chunks_)
      for (std::int64_t i = begin; i < end; ++i) run_item(arrays, chunk, i);
    begin = end;
  }
}

void Correlation::run_item(const CorrelationArrays& arrays, const Chunk& chunk, std::int64_t index) const {
  const auto segment = static_cast<int>(index % segments_),
             band = static_cast<int>(index / segments_ % bands_);
  const std::int64_t sample = index / segments_ / bands_ % spec_.samples;
  const auto group = static_cast<int>(index / segments_ / bands_ / spec_.samples);
  const base::IndexRange units =
      base::split_range(static_cast<std::int64_t>(spec_.units.size()), groups_, group);
  const base::IndexRange rows = base::split_range(rows_, bands_, band), steps{segment, segment + 1};
  const std::int64_t lanes = simd_lanes();
  for (std::int64_t u = units.begin; u < units.end; ++u) {
    const OutputUnit& unit = spec_.units[static_cast<std::size_t>(u)];
    const base::IndexRange blocks = intersect(chunk.blocks, {0, unit.blocks});
    TileCall call{.x = arrays.x + sample * spec_.x_sample + unit.x + blocks.begin * spec_.x_block,
                  .w = arrays.w + unit.w + blocks.begin * spec_.w_block,
                  .y = arrays.y + sample * spec_.y_sample + unit.block * spec_.y_block,
                  .bias = arrays.bias == nullptr ? nullptr : arrays.bias + unit.block * lanes,
                  .bias_lanes = spec_.channels - unit.block * lanes,
                  .blocks = blocks.size(),
                  .inner = spec_.inner,
                  .x_block = spec_.x_block,
                  .w_block = spec_.w_block,
                  .w_vector = spec_.w_vector,
                  .y_vector = spec_.y_block};
    run_rows(call, chunk, rows, steps, unit.vectors);
  }
}

// `call` has the offsets of the unit. Rows and columns that no tap meets (gradients below a stride above the
// filter) become 0, whole lines at once: that is faster than their tiles would be.
void Correlation::run_rows(TileCall call, const Chunk& chunk, base::IndexRange rows, base::IndexRange steps,
                           int vectors) const {
  const float *x = call.x, *w = call.w;
  float* y = call.y;
  for (std::size_t p = 0; p < spec_.rows.size(); ++p) {
    const Axis& axis = spec_.rows[p];
    call.x_row = axis.in_tap_step * spec_.x_line;
    call.w_row = axis.tap_step * spec_.w_row;
    for (std::int64_t i = rows.begin; i < std::min(rows.end, axis.count); ++i) {
      const base::IndexRange taps = intersect(row_taps_[p][static_cast<std::size_t>(i)], chunk.taps);
      call.rows = taps.size();
      call.x = x + (call.rows > 0 ? axis.input_of(i, taps.begin) * spec_.x_line : 0);
      call.w = w + (axis.tap_first + taps.begin * axis.tap_step) * spec_.w_row;
      call.y = y + (axis.first + i * axis.out_step) * spec_.y_line;
      if (chunk.first && (has_gaps_ || axis.taps == 0))
        for (int v = 0; v < vectors; ++v) std::fill_n(call.y + v * spec_.y_block, spec_.y_line, 0.0F);
      if (axis.taps == 0) continue;
      for (const ColumnPhase& phase : columns_)
        run_row(call, chunk, phase,
                is_flat_ ? steps : base::IndexRange{0, static_cast<std::int64_t>(phase.steps.size())},
                vectors);
    }
  }
}

// `call` has the offsets of the row, and has them again behind. A copy of it would be read in pieces wider
// than those just written, which waits until the stores of the tile before are through.
void Correlation::run_row(TileCall& call, const Chunk& chunk, const ColumnPhase& phase,
                          base::IndexRange steps, int vectors) const {
  const float *x = call.x, *w = call.w;
  float* y = call.y;
  call.step = phase.x_step;
  call.y_step = phase.y_step;
  call.accumulate = !chunk.first;
  call.relu = spec_.relu && chunk.last;
  const bool is_empty = call.blocks * call.rows == 0;
  if (is_empty && call.accumulate && !call.relu) return;
  call.x_column = phase.x_tap;
  call.w_column = phase.w_tap;
  for (std::int64_t i = steps.begin; i < steps.end; ++i) {
    const Step& step = phase.steps[static_cast<std::size_t>(i)];
    call.x = x + step.x;
    call.w = w + step.w;
    call.y = y + step.y;
    call.runs = step.tile.runs;
    call.parts = step.parts.data();
    call.part_count = static_cast<std::int64_t>(step.parts.size());
    call.x_run = step.tile.width * phase.x_step;
    call.y_run = step.tile.width * phase.y_step;
    call.columns = step.tile.taps;
    call.whole_taps = {step.taps.whole.data(), static_cast<std::size_t>(call.rows * step.taps.whole_of_row)};
    call.some_taps = {step.taps.some.data(), static_cast<std::size_t>(call.rows * step.taps.some_of_row)};
    step.function[vectors - 1](call);
  }
  call.x = x;
  call.w = w;
  call.y = y;
}

}  // namespace convoy::kernels::cpu
