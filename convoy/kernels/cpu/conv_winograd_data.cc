// Winograd convolution, forward and backward_data: transform, product and inverse of a block of tiles while
// it is in cache.
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_winograd_plan.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

constexpr std::int64_t kFloatBytes = 4;

// Outputs of this size bypass the caches: before the next layer has come to their end, their beginning would
// have left the cache anyway. VGG-16's first layers gain 4 to 25 % (Zen 4, 32 MB of L3).
constexpr std::int64_t kStreamed_bytes = 12 << 20;

class WinogradData final : public Kernel {
 public:
  WinogradData(const Problem& problem, const ConvGeometry& geometry, WinogradVariant variant)
      : steps_(winograd_steps(variant)),
        products_(winograd_products()),
        shape_(geometry, problem.pass, variant),
        traits_(winograd_traits(problem)),
        threads_(base::thread_count()),
        blocking_(data_blocking(shape_, threads_)),
        forward_(problem.pass == Pass::forward),
        has_bias_(forward_ && geometry.has_bias),
        relu_(geometry.relu),
        streams_(geometry.n * shape_.out.channel_blocks * shape_.lanes * shape_.out.h * shape_.out.w *
                     kFloatBytes >=
                 kStreamed_bytes),
        blocks_c_(forward_ ? shape_.in.channel_blocks : shape_.out.channel_blocks),
        blocks_k_(forward_ ? shape_.out.channel_blocks : shape_.in.channel_blocks) {
    const bool keeps_filters = forward_ && !problem.training;
    filters_apart_ = keeps_filters || !blocking_.by_panels;
    tile_floats_ = shape_.transformed_floats(shape_.in.channel_blocks, blocking_.tiles);
    product_floats_ = shape_.transformed_floats(kWinogradPanel, blocking_.tiles);
    const std::int64_t filters = shape_.panels() * panel_floats() * kFloatBytes;
    if (keeps_filters) traits_.derived_bytes = filters;
    std::int64_t own = product_floats_;
    if (!filters_apart_) own += shape_.points * filter_point(blocking_.depth);
    if (!blocking_.by_panels) own += tile_floats_;
    traits_.workspace_bytes = threads_ * own * kFloatBytes;
    if (blocking_.by_panels) traits_.workspace_bytes += tile_floats_ * kFloatBytes;
    if (filters_apart_ && !keeps_filters) traits_.workspace_bytes += filters;
    own_floats_ = own;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    Call call;
    call.x = static_cast<const float*>(forward_ ? args.inputs[0] : args.output_gradients[0]);
    call.w = static_cast<const float*>(args.params[0]);
    call.bias = has_bias_ ? static_cast<const float*>(args.params[1]) : nullptr;
    call.y = static_cast<float*>(forward_ ? args.outputs[0] : args.input_gradients[0]);
    if (call.y == nullptr) return;  // not wanted
    float* workspace = static_cast<float*>(args.workspace);
    if (filters_apart_) {
      const bool in_derived = traits_.derived_bytes > 0;
      call.filters = in_derived ? static_cast<float*>(args.derived) : workspace;
      if (!in_derived) workspace += shape_.panels() * panel_floats();
      if (!in_derived || !args.derived_valid) transform_all_filters(call);
    }
    blocking_.by_panels ? run_by_panels(call, workspace) : run_by_tiles(call, workspace);
  }

 private:
  struct Call {
    const float* x = nullptr;
    const float* w = nullptr;
    const float* bias = nullptr;
    float* y = nullptr;
    float* filters = nullptr;  // transformed; null: each thread transforms its own
  };

  // A panel's transformed filters come in chunks of `depth` channels, each (point, channel, vector, lane),
  // its points one line apart from a power of two.
  std::int64_t filter_point(std::int64_t depth) const { return (depth * kWinogradPanel + 1) * shape_.lanes; }
  std::int64_t chunks() const { return (shape_.in_channels + blocking_.depth - 1) / blocking_.depth; }
  std::int64_t panel_floats() const {
    return shape_.points * (shape_.in_channels * kWinogradPanel + chunks()) * shape_.lanes;
  }

  void transform_filters(const Call& call, std::int64_t panel, base::IndexRange depth, float* to) const {
    steps_.transform_filters({.filters = call.w,
                              .blocks_c = blocks_c_,
                              .blocks_k = blocks_k_,
                              .flipped = !forward_,
                              .panel = panel,
                              .depth_begin = depth.begin,
                              .depth_end = depth.end,
                              .to = to,
                              .point = filter_point(depth.size())});
  }

  base::IndexRange chunk(std::int64_t begin) const {
    return {begin, std::min(begin + blocking_.depth, shape_.in_channels)};
  }

  float* place(const Call& call, std::int64_t panel, std::int64_t depth_begin) const {
    return call.filters + panel * panel_floats() +
           depth_begin / blocking_.depth * shape_.points * filter_point(blocking_.depth);
  }

  void transform_all_filters(const Call& call) const {
    base::parallel_for(shape_.panels() * chunks(), 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        const base::IndexRange depth = chunk(i % chunks() * blocking_.depth);
        transform_filters(call, i / chunks(), depth, place(call, i / chunks(), depth.begin));
      }
    });
  }

  void run_by_tiles(const Call& call, float* workspace) const {
    base::parallel_for(threads_, 1, [&](base::IndexRange parts) {
      for (std::int64_t part = parts.begin; part < parts.end; ++part) {
        const base::IndexRange own = base::split_range(shape_.tiles, threads_, static_cast<int>(part));
        const auto blocks = static_cast<int>((own.size() + blocking_.tiles - 1) / blocking_.tiles);
        float* tiles = workspace + part * own_floats_;
        for (int b = 0; b < blocks; ++b) {
          const base::IndexRange block = base::split_range(own.size(), blocks, b);
          const TileRange range{own.begin + block.begin, own.begin + block.end, 0, shape_.in.channel_blocks};
          const Transformed v = shape_.transformed(tiles, shape_.in.channel_blocks, block.size());
          steps_.transform_inputs(shape_.in, range, call.x, v);
          for (std::int64_t panel = 0; panel < shape_.panels(); ++panel)
            multiply_and_invert(call, v, range, panel, tiles + tile_floats_);
        }
      }
    });
  }

  void run_by_panels(const Call& call, float* workspace) const {
    const auto groups = static_cast<int>((shape_.tiles + blocking_.tiles - 1) / blocking_.tiles);
    for (int group = 0; group < groups; ++group) {
      const base::IndexRange tiles = base::split_range(shape_.tiles, groups, group);
      const Transformed v = shape_.transformed(workspace, shape_.in.channel_blocks, tiles.size());
      transform_group(call, tiles, v);
      base::parallel_for(threads_, 1, [&](base::IndexRange parts) {
        for (std::int64_t part = parts.begin; part < parts.end; ++part) {
          const base::IndexRange panels =
              base::split_range(shape_.panels(), threads_, static_cast<int>(part));
          for (std::int64_t panel = panels.begin; panel < panels.end; ++panel)
            multiply_and_invert(call, v, {tiles.begin, tiles.end, 0, 0}, panel,
                                workspace + tile_floats_ + part * own_floats_);
        }
      });
    }
  }

  void transform_group(const Call& call, base::IndexRange tiles, const Transformed& v) const {
    base::parallel_for(shape_.in.channel_blocks * tiles.size(), 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end;) {
        const std::int64_t block = i / tiles.size(), tile = i % tiles.size();
        const std::int64_t end = std::min(tiles.size(), tile + range.end - i);
        Transformed to = v;
        to.data += tile * shape_.lanes;
        steps_.transform_inputs(shape_.in, {tiles.begin + tile, tiles.begin + end, block, block + 1}, call.x,
                                to);
        i += end - tile;
      }
    });
  }

  // One panel of outputs of the tiles of `v`. Scratch: the products, then a chunk of filters.
  void multiply_and_invert(const Call& call, const Transformed& v, const TileRange& tiles, std::int64_t panel,
                           float* scratch) const {
    const std::int64_t rows = tiles.tile_end - tiles.tile_begin, lanes = shape_.lanes;
    const Transformed product = shape_.transformed(scratch, kWinogradPanel, rows);
    const std::int64_t first = panel * kWinogradPanel;
    const std::int64_t vectors = std::min(kWinogradPanel, shape_.out.channel_blocks - first);
    for (std::int64_t begin = 0; begin < shape_.in_channels; begin += blocking_.depth) {
      const base::IndexRange depth = chunk(begin);
      float* u = call.filters == nullptr ? scratch + product_floats_ : place(call, panel, begin);
      if (call.filters == nullptr) transform_filters(call, panel, depth, u);
      const float* a = v.data + begin / lanes * v.block;
      for (std::int64_t point = 0; point < shape_.points; ++point, a += v.point)
        products_.multiply_tiles({.a = a,
                                  .a_block = v.block,
                                  .b = u + point * filter_point(depth.size()),
                                  .b_step = kWinogradPanel * lanes,
                                  .b_vector = lanes,
                                  .c = product.data + point * product.point,
                                  .c_vector = product.block,
                                  .rows = rows,
                                  .depth = depth.size(),
                                  .vectors = vectors,
                                  .accumulate = begin > 0,
                                  .next_a = a + v.point});
    }
    steps_.inverse_outputs(shape_.out, {.from = product,
                                        .range = {tiles.tile_begin, tiles.tile_end, first, first + vectors},
                                        .to = call.y,
                                        .bias = call.bias,
                                        .channels = shape_.out_channels,
                                        .relu = relu_,
                                        .stream = streams_});
  }

  WinogradSteps steps_;
  WinogradProducts products_;
  WinogradShape shape_;
  KernelTraits traits_;
  int threads_;
  DataBlocking blocking_;
  bool forward_, has_bias_, relu_, streams_;
  std::int64_t blocks_c_, blocks_k_;
  bool filters_apart_ = false;       // all filters are transformed before the first product
  std::int64_t tile_floats_ = 0;     // transformed tiles of a block
  std::int64_t product_floats_ = 0;  // products of a block and panel
  std::int64_t own_floats_ = 0;      // of one thread
};

}  // namespace

std::unique_ptr<Kernel> make_winograd_data(const Problem& problem, const ConvGeometry& geometry,
                                           WinogradVariant variant) {
  return std::make_unique<WinogradData>(problem, geometry, variant);
}

}  // namespace convoy::kernels::cpu
