// backward_weights of Gemm in float32, tile by tile: dW[k,c] = sum over n of dY[n,k] X[n,c].
//
// A tile is 64 output by 16 input features, contiguous in the layout "AB16b64a". Both operands are packed
// into panels first, [K/64][N][64] and [C/16][N][16], because rows of X lie a power of two apart and would
// fall into a few sets of the cache. A tile is finished in registers and the level-1 cache, so that it can be
// handed on (KernelArgs::pieces) and the gradient need never reach memory.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "convoy/kernels/cpu/gemm_backward_weights.cc"
#include "hwy/foreach_target.h"
// Behind foreach_target.h, which includes this file once a target.
#include "hwy/highway.h"

#ifndef CONVOY_KERNELS_CPU_GEMM_BACKWARD_WEIGHTS
#define CONVOY_KERNELS_CPU_GEMM_BACKWARD_WEIGHTS
#include <cstdint>

namespace convoy::kernels::cpu {

inline constexpr std::int64_t kTileInputs = 16;
inline constexpr std::int64_t kVector = 16;

// dy: [n][outputs], x: [n][16], tile: [16][outputs].
struct TilePanels {
  std::int64_t n = 0;
  std::int64_t outputs = 0;  // 16, 32, 48 or 64
  const float* dy = nullptr;
  const float* x = nullptr;
  // Arrays as large as the tile that are fetched ahead evenly while it forms; never null.
  const char* ahead[3] = {};
};

}  // namespace convoy::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace convoy::kernels::cpu {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3
namespace hn = hwy::HWY_NAMESPACE;

// kInputs rows of the tile from input `first` on: kVectors x kInputs accumulators.
template <int kVectors, int kInputs>
HWY_INLINE void multiply_rows(const TilePanels& panels, std::int64_t first, float* HWY_RESTRICT tile) {
  const hn::FixedTag<float, kVector> d;
  using V = hn::Vec<decltype(d)>;
  V sum[kInputs][kVectors];
  for (int i = 0; i < kInputs; ++i)
    for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::Zero(d);
  const float* HWY_RESTRICT dy = panels.dy;
  const float* HWY_RESTRICT x = panels.x + first;
  constexpr std::int64_t kTile_bytes = kTileInputs * kVectors * kVector * std::int64_t{sizeof(float)};
  std::int64_t ahead = first * kTile_bytes / kTileInputs;
  const std::int64_t step = kInputs * kTile_bytes / (kTileInputs * panels.n);
  for (std::int64_t n = 0; n < panels.n; ++n, dy += kVectors * kVector, x += kTileInputs, ahead += step) {
    for (const char* array : panels.ahead) __builtin_prefetch(array + ahead, /*rw=*/1, /*locality=*/2);
    V row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = hn::Load(d, dy + v * kVector);
    for (int i = 0; i < kInputs; ++i) {
      const V broadcast = hn::Set(d, x[i]);
      for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::MulAdd(row[v], broadcast, sum[i][v]);
    }
  }
  for (int i = 0; i < kInputs; ++i)
    for (int v = 0; v < kVectors; ++v) hn::Store(sum[i][v], d, tile + ((first + i) * kVectors + v) * kVector);
}

// 16 inputs as 6 + 5 + 5: four vectors and six broadcasts leave registers for 24 accumulators.
template <int kVectors>
HWY_INLINE void multiply_tile(const TilePanels& panels, float* tile) {
  multiply_rows<kVectors, 6>(panels, 0, tile);
  multiply_rows<kVectors, 5>(panels, 6, tile);
  multiply_rows<kVectors, 5>(panels, 11, tile);
}

void tile_product(const TilePanels& panels, float* tile) {
  switch (panels.outputs) {
    case 16:
      return multiply_tile<1>(panels, tile);
    case 32:
      return multiply_tile<2>(panels, tile);
    case 48:
      return multiply_tile<3>(panels, tile);
    default:
      return multiply_tile<4>(panels, tile);
  }
}
#else
void tile_product(const TilePanels&, float*) {}  // supports() asks for AVX-512
#endif

}  // namespace HWY_NAMESPACE
}  // namespace convoy::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <span>

#include "convoy/base/threads.h"
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

HWY_EXPORT(tile_product);

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Output features of a tile, as oneDNN blocks weights, so that forward and backward share one storage.
std::int64_t tile_outputs(std::int64_t outputs) { return outputs >= 64 ? 64 : outputs >= 32 ? 32 : 16; }

// Copies columns [block * width, …) of a row-major [n][columns] matrix to [n][width], zeros behind the last.
void pack_panel(const float* matrix, std::int64_t n, std::int64_t columns, std::int64_t block,
                std::int64_t width, float* panel) {
  const std::int64_t first = block * width, valid = std::min(width, columns - first);
  for (std::int64_t i = 0; i < n; ++i, panel += width) {
    std::copy_n(matrix + i * columns + first, valid, panel);
    std::fill_n(panel + valid, width - valid, 0.0F);
  }
}

class GemmBackwardWeights final : public Kernel {
 public:
  explicit GemmBackwardWeights(const Problem& problem)
      : n_(problem.inputs[0][0]),
        inputs_(problem.params[0].shape[1]),
        outputs_(problem.params[0].shape[0]),
        has_bias_(problem.params.size() > 1),
        tile_outputs_(tile_outputs(outputs_)),
        input_blocks_(ceil_div(inputs_, kTileInputs)),
        output_blocks_(ceil_div(outputs_, tile_outputs_)) {
    traits_.inputs = {Layout::plain()};
    traits_.params = {Layout::parse(base::str("AB16b", tile_outputs_, "a"), 2).value()};
    if (has_bias_) traits_.params.push_back(Layout::plain());
    traits_.outputs = {Layout::plain()};
    traits_.reads_inputs = {true};
    traits_.reads_outputs = {false};
    traits_.in_pieces = true;
    traits_.workspace_bytes = static_cast<std::int64_t>(sizeof(float)) * n_ *
                              (input_blocks_ * kTileInputs + output_blocks_ * tile_outputs_);
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    const auto* x = static_cast<const float*>(args.inputs[0]);
    const auto* dy = static_cast<const float*>(args.output_gradients[0]);
    auto* x_panels = static_cast<float*>(args.workspace);
    float* dy_panels = x_panels + n_ * input_blocks_ * kTileInputs;
    base::parallel_for(input_blocks_, 1, [&](base::IndexRange range) {
      for (std::int64_t b = range.begin; b < range.end; ++b)
        pack_panel(x, n_, inputs_, b, kTileInputs, x_panels + b * n_ * kTileInputs);
    });
    auto* db = has_bias_ ? static_cast<float*>(args.param_gradients[1]) : nullptr;
    base::parallel_for(output_blocks_, 1, [&](base::IndexRange range) {
      for (std::int64_t b = range.begin; b < range.end; ++b) {
        float* panel = dy_panels + b * n_ * tile_outputs_;
        pack_panel(dy, n_, outputs_, b, tile_outputs_, panel);
        if (db != nullptr) add_rows(panel, b, db);
      }
    });
    base::parallel_for(output_blocks_ * input_blocks_, 1, [&](base::IndexRange range) {
      for (std::int64_t tile = range.begin; tile < range.end; ++tile)
        run_tile(args, x_panels, dy_panels, tile);
    });
  }

 private:
  // The bias gradient of one block: sum over n of dY.
  void add_rows(const float* panel, std::int64_t block, float* db) const {
    const std::int64_t first = block * tile_outputs_, valid = std::min(tile_outputs_, outputs_ - first);
    std::fill_n(db + first, valid, 0.0F);
    for (std::int64_t i = 0; i < n_; ++i)
      for (std::int64_t k = 0; k < valid; ++k) db[first + k] += panel[i * tile_outputs_ + k];
  }

  void run_tile(const KernelArgs& args, const float* x_panels, const float* dy_panels,
                std::int64_t tile) const {
    const std::int64_t size = tile_outputs_ * kTileInputs, offset = tile * size;
    TilePanels panels{.n = n_,
                      .outputs = tile_outputs_,
                      .dy = dy_panels + tile / input_blocks_ * n_ * tile_outputs_,
                      .x = x_panels + tile % input_blocks_ * n_ * kTileInputs};
    std::fill(std::begin(panels.ahead), std::end(panels.ahead), reinterpret_cast<const char*>(panels.x));
    if (args.param_gradients[0] != nullptr) {
      HWY_DYNAMIC_DISPATCH(tile_product)(panels, static_cast<float*>(args.param_gradients[0]) + offset);
      return;
    }
    alignas(64) float piece[64 * kTileInputs];
    const GradientPieces::Arrays arrays = args.pieces->expect(offset);
    for (std::size_t i = 0; i < arrays.size(); ++i)
      if (arrays[i] != nullptr) panels.ahead[i] = reinterpret_cast<const char*>(arrays[i]);
    HWY_DYNAMIC_DISPATCH(tile_product)(panels, piece);
    args.pieces->take(offset, std::span(piece, static_cast<std::size_t>(size)));
  }

  std::int64_t n_, inputs_, outputs_;
  bool has_bias_;
  std::int64_t tile_outputs_, input_blocks_, output_blocks_;
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.pass != Pass::backward_weights)
    return base::Reason{base::str("only backward_weights, not ", name(problem.pass))};
  if (problem.family != LayoutFamily::blocked)
    return base::Reason{base::str("only blocked weights, not ", name(problem.family))};
  if (simd_lanes() != kVector) return base::Reason{"its tiles are vectors of AVX-512"};
  return {};
}

}  // namespace

KernelEntry gemm_backward_weights_entry() {
  return {
      .name = "tiled",
      .op = "Gemm",
      .supports = supports,
      .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
        return std::make_unique<GemmBackwardWeights>(problem);
      },
      .seconds = [](const Problem& problem,
                    const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.92); },
      .error_growth =
          [](const Problem& problem) { return sum_error_growth(static_cast<double>(problem.inputs[0][0])); }};
}

}  // namespace convoy::kernels::cpu
#endif
