// Winograd convolution, backward_weights: F(r x r, m x m), whose "filters" are tiles of m x m output
// gradients.
//   dw = A^T (sum over tiles of (B^T x B) * (G dy G^T)) A
#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/conv_winograd_plan.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/cpu/winograd_matrices.h"

namespace convoy::kernels::cpu {
namespace {

constexpr std::int64_t kFloatBytes = 4;

// Tiles that a product sums over at once: a panel of dy is then 16 KB, half of the first level of cache.
constexpr std::int64_t kDepth_tiles = 128;

// At the point (1, 1) a transformed tile of gradients is their sum, divided by the square of M'(1): the
// bias's gradient at no extra reading.
struct BiasPoint {
  std::int64_t point = 0;  // xi
  double scale = 0;
};
template <int m, int r>
constexpr BiasPoint bias_point() {
  using Matrices = WinogradMatrices<r, m>;
  constexpr int kOne = has_zero_point(Matrices::kPoints - 1) ? 1 : 0;
  static_assert(Matrices::point(kOne) == Rational(1));
  constexpr Rational kTap = Matrices::filter()(kOne, 0);
  return {kOne * (Matrices::kPoints + 1), 1 / (kTap * kTap).value()};
}
BiasPoint bias_point(WinogradVariant v) {
  if (v.r == 5) return bias_point<2, 5>();
  if (v.m == 2) return bias_point<2, 3>();
  if (v.m == 4) return bias_point<4, 3>();
  return v.m == 6 ? bias_point<6, 3>() : bias_point<7, 3>();
}

class WinogradWeights final : public Kernel {
 public:
  WinogradWeights(const Problem& problem, const ConvGeometry& geometry, WinogradVariant variant)
      : steps_(winograd_steps(variant)),
        products_(winograd_products()),
        shape_(geometry, problem.pass, variant),
        traits_(winograd_traits(problem)),
        threads_(base::thread_count()),
        blocking_(weights_blocking(shape_, threads_)),
        has_bias_(geometry.has_bias),
        bias_point_(bias_point(variant)),
        taps_(variant.r * variant.r) {
    x_floats_ = shape_.transformed_floats(shape_.in.channel_blocks, blocking_.tiles);
    dy_floats_ = shape_.transformed_floats(shape_.out.channel_blocks, blocking_.tiles);
    sums_floats_ = shape_.panels() * shape_.in.channel_blocks * item_floats();
    bias_floats_ = (shape_.out.channel_blocks * shape_.lanes + 15) / 16 * 16 * 2;  // float64
    groups_ = blocking_.by_filters ? (shape_.tiles + blocking_.tiles - 1) / blocking_.tiles : 1;
    own_floats_ = blocking_.by_filters ? blocking_.panels * blocking_.channel_blocks * item_floats()
                                       : x_floats_ + dy_floats_ + sums_floats_ + bias_floats_;
    std::int64_t floats = threads_ * own_floats_;
    if (blocking_.by_filters)
      floats += x_floats_ + dy_floats_ + bias_floats_ + (groups_ > 1 ? sums_floats_ : 0);
    traits_.workspace_bytes = floats * kFloatBytes;
  }

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    const Call call{.x = static_cast<const float*>(args.inputs[0]),
                    .dy = static_cast<const float*>(args.output_gradients[0]),
                    .dw = static_cast<float*>(args.param_gradients[0]),
                    .db = has_bias_ ? static_cast<float*>(args.param_gradients[1]) : nullptr};
    auto* workspace = static_cast<float*>(args.workspace);
    blocking_.by_filters ? run_by_filters(call, workspace) : run_by_tiles(call, workspace);
  }

 private:
  struct Call {
    const float* x;
    const float* dy;
    float* dw;
    float* db;
  };

  // Sums of one panel and channel block: (point, vector, row, lane), a line apart from a power of two.
  std::int64_t item_point() const { return kWinogradPanel * shape_.lanes * shape_.lanes + shape_.lanes; }
  std::int64_t item_floats() const { return (shape_.points * item_point() + 15) / 16 * 16; }
  std::int64_t item(std::int64_t panel, std::int64_t block) const {
    return (panel * shape_.in.channel_blocks + block) * item_floats();
  }
  std::int64_t vectors(std::int64_t panel) const {
    return std::min(kWinogradPanel, shape_.out.channel_blocks - panel * kWinogradPanel);
  }
  std::int64_t rows(std::int64_t block) const {
    return std::min(shape_.lanes, shape_.in_channels - block * shape_.lanes);
  }

  // Some items: panels x blocks of input channels.
  struct Items {
    base::IndexRange panels, blocks;
  };

  // What a thread sums: the tiles in x and dy, into the items' sums, which begin at `sums`; a panel's lie
  // `stride` apart.
  struct Sum {
    Transformed x, dy;
    std::int64_t tiles = 0;
    Items items;
    float* sums = nullptr;
    std::int64_t stride = 0;
    bool accumulate = false;
  };

  // The products of one sum, counted with the block of channels fastest, then panel, chunk of tiles and
  // point. A chunk is so short that a panel of its dy stays in the first level of cache.
  void multiply(const Sum& sum) const {
    const std::int64_t chunks = std::max<std::int64_t>(1, (sum.tiles + kDepth_tiles - 1) / kDepth_tiles);
    const std::int64_t count = shape_.points * chunks * sum.items.panels.size() * sum.items.blocks.size();
    MultiplyJob job = product(sum, chunks, 0);
    for (std::int64_t i = 0; i < count; ++i) {
      const MultiplyJob next = product(sum, chunks, i + 1 < count ? i + 1 : i);
      job.next_a = next.a;
      if (next.b != job.b) job.next_b = next.b;
      products_.multiply_channels(job);
      job = next;
    }
  }

  MultiplyJob product(const Sum& sum, std::int64_t chunks, std::int64_t i) const {
    const std::int64_t block = i % sum.items.blocks.size();
    i /= sum.items.blocks.size();
    const std::int64_t panel = i % sum.items.panels.size();
    i /= sum.items.panels.size();
    const std::int64_t chunk = i % chunks, point = i / chunks;
    const base::IndexRange tiles =
        base::split_range(sum.tiles, static_cast<int>(chunks), static_cast<int>(chunk));
    const std::int64_t first = (sum.items.panels.begin + panel) * kWinogradPanel;
    return {.a = sum.x.data + point * sum.x.point + (sum.items.blocks.begin + block) * sum.x.block +
                 tiles.begin * shape_.lanes,
            .b = sum.dy.data + point * sum.dy.point + first * sum.dy.block + tiles.begin * shape_.lanes,
            .b_step = shape_.lanes,
            .b_vector = sum.dy.block,
            .c = sum.sums + panel * sum.stride + block * item_floats() + point * item_point(),
            .c_vector = shape_.lanes * shape_.lanes,
            .rows = rows(sum.items.blocks.begin + block),
            .depth = tiles.size(),
            .vectors = vectors(sum.items.panels.begin + panel),
            .accumulate = sum.accumulate || chunk > 0};
  }

  void invert(const Call& call, std::int64_t panel, std::int64_t block, const float* sums) const {
    const std::int64_t square = shape_.lanes * shape_.lanes;
    for (std::int64_t v = 0; v < vectors(panel); ++v)
      steps_.inverse_filters(
          {.from = sums + v * square,
           .point = item_point(),
           .rows = rows(block),
           .to =
               call.dw + ((panel * kWinogradPanel + v) * shape_.in.channel_blocks + block) * taps_ * square});
  }

  void add_bias(const Transformed& dy, std::int64_t tiles, double* bias) const {
    const float* at = dy.data + bias_point_.point * dy.point;
    for (std::int64_t b = 0; b < shape_.out.channel_blocks; ++b)
      for (std::int64_t t = 0; t < tiles; ++t)
        for (std::int64_t lane = 0; lane < shape_.lanes; ++lane)
          bias[b * shape_.lanes + lane] += static_cast<double>(at[b * dy.block + t * shape_.lanes + lane]);
  }

  void run_by_tiles(const Call& call, float* workspace) const {
    base::parallel_for(threads_, 1, [&](base::IndexRange parts) {
      for (std::int64_t part = parts.begin; part < parts.end; ++part)
        sum_part(call, static_cast<int>(part), workspace + part * own_floats_);
    });
    const std::int64_t blocks = shape_.in.channel_blocks;
    base::parallel_for(shape_.panels() * blocks, 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        float* first = workspace + x_floats_ + dy_floats_ + i * item_floats();
        for (int part = 1; part < threads_; ++part)
          for (std::int64_t e = 0; e < item_floats(); ++e) first[e] += first[part * own_floats_ + e];
        invert(call, i / blocks, i % blocks, first);
      }
    });
    if (call.db == nullptr) return;
    for (std::int64_t k = 0; k < shape_.out_channels; ++k) {
      double sum = 0;
      for (int part = 0; part < threads_; ++part) sum += bias_of(workspace + part * own_floats_)[k];
      call.db[k] = static_cast<float>(sum * bias_point_.scale);
    }
  }

  double* bias_of(float* own) const {
    return reinterpret_cast<double*>(own + x_floats_ + dy_floats_ + sums_floats_);
  }

  // All tiles of one part into its own sums.
  void sum_part(const Call& call, int part, float* own) const {
    float* sums = own + x_floats_ + dy_floats_;
    std::fill_n(bias_of(own), bias_floats_ / 2, 0.0);
    const base::IndexRange all = base::split_range(shape_.tiles, threads_, part);
    const auto blocks =
        static_cast<int>(std::max<std::int64_t>(1, (all.size() + blocking_.tiles - 1) / blocking_.tiles));
    for (int b = 0; b < blocks; ++b) {
      const base::IndexRange range = base::split_range(all.size(), blocks, b);
      const TileRange tiles{all.begin + range.begin, all.begin + range.end, 0, shape_.in.channel_blocks};
      TileRange dy_tiles = tiles;
      dy_tiles.block_end = shape_.out.channel_blocks;
      const Transformed x = shape_.transformed(own, shape_.in.channel_blocks, range.size());
      const Transformed dy = shape_.transformed(own + x_floats_, shape_.out.channel_blocks, range.size());
      steps_.transform_inputs(shape_.in, tiles, call.x, x);
      steps_.transform_gradients(shape_.out, dy_tiles, call.dy, dy);
      if (call.db != nullptr) add_bias(dy, range.size(), bias_of(own));
      multiply({.x = x,
                .dy = dy,
                .tiles = range.size(),
                .items = {{0, shape_.panels()}, {0, shape_.in.channel_blocks}},
                .sums = sums,
                .stride = item(1, 0),
                .accumulate = b > 0});
    }
  }

  void run_by_filters(const Call& call, float* workspace) const {
    float* const dy_at = workspace + x_floats_;
    auto* bias = reinterpret_cast<double*>(dy_at + dy_floats_);
    float* const sums = dy_at + dy_floats_ + bias_floats_;
    float* const scratch = sums + (groups_ > 1 ? sums_floats_ : 0);
    std::fill_n(bias, bias_floats_ / 2, 0.0);
    for (std::int64_t group = 0; group < groups_; ++group) {
      const base::IndexRange tiles =
          base::split_range(shape_.tiles, static_cast<int>(groups_), static_cast<int>(group));
      const Transformed x = shape_.transformed(workspace, shape_.in.channel_blocks, tiles.size());
      const Transformed dy = shape_.transformed(dy_at, shape_.out.channel_blocks, tiles.size());
      transform_group(call, tiles, x, dy);
      if (call.db != nullptr) add_bias(dy, tiles.size(), bias);
      multiply_group(call, group, tiles.size(), {x, dy, sums, scratch});
    }
    if (call.db == nullptr) return;
    for (std::int64_t k = 0; k < shape_.out_channels; ++k)
      call.db[k] = static_cast<float>(bias[k] * bias_point_.scale);
  }

  void transform_group(const Call& call, base::IndexRange tiles, const Transformed& x,
                       const Transformed& dy) const {
    const std::int64_t x_blocks = shape_.in.channel_blocks, blocks = x_blocks + shape_.out.channel_blocks;
    base::parallel_for(blocks * tiles.size(), 1, [&](base::IndexRange range) {
      for (std::int64_t i = range.begin; i < range.end;) {
        const std::int64_t block = i / tiles.size(), tile = i % tiles.size();
        const std::int64_t end = std::min(tiles.size(), tile + range.end - i);
        Transformed to = block < x_blocks ? x : dy;
        to.data += tile * shape_.lanes;
        const std::int64_t b = block < x_blocks ? block : block - x_blocks;
        const TileRange piece{tiles.begin + tile, tiles.begin + end, b, b + 1};
        if (block < x_blocks)
          steps_.transform_inputs(shape_.in, piece, call.x, to);
        else
          steps_.transform_gradients(shape_.out, piece, call.dy, to);
        i += end - tile;
      }
    });
  }

  struct GroupArrays {
    Transformed x, dy;
    float* sums;     // of all items, if there are several groups
    float* scratch;  // of each thread: the sums of a row of items, if there is one
  };

  // Rectangles of panels x blocks of input channels, divided among the threads.
  void multiply_group(const Call& call, std::int64_t group, std::int64_t tiles, const GroupArrays& a) const {
    const std::int64_t blocks = shape_.in.channel_blocks;
    const std::int64_t across = (blocks + blocking_.channel_blocks - 1) / blocking_.channel_blocks;
    const std::int64_t down = (shape_.panels() + blocking_.panels - 1) / blocking_.panels;
    base::parallel_for(threads_, 1, [&](base::IndexRange parts) {
      for (std::int64_t part = parts.begin; part < parts.end; ++part) {
        const base::IndexRange own = base::split_range(down * across, threads_, static_cast<int>(part));
        for (std::int64_t i = own.begin; i < own.end; ++i) {
          const Items items{
              base::split_range(shape_.panels(), static_cast<int>(down), static_cast<int>(i / across)),
              base::split_range(blocks, static_cast<int>(across), static_cast<int>(i % across))};
          const bool apart = groups_ == 1;
          const Sum sum{.x = a.x,
                        .dy = a.dy,
                        .tiles = tiles,
                        .items = items,
                        .sums = apart ? a.scratch + part * own_floats_
                                      : a.sums + item(items.panels.begin, items.blocks.begin),
                        .stride = apart ? items.blocks.size() * item_floats() : item(1, 0),
                        .accumulate = group > 0};
          multiply(sum);
          if (group + 1 == groups_) invert(call, items, sum.sums, sum.stride);
        }
      }
    });
  }

  void invert(const Call& call, const Items& items, const float* sums, std::int64_t stride) const {
    for (std::int64_t panel = items.panels.begin; panel < items.panels.end; ++panel)
      for (std::int64_t block = items.blocks.begin; block < items.blocks.end; ++block)
        invert(call, panel, block,
               sums + (panel - items.panels.begin) * stride + (block - items.blocks.begin) * item_floats());
  }

  WinogradSteps steps_;
  WinogradProducts products_;
  WinogradShape shape_;
  KernelTraits traits_;
  int threads_;
  WeightsBlocking blocking_;
  bool has_bias_;
  BiasPoint bias_point_;
  std::int64_t taps_;
  std::int64_t groups_ = 1;
  std::int64_t x_floats_ = 0, dy_floats_ = 0, sums_floats_ = 0, bias_floats_ = 0;
  std::int64_t own_floats_ = 0;  // of one thread
};

}  // namespace

std::unique_ptr<Kernel> make_winograd_weights(const Problem& problem, const ConvGeometry& geometry,
                                              WinogradVariant variant) {
  return std::make_unique<WinogradWeights>(problem, geometry, variant);
}

}  // namespace convoy::kernels::cpu
