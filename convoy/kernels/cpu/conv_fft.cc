// Convolution in the frequency domain by our own real transforms, tiled by overlap-save.
//
// Tiles of maps and filters are transformed along their rows into [frequency v][tile][channel block][row].
// Then each v is worked off by one thread while its spectra are in cache: columns forward, for each frequency
// u the product of matrices (tiles x C) (C x K), columns back. Only the rows of real data and of needed
// outputs are transformed, and whole spectra exist of one v at a time.
//   forward           Y[v,u] = X[v,u] conj(W[v,u]), a sum over C; W in "Abcd16a"
//   backward_data     the same of dY with filters turned by half a turn, a sum over K; W in "aBcd16b"
//   backward_weights  dW[v,u] = X[v,u] conj(dY[v,u]), a sum over tiles; dW in "Abcd16a"
// Source: Mathieu, Henaff, LeCun (2013); Vasilache et al. (2014); Winograd-like tiling of the frequency
// domain.
#include "convoy/kernels/cpu/conv_fft.h"

#include <algorithm>
#include <string>

#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/conv_fft_plan.h"
#include "convoy/kernels/cpu/conv_fft_product.h"
#include "convoy/kernels/cpu/conv_geometry.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/fft.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/family.h"
#include "convoy/kernels/layout_map.h"

namespace convoy::kernels::cpu {
namespace {

constexpr std::int64_t kMaxWorkspace_bytes = 512 << 20;
constexpr std::int64_t kLeanWorkspace_bytes = 16 << 20;
constexpr std::int64_t kMinFilter = 3;
// First layers: so few input channels are taken in plain NCHW, of which a block would be mostly padding.
constexpr std::int64_t kMaxPlainChannels = 4;
// Results above this are written past the caches.
constexpr std::int64_t kStream_bytes = 16 << 20;

// Maps of one array, nChw{L}c.
struct Maps {
  std::int64_t blocks = 0, height = 0, width = 0;
};

class ConvFft final : public Kernel {
 public:
  ConvFft(const Problem& problem, std::int64_t max_workspace_bytes)
      : g_(ConvGeometry::of(problem).value()),
        p_(plan_conv_fft(g_, problem.pass, simd_lanes(), base::thread_count(), max_workspace_bytes).value()),
        on_rows_(find_fft(p_.shape.columns.points)),
        on_columns_(find_fft(p_.shape.rows.points)),
        multiply_(find_complex_product()) {
    const tensor::Shape& weight = problem.params[0].shape;
    const std::string block = std::to_string(p_.lanes);
    const bool data = problem.pass == Pass::backward_data;
    plain_input_ = !data && g_.c <= kMaxPlainChannels;
    traits_.inputs = {plain_input_ ? Layout::plain() : activation_layout(problem.inputs[0], problem.family)};
    traits_.outputs = {activation_layout(problem.outputs[0], problem.family)};
    traits_.params = {
        canonical(weight, Layout::parse(data ? "aBcd" + block + "b" : "Abcd" + block + "a", 4).value())};
    if (g_.has_bias) traits_.params.push_back(Layout::plain());
    traits_.reads_inputs = {problem.pass == Pass::backward_weights};
    traits_.reads_outputs = {false};
    traits_.workspace_bytes = p_.workspace_bytes();
    streams_ = (data ? traits_.inputs[0].storage_bytes(problem.inputs[0], problem.type)
                     : traits_.outputs[0].storage_bytes(problem.outputs[0], problem.type)) > kStream_bytes;
    if (problem.pass == Pass::forward && !problem.training && p_.chunk_blocks == p_.out_blocks)
      traits_.derived_bytes = p_.frequencies() * p_.filter_step * 4;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override {
    return base::str(simd_target(), ' ', p_.shape.rows.points, 'x', p_.shape.columns.points);
  }

  void run(const KernelArgs& args) const noexcept override {
    float* work = static_cast<float*>(args.workspace);
    if (p_.shape.pass == Pass::backward_weights) return run_weights(args, work);
    run_maps(args, work);
  }

 private:
  using Range = FftAxis::Range;

  Maps in_maps() const { return {p_.in_blocks, p_.shape.rows.input, p_.shape.columns.input}; }
  Maps out_maps() const { return {p_.out_blocks, p_.shape.rows.output, p_.shape.columns.output}; }

  // Forward and backward_data.
  void run_maps(const KernelArgs& args, float* work) const {
    const bool forward = p_.shape.pass == Pass::forward;
    const float* x = static_cast<const float*>(forward ? args.inputs[0] : args.output_gradients[0]);
    float* y = static_cast<float*>(forward ? args.outputs[0] : args.input_gradients[0]);
    const float* w = static_cast<const float*>(args.params[0]);
    float* filters = traits_.derived_bytes > 0 ? static_cast<float*>(args.derived) : work + p_.filters;
    const bool has_bias = forward && g_.has_bias;
    if (has_bias) pad_bias(static_cast<const float*>(args.params[1]), work + p_.bias);
    for (std::int64_t block = 0; block < p_.out_blocks; block += p_.chunk_blocks) {
      const std::int64_t blocks = std::min(p_.chunk_blocks, p_.out_blocks - block);
      if (!(traits_.derived_bytes > 0 && args.derived_valid)) filters_forward(w, block, blocks, filters);
      for (std::int64_t image = 0; image < p_.shape.images; image += p_.chunk_images) {
        const Chunk chunk{image, std::min(p_.chunk_images, p_.shape.images - image), block, blocks};
        in_rows_forward(x, chunk, work);
        base::parallel_for(p_.threads, 1, [&](base::IndexRange parts) {
          for (std::int64_t part = parts.begin; part < parts.end; ++part)
            multiply_columns(chunk, work, filters, part);
        });
        out_rows_inverse(work, chunk, has_bias ? work + p_.bias : nullptr, y);
      }
    }
  }

  void run_weights(const KernelArgs& args, float* work) const {
    const float* x = static_cast<const float*>(args.inputs[0]);
    const float* dy = static_cast<const float*>(args.output_gradients[0]);
    for (std::int64_t block = 0; block < p_.out_blocks; block += p_.chunk_blocks) {
      const std::int64_t blocks = std::min(p_.chunk_blocks, p_.out_blocks - block);
      for (std::int64_t image = 0; image < p_.shape.images; image += p_.chunk_images) {
        const Chunk chunk{image, std::min(p_.chunk_images, p_.shape.images - image), block, blocks};
        in_rows_forward(x, chunk, work);
        gradient_rows_forward(dy, chunk, work + p_.out_maps);
        base::parallel_for(p_.threads, 1, [&](base::IndexRange parts) {
          for (std::int64_t part = parts.begin; part < parts.end; ++part)
            correlate_columns(chunk, work, part);
        });
      }
      filter_rows_inverse(work, block, blocks, static_cast<float*>(args.param_gradients[0]));
    }
    if (g_.has_bias) std::copy_n(work + p_.bias, g_.k, static_cast<float*>(args.param_gradients[1]));
  }

  // Images and blocks of outputs that are in the workspace at once.
  struct Chunk {
    std::int64_t image, images;
    std::int64_t block, blocks;
  };

  // A tile of a chunk.
  struct Tile {
    std::int64_t image;  // of the batch
    std::int64_t y, x;
  };
  Tile tile(const Chunk& chunk, std::int64_t index) const {
    const std::int64_t in_image = index % p_.tiles();
    return {chunk.image + index / p_.tiles(), in_image / p_.shape.columns.tiles,
            in_image % p_.shape.columns.tiles};
  }

  void pad_bias(const float* bias, float* to) const {
    std::fill_n(std::copy_n(bias, g_.k, to), p_.out_blocks * p_.lanes - g_.k, 0.0F);
  }

  // Offset of an element's vector in nChw{L}c.
  std::int64_t offset(const Maps& maps, std::int64_t image, std::int64_t block, std::int64_t row,
                      std::int64_t column) const {
    return (((image * maps.blocks + block) * maps.height + row) * maps.width + column) * p_.lanes;
  }

  void rows_forward(const float* from, const Maps& maps, const Range& rows, const Range& columns,
                    float* to) const {
    on_rows_->rows_forward({.x = from,
                            .row_step = maps.width * p_.lanes,
                            .column_step = p_.lanes,
                            .rows = rows.count,
                            .columns = columns.count,
                            .first_column = columns.first,
                            .spectra = to,
                            .frequency_step = p_.map_step});
  }

  void in_rows_forward(const float* x, const Chunk& chunk, float* work) const {
    const std::int64_t count = chunk.images * p_.tiles() * p_.in_blocks;
    base::parallel_for(p_.threads, 1, [&](base::IndexRange parts) {
      for (std::int64_t part = parts.begin; part < parts.end; ++part) {
        const base::IndexRange range = base::split_range(count, p_.threads, static_cast<int>(part));
        for (std::int64_t i = range.begin; i < range.end; ++i)
          in_tile_forward(x, tile(chunk, i / p_.in_blocks), i % p_.in_blocks,
                          work + p_.spectra + part * p_.thread_step,
                          work + p_.maps + i * p_.in_rows * 2 * p_.lanes);
      }
    });
  }

  // `packed` has place for a tile; only inputs in plain layout need it.
  void in_tile_forward(const float* x, const Tile& t, std::int64_t block, float* packed, float* to) const {
    const Range rows = p_.shape.rows.inputs(t.y), columns = p_.shape.columns.inputs(t.x);
    if (!plain_input_)
      return rows_forward(x + offset(in_maps(), t.image, block, rows.source, columns.source), in_maps(), rows,
                          columns, to);
    std::fill_n(packed, std::int64_t{rows.count} * columns.count * p_.lanes, 0.0F);
    for (std::int64_t c = 0; c < g_.c; ++c)
      for (std::int64_t row = 0; row < rows.count; ++row) {
        const float* from = x + ((t.image * g_.c + c) * g_.h + rows.source + row) * g_.w + columns.source;
        for (std::int64_t column = 0; column < columns.count; ++column)
          packed[(row * columns.count + column) * p_.lanes + c] = from[column];
      }
    rows_forward(packed, {.blocks = 1, .height = rows.count, .width = columns.count}, rows, columns, to);
  }

  void gradient_rows_forward(const float* dy, const Chunk& chunk, float* to) const {
    base::parallel_for(chunk.images * p_.tiles() * chunk.blocks, 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        const Tile t = tile(chunk, i / chunk.blocks);
        const Range rows = p_.shape.rows.outputs(t.y), columns = p_.shape.columns.outputs(t.x);
        const std::int64_t block = chunk.block + i % chunk.blocks;
        rows_forward(dy + offset(out_maps(), t.image, block, rows.source, columns.source), out_maps(), rows,
                     columns, to + i * p_.out_rows * 2 * p_.lanes);
      }
    });
  }

  // Filters of `blocks` blocks of outputs; for backward_data from the last tap to the first.
  void filters_forward(const float* w, std::int64_t block, std::int64_t blocks, float* to) const {
    const bool forward = p_.shape.pass == Pass::forward;
    const std::int64_t taps = g_.r * g_.s, channels = p_.shape.in_channels, step = forward ? 1 : -1;
    base::parallel_for(blocks * channels, 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        const std::int64_t out = block + i / channels, in = i % channels;
        const std::int64_t filter = forward ? out * channels + in : in * p_.out_blocks + out;
        on_rows_->rows_forward({.x = w + (filter * taps + (forward ? 0 : taps - 1)) * p_.lanes,
                                .row_step = step * g_.s * p_.lanes,
                                .column_step = step * p_.lanes,
                                .rows = static_cast<int>(g_.r),
                                .columns = static_cast<int>(g_.s),
                                .spectra = to + i * p_.filter_rows * 2 * p_.lanes,
                                .frequency_step = p_.filter_step});
      }
    });
  }

  void out_rows_inverse(const float* work, const Chunk& chunk, const float* bias, float* y) const {
    base::parallel_for(chunk.images * p_.tiles() * chunk.blocks, 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        const Tile t = tile(chunk, i / chunk.blocks);
        const Range rows = p_.shape.rows.outputs(t.y), columns = p_.shape.columns.outputs(t.x);
        const std::int64_t block = chunk.block + i % chunk.blocks;
        on_rows_->rows_inverse({.spectra = work + p_.maps + i * p_.out_rows * 2 * p_.lanes,
                                .frequency_step = p_.map_step,
                                .y = y + offset(out_maps(), t.image, block, rows.source, columns.source),
                                .row_step = out_maps().width * p_.lanes,
                                .column_step = p_.lanes,
                                .rows = rows.count,
                                .columns = columns.count,
                                .scale = scale(),
                                .bias = bias == nullptr ? nullptr : bias + block * p_.lanes,
                                .relu = g_.relu && p_.shape.pass == Pass::forward,
                                .stream = streams_});
      }
    });
  }

  void filter_rows_inverse(const float* work, std::int64_t block, std::int64_t blocks, float* dw) const {
    const std::int64_t channels = p_.shape.in_channels;
    base::parallel_for(blocks * channels, 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i)
        on_rows_->rows_inverse({.spectra = work + p_.filters + i * p_.filter_rows * 2 * p_.lanes,
                                .frequency_step = p_.filter_step,
                                .y = dw + (block * channels + i) * g_.r * g_.s * p_.lanes,
                                .row_step = g_.s * p_.lanes,
                                .column_step = p_.lanes,
                                .rows = static_cast<int>(g_.r),
                                .columns = static_cast<int>(g_.s),
                                .scale = scale()});
    });
  }

  // Two doubled spectra were multiplied, and the inverse transforms are unscaled.
  float scale() const { return 0.25F / static_cast<float>(p_.shape.rows.points * p_.shape.columns.points); }

  // Spectra of all tiles of a chunk for one v; rows outside of a tile's map are zero.
  void in_columns_forward(const Chunk& chunk, const float* maps, float* spectra) const {
    for (std::int64_t i = 0; i < chunk.images * p_.tiles() * p_.in_blocks; ++i) {
      const Range rows = p_.shape.rows.inputs(tile(chunk, i / p_.in_blocks).y);
      on_columns_->column_forward({.column = maps + i * p_.in_rows * 2 * p_.lanes,
                                   .rows = rows.count,
                                   .first_row = rows.first,
                                   .spectrum = spectra + i * 2 * p_.lanes,
                                   .frequency_step = p_.in_step});
    }
  }

  // Part `part` of the frequencies v: from half-transformed inputs and filters to half-transformed outputs,
  // which take the place of the inputs.
  void multiply_columns(const Chunk& chunk, float* work, const float* filters, std::int64_t part) const {
    float* spectra = work + p_.spectra + part * p_.thread_step;
    const base::IndexRange range = base::split_range(p_.frequencies(), p_.threads, static_cast<int>(part));
    for (std::int64_t v = range.begin; v < range.end; ++v) {
      float* maps = work + p_.maps + v * p_.map_step;
      in_columns_forward(chunk, maps, spectra);
      for (std::int64_t block = 0; block < chunk.blocks; block += p_.group_blocks) {
        const std::int64_t blocks = std::min(p_.group_blocks, chunk.blocks - block);
        filter_columns_forward(filters + v * p_.filter_step, block, blocks, spectra + p_.second);
        multiply_group(chunk, blocks, spectra);
        out_columns_inverse(chunk, block, blocks, spectra + p_.product, maps);
      }
    }
  }

  void filter_columns_forward(const float* filters, std::int64_t block, std::int64_t blocks,
                              float* spectra) const {
    const std::int64_t channels = p_.shape.in_channels;
    for (std::int64_t i = 0; i < blocks * channels; ++i)
      on_columns_->column_forward({.column = filters + (block * channels + i) * p_.filter_rows * 2 * p_.lanes,
                                   .rows = static_cast<int>(g_.r),
                                   .spectrum = spectra + i * 2 * p_.lanes,
                                   .frequency_step = p_.second_step});
  }

  void multiply_group(const Chunk& chunk, std::int64_t blocks, float* spectra) const {
    const std::int64_t l = p_.lanes, channels = p_.shape.in_channels;
    const ComplexProduct product{.rows = chunk.images * p_.tiles(),
                                 .terms = channels,
                                 .blocks = blocks,
                                 .a_row = p_.in_blocks * 2 * l,
                                 .a_term = 1,
                                 .run = l,
                                 .a_jump = l,
                                 .b_term = 2 * l,
                                 .b_block = channels * 2 * l,
                                 .out_row = blocks * 2 * l,
                                 .out_block = 2 * l};
    for (std::int64_t u = 0; u < p_.shape.rows.points; ++u)
      multiply_(product, spectra + u * p_.in_step, spectra + p_.second + u * p_.second_step,
                spectra + p_.product + u * p_.product_step);
  }

  void out_columns_inverse(const Chunk& chunk, std::int64_t block, std::int64_t blocks, const float* product,
                           float* maps) const {
    for (std::int64_t t = 0; t < chunk.images * p_.tiles(); ++t)
      for (std::int64_t b = 0; b < blocks; ++b)
        on_columns_->column_inverse(
            {.spectrum = product + (t * blocks + b) * 2 * p_.lanes,
             .frequency_step = p_.product_step,
             .column = maps + (t * chunk.blocks + block + b) * p_.out_rows * 2 * p_.lanes,
             .rows = static_cast<int>(p_.out_rows)});
  }

  // Part `part` of the frequencies v: adds the products of the chunk's X and dY to half-transformed
  // gradients.
  void correlate_columns(const Chunk& chunk, float* work, std::int64_t part) const {
    float* spectra = work + p_.spectra + part * p_.thread_step;
    const base::IndexRange range = base::split_range(p_.frequencies(), p_.threads, static_cast<int>(part));
    for (std::int64_t v = range.begin; v < range.end; ++v) {
      in_columns_forward(chunk, work + p_.maps + v * p_.map_step, spectra);
      for (std::int64_t block = 0; block < chunk.blocks; block += p_.group_blocks) {
        const std::int64_t blocks = std::min(p_.group_blocks, chunk.blocks - block);
        gradient_columns_forward(chunk, work + p_.out_maps + v * p_.map_step, block, blocks,
                                 spectra + p_.second);
        if (v == 0) sum_bias(chunk, block, blocks, spectra + p_.second, work + p_.bias);
        correlate_group(chunk, blocks, spectra);
        filter_columns_inverse(chunk, block, blocks, spectra + p_.product,
                               work + p_.filters + v * p_.filter_step);
      }
    }
  }

  void gradient_columns_forward(const Chunk& chunk, const float* maps, std::int64_t block,
                                std::int64_t blocks, float* spectra) const {
    for (std::int64_t t = 0; t < chunk.images * p_.tiles(); ++t)
      for (std::int64_t b = 0; b < blocks; ++b)
        on_columns_->column_forward(
            {.column = maps + (t * chunk.blocks + block + b) * p_.out_rows * 2 * p_.lanes,
             .rows = p_.shape.rows.outputs(tile(chunk, t).y).count,
             .spectrum = spectra + (t * blocks + b) * 2 * p_.lanes,
             .frequency_step = p_.second_step});
  }

  // The bias gradient is dY at frequency 0, which is doubled and of sums alone.
  void sum_bias(const Chunk& chunk, std::int64_t block, std::int64_t blocks, const float* spectra,
                float* bias) const {
    for (std::int64_t b = 0; b < blocks; ++b) {
      float* sum = bias + (chunk.block + block + b) * p_.lanes;
      if (chunk.image == 0) std::fill_n(sum, p_.lanes, 0.0F);
      for (std::int64_t t = 0; t < chunk.images * p_.tiles(); ++t)
        for (std::int64_t lane = 0; lane < p_.lanes; ++lane)
          sum[lane] += 0.5F * spectra[(t * blocks + b) * 2 * p_.lanes + lane];
    }
  }

  void correlate_group(const Chunk& chunk, std::int64_t blocks, float* spectra) const {
    const std::int64_t l = p_.lanes, channels = p_.shape.in_channels, tiles = chunk.images * p_.tiles();
    ComplexProduct product{.rows = l,
                           .terms = tiles,
                           .blocks = blocks,
                           .a_row = 1,
                           .a_term = p_.in_blocks * 2 * l,
                           .run = tiles,
                           .b_term = blocks * 2 * l,
                           .b_block = 2 * l,
                           .out_row = 2 * l,
                           .out_block = channels * 2 * l};
    for (std::int64_t u = 0; u < p_.shape.rows.points; ++u)
      for (std::int64_t c = 0; c < channels; c += l) {
        product.rows = std::min(l, channels - c);
        multiply_(product, spectra + u * p_.in_step + c * 2, spectra + p_.second + u * p_.second_step,
                  spectra + p_.product + u * p_.product_step + c * 2 * l);
      }
  }

  void filter_columns_inverse(const Chunk& chunk, std::int64_t block, std::int64_t blocks,
                              const float* product, float* gradients) const {
    const std::int64_t channels = p_.shape.in_channels;
    for (std::int64_t i = 0; i < blocks * channels; ++i)
      on_columns_->column_inverse(
          {.spectrum = product + i * 2 * p_.lanes,
           .frequency_step = p_.product_step,
           .column = gradients + (block * channels + i) * p_.filter_rows * 2 * p_.lanes,
           .rows = static_cast<int>(p_.filter_rows),
           .accumulate = chunk.image > 0});
  }

  ConvGeometry g_;
  ConvFftPlan p_;
  const FftPasses* on_rows_;
  const FftPasses* on_columns_;
  ComplexProductFunction multiply_;
  KernelTraits traits_;
  bool plain_input_ = false;
  bool streams_ = false;
};

}  // namespace

base::Verdict supports_conv_fft(const Problem& problem, std::int64_t max_workspace_bytes) {
  if (problem.family != LayoutFamily::blocked)
    return base::Reason{base::str("only blocked layouts, not ", name(problem.family))};
  if (problem.inputs[0].rank() != 4) return base::Reason{"only 2 spatial dimensions"};
  const auto g = ConvGeometry::of(problem);
  if (!g) return g.reason();
  if (!g->unit_stride()) return base::Reason{"only stride 1: a stride would throw most of the products away"};
  if (!g->unit_dilation()) return base::Reason{"only dilation 1"};
  if (g->groups != 1)
    return base::Reason{"only one group: fewer channels leave the transforms nothing to share"};
  if (std::min(g->r, g->s) < kMinFilter)
    return base::Reason{
        base::str("only filters from 3x3, not ", g->r, 'x', g->s, ": transforms would cost more")};
  if (!plan_conv_fft(*g, problem.pass, simd_lanes(), base::thread_count(), max_workspace_bytes))
    return base::Reason{base::str("no transform of up to ", fft_sizes().back(), " points holds filters of ",
                                  g->r, 'x', g->s, " within ", max_workspace_bytes >> 20,
                                  " MiB of workspace")};
  return {};
}

std::unique_ptr<Kernel> make_conv_fft(const Problem& problem, std::int64_t max_workspace_bytes) {
  return std::make_unique<ConvFft>(problem, max_workspace_bytes);
}

double conv_fft_seconds(const Problem& problem, const machine::Machine& machine,
                        std::int64_t max_workspace_bytes) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  const auto plan = plan_conv_fft(g, problem.pass, simd_lanes(), base::thread_count(), max_workspace_bytes);
  const double flops = plan->multiply_adds * 2 * static_cast<double>(plan->lanes);
  const double bytes = plan->bytes + static_cast<double>(moved_bytes(problem));
  const bool cached = plan->workspace_bytes() <= machine.cache_bytes / 2;
  return 4 * machine.dispatch_seconds + flops / machine.f32_flops +
         bytes / (cached ? machine.cache_bandwidth : machine.memory_bandwidth);
}

double conv_fft_error_growth(const Problem& problem, std::int64_t max_workspace_bytes) {
  const ConvGeometry g = ConvGeometry::of(problem).value();
  return conv_fft_error_growth(
      plan_conv_fft(g, problem.pass, simd_lanes(), base::thread_count(), max_workspace_bytes).value());
}

KernelEntry conv_fft_entry() {
  return {.name = "fft",
          .op = "Conv",
          .supports = [](const Problem& problem) { return supports_conv_fft(problem, kMaxWorkspace_bytes); },
          .make = [](const Problem& problem) { return make_conv_fft(problem, kMaxWorkspace_bytes); },
          .seconds =
              [](const Problem& problem, const machine::Machine& machine) {
                return conv_fft_seconds(problem, machine, kMaxWorkspace_bytes);
              },
          .error_growth =
              [](const Problem& problem) { return conv_fft_error_growth(problem, kMaxWorkspace_bytes); },
          .error_terms = ErrorTerms::whole_maps,
          .exact_on_integers = false};
}

KernelEntry conv_fft_lean_entry() {
  return {.name = "fft:lean",
          .op = "Conv",
          .supports = [](const Problem& problem) { return supports_conv_fft(problem, kLeanWorkspace_bytes); },
          .make = [](const Problem& problem) { return make_conv_fft(problem, kLeanWorkspace_bytes); },
          .seconds =
              [](const Problem& problem, const machine::Machine& machine) {
                return conv_fft_seconds(problem, machine, kLeanWorkspace_bytes);
              },
          .error_growth =
              [](const Problem& problem) { return conv_fft_error_growth(problem, kLeanWorkspace_bytes); },
          .error_terms = ErrorTerms::whole_maps,
          .exact_on_integers = false};
}

}  // namespace convoy::kernels::cpu
