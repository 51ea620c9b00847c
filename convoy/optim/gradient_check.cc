#include "convoy/optim/gradient_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/optim/arena_sinks.h"

namespace convoy::optim {
namespace {

using tensor::DType;
using tensor::ParamLayout;
using tensor::Segment;
using tensor::SegmentKind;
using tensor::Tensor;
using tensor::View;

double load(const View& arena, std::int64_t i) {
  const auto at = static_cast<std::size_t>(i);
  return arena.type() == DType::f64 ? arena.as<double>()[at] : static_cast<double>(arena.as<float>()[at]);
}

void store(const View& arena, std::int64_t i, double value) {
  const auto at = static_cast<std::size_t>(i);
  if (arena.type() == DType::f64)
    arena.as<double>()[at] = value;
  else
    arena.as<float>()[at] = static_cast<float>(value);
}

// One evaluation's surroundings, made once.
class Prober {
 public:
  Prober(Objective& objective, const tensor::Batch& batch, const base::StepKey& key,
         const GradientCheckConfig& config)
      : objective_(objective),
        layout_(objective.layout()),
        batch_(batch),
        key_(key),
        parameters_(config.parameters),
        original_(layout_.type, tensor::Shape{layout_.parameter_extent}),
        gradient_(layout_.type, tensor::Shape{layout_.parameter_extent}),
        scratch_(layout_.type, tensor::Shape{layout_.parameter_extent}),
        state_(layout_.type, tensor::Shape{layout_.state_extent}),
        source_(make_arena_source({layout_, config.parameters, config.state, nullptr})),
        state_sink_(make_arena_state_sink(layout_, state_.view())) {
    std::memcpy(original_.view().data(), parameters_.data(), static_cast<std::size_t>(parameters_.bytes()));
    gradient_.fill_zero();
    loss_ = evaluate(gradient_.view());
  }
  ~Prober() { restore(); }
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  double loss() const { return loss_; }
  const ParamLayout& layout() const { return layout_; }

  double gradient_along(const std::vector<double>& direction) {
    double sum = 0;
    for (std::size_t i = 0; i < direction.size(); ++i)
      if (direction[i] != 0) sum += direction[i] * load(gradient_.view(), static_cast<std::int64_t>(i));
    return sum;
  }

  // D(h). The step that float32 really makes is what the quotient divides by, so `direction` must be a
  // multiple of what the type can hold: callers pass whole steps.
  double quotient(const std::vector<double>& direction, double h) {
    const double above = loss_at(direction, h), below = loss_at(direction, -h);
    return (above - below) / (2 * h);
  }

  double root_mean_square(const Segment& segment) {
    double sum = 0;
    for (std::int64_t i = 0; i < segment.count; ++i)
      sum += std::pow(load(original_.view(), segment.offset + i), 2);
    return std::sqrt(sum / static_cast<double>(std::max<std::int64_t>(segment.count, 1)));
  }

 private:
  void restore() {
    std::memcpy(parameters_.data(), original_.view().data(), static_cast<std::size_t>(parameters_.bytes()));
  }

  double loss_at(const std::vector<double>& direction, double h) {
    for (std::size_t i = 0; i < direction.size(); ++i)
      if (direction[i] != 0) {
        const auto at = static_cast<std::int64_t>(i);
        store(parameters_, at, load(original_.view(), at) + h * direction[i]);
      }
    const double loss = evaluate(scratch_.view());
    restore();
    return loss;
  }

  double evaluate(const View& gradients) {
    const auto sink = make_arena_gradient_sink(layout_, gradients);
    return objective_
        .evaluate(*source_, batch_, key_,
                  {.gradients = sink.get(), .state = state_sink_.get(), .outputs = {}}, Mode::gradient)
        .loss;
  }

  Objective& objective_;
  const ParamLayout& layout_;
  const tensor::Batch& batch_;
  const base::StepKey& key_;
  View parameters_;
  Tensor original_, gradient_, scratch_, state_;
  std::unique_ptr<ParamSource> source_;
  std::unique_ptr<StateSink> state_sink_;
  double loss_ = 0;
};

// Adds a random direction over one segment, scaled to its values so that h means the same everywhere.
void add_direction(Prober& prober, const Segment& segment, base::RandomStream& random,
                   std::vector<double>& direction) {
  const double size = prober.root_mean_square(segment);
  const double scale = size > 0 ? size : 1;
  for (std::int64_t i = 0; i < segment.count; ++i)
    direction[static_cast<std::size_t>(segment.offset + i)] = scale * random.normal();
}

struct Precision {
  double roundoff = 0;
  double step = 0;
};

void compare(Prober& prober, const std::vector<double>& direction, const std::string& label,
             const Precision& precision, GradientCheck& result) {
  const double h = precision.step;
  const double coarse = prober.quotient(direction, h), fine = prober.quotient(direction, h / 2);
  const double expected = (4 * fine - coarse) / 3, found = prober.gradient_along(direction);
  const double rounding = 4.0 / 3 * 2 * precision.roundoff * std::abs(prober.loss()) / h;
  const double tolerance = std::abs(fine - coarse) / 3 + rounding;
  double ratio = std::abs(expected - found) / tolerance;
  if (!std::isfinite(ratio)) ratio = expected == found ? 0 : std::numeric_limits<double>::infinity();
  if (result.worst.empty() || ratio > result.worst_ratio) {
    result.worst_ratio = ratio;
    result.worst =
        fmt::format("{}: the loss changes by {:.9g}, the gradient says {:.9g}; explained are {:.2g}", label,
                    expected, found, tolerance);
  }
}

}  // namespace

GradientCheck check_gradient(Objective& objective, const tensor::Batch& batch, const base::StepKey& key,
                             const GradientCheckConfig& config) {
  const ParamLayout& layout = objective.layout();
  CONVOY_CHECK(config.parameters.count() == layout.parameter_extent, config.parameters.count(),
               " parameters");
  const bool wide = layout.type == DType::f64;
  CONVOY_CHECK(wide || layout.type == DType::f32, "gradient check of ", tensor::name(layout.type));
  const double unit = wide ? 0x1p-53 : 0x1p-24;
  const Precision precision{.roundoff = config.loss_error_ulps * unit,
                            .step = config.step > 0 ? config.step : std::cbrt(unit)};
  Prober prober(objective, batch, key, config);
  GradientCheck result;
  for (int k = 0; k < config.directions; ++k) {
    std::vector<double> all(static_cast<std::size_t>(layout.parameter_extent), 0);
    for (std::size_t s = 0; s < layout.segments.size(); ++s) {
      const Segment& segment = layout.segments[s];
      if (segment.kind != SegmentKind::parameter || segment.count == 0) continue;
      std::vector<double> one(all.size(), 0);
      base::RandomStream random(config.seed, base::Purpose::test, s, static_cast<std::uint64_t>(k));
      add_direction(prober, segment, random, one);
      add_direction(prober, segment, random, all);
      compare(prober, one, segment.name, precision, result);
    }
    compare(prober, all, "all segments", precision, result);
  }
  return result;
}

}  // namespace convoy::optim
