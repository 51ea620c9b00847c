#include "convoy/kernels/cpu/conv_regroup.h"

#include <algorithm>

#include "convoy/base/threads.h"
#include "convoy/kernels/cpu/simd.h"

namespace convoy::kernels::cpu {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

Im2colSpec one_group(Im2colSpec spec) {
  ConvGeometry& g = spec.geometry;
  g.c = g.c_per_group();
  g.k = g.k_per_group();
  g.n = 1;
  g.groups = 1;
  spec.threads = 1;
  return spec;
}

// Channels [first, first + count) of an image in blocks of `lanes` channels.
struct Channels {
  std::int64_t first = 0, count = 0;
  std::int64_t pixels = 0;
  std::int64_t lanes = 1;

  std::int64_t place(std::int64_t channel) const {
    return channel / lanes * pixels * lanes + channel % lanes;
  }
};

// To blocks of the channels' own, or with `plain` to planes; the blocks' padding becomes zero.
void gather(const Channels& c, const float* image, bool plain, float* to) {
  const Channels own{0, c.count, c.pixels, plain ? 1 : c.lanes};
  if (!plain) std::fill_n(to, round_up(c.count, c.lanes) * c.pixels, 0.0F);
  for (std::int64_t i = 0; i < c.count; ++i) {
    const float* source = image + c.place(c.first + i);
    float* target = to + own.place(i);
    for (std::int64_t pixel = 0; pixel < c.pixels; ++pixel)
      target[pixel * own.lanes] = source[pixel * c.lanes];
  }
}

void scatter(const Channels& c, const float* from, float* image) {
  const Channels own{0, c.count, c.pixels, c.lanes};
  for (std::int64_t i = 0; i < c.count; ++i)
    for (std::int64_t pixel = 0; pixel < c.pixels; ++pixel)
      image[c.place(c.first + i) + pixel * c.lanes] = from[own.place(i) + pixel * c.lanes];
}

// Zeros behind the last of all channels.
void clear_padding(std::int64_t channels, std::int64_t pixels, std::int64_t lanes, float* image) {
  const Channels c{channels, round_up(channels, lanes) - channels, pixels, lanes};
  for (std::int64_t i = 0; i < c.count; ++i)
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) image[c.place(c.first + i) + pixel * lanes] = 0;
}

}  // namespace

struct RegroupedPass::Copies {
  float* x;
  float* y;
  float* rest;
};

RegroupedPass::RegroupedPass(const Im2colSpec& spec)
    : whole_(spec.geometry),
      pass_(spec.pass),
      form_(spec.form),
      threads_(spec.threads),
      lanes_(simd_lanes()),
      group_(one_group(spec)) {
  const ConvGeometry& g = whole_;
  x_count_ = round_up(g.c_per_group(), lanes_) * g.h * g.w;
  y_count_ = round_up(g.k_per_group(), lanes_) * g.p * g.q;
}

std::int64_t RegroupedPass::thread_count() const {
  const std::int64_t parts = pass_ == Pass::backward_weights ? whole_.groups : whole_.groups * whole_.n;
  return std::min<std::int64_t>(threads_, parts);
}

std::int64_t RegroupedPass::scratch_count() const {
  return thread_count() * (x_count_ + y_count_ + group_.scratch_count());
}

RegroupedPass::Copies RegroupedPass::copies(float* scratch) const {
  return {scratch, scratch + x_count_, scratch + x_count_ + y_count_};
}

std::int64_t RegroupedPass::weight_group_count() const {
  const std::int64_t inputs =
      form_ == Im2colForm::blocks ? round_up(whole_.c_per_group(), lanes_) : whole_.c_per_group();
  return round_up(whole_.k_per_group(), lanes_) * inputs * whole_.r * whole_.s;
}

void RegroupedPass::run_group(std::int64_t image, std::int64_t group, const Im2colArgs& args,
                              float* scratch) const noexcept {
  const ConvGeometry& g = whole_;
  const Copies copy = copies(scratch);
  const std::int64_t c = g.c_per_group(), k = g.k_per_group();
  const Channels x{group * c, c, g.h * g.w, lanes_}, y{group * k, k, g.p * g.q, lanes_};
  const std::int64_t x_image = image * round_up(g.c, lanes_) * x.pixels,
                     y_image = image * round_up(g.k, lanes_) * y.pixels;
  const std::int64_t weights = group * weight_group_count();
  Im2colArgs mine{.x = copy.x, .dy = copy.y};
  if (args.weights != nullptr) mine.weights = args.weights + weights;
  if (pass_ != Pass::backward_data) gather(x, args.x + x_image, form_ == Im2colForm::thin_plain, copy.x);
  if (pass_ != Pass::forward) gather(y, args.dy + y_image, false, copy.y);
  if (pass_ == Pass::backward_weights) {
    mine.dw = args.dw + weights;
    mine.accumulate = image > 0;
    group_.run(mine, copy.rest);
    return;
  }
  const bool is_last = group == g.groups - 1;
  if (pass_ == Pass::forward) {
    mine.y = copy.y;
    mine.bias = args.bias != nullptr ? args.bias + group * k : nullptr;
    group_.run(mine, copy.rest);
    scatter(y, copy.y, args.y + y_image);
    if (is_last) clear_padding(g.k, y.pixels, lanes_, args.y + y_image);
    return;
  }
  mine.dx = copy.x;
  group_.run(mine, copy.rest);
  scatter(x, copy.x, args.dx + x_image);
  if (is_last) clear_padding(g.c, x.pixels, lanes_, args.dx + x_image);
}

void RegroupedPass::run(const Im2colArgs& args, float* scratch) const noexcept {
  const std::int64_t groups = whole_.groups, images = whole_.n;
  const bool sums = pass_ == Pass::backward_weights;
  const std::int64_t units = sums ? groups : groups * images;
  const int team = static_cast<int>(thread_count());
  base::parallel_for(team, 1, [&](base::IndexRange members) {
    for (std::int64_t member = members.begin; member < members.end; ++member) {
      float* own = scratch + member * (scratch_count() / thread_count());
      const auto range = base::split_range(units, team, static_cast<int>(member));
      for (std::int64_t unit = range.begin; unit < range.end; ++unit) {
        if (!sums) run_group(unit / groups, unit % groups, args, own);
        for (std::int64_t image = 0; sums && image < images; ++image) run_group(image, unit, args, own);
      }
    }
  });
}

}  // namespace convoy::kernels::cpu
