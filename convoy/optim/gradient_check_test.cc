#include "convoy/optim/gradient_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "convoy/optim/arena_sinks.h"

namespace convoy::optim {
namespace {

using tensor::DType;
using tensor::ParamRole;
using tensor::SegmentKind;
using tensor::Tensor;

// L = Σ_i w_i⁴ / 4 + sin(b_0 b_1) + s Σ w: smooth, with two segments and a state s. `spoil` may change the
// gradient.
template <class T>
class Quartic final : public Objective {
 public:
  explicit Quartic(std::function<void(std::span<T>, std::span<T>)> spoil) : spoil_(std::move(spoil)) {
    layout_.type = tensor::dtype_of<T>::value;
    layout_.append_replicated("w", {30}, SegmentKind::parameter, ParamRole::weight);
    layout_.append_replicated("b", {2}, SegmentKind::parameter, ParamRole::bias);
    layout_.append_replicated("s", {1}, SegmentKind::state, ParamRole::running_mean);
  }
  const tensor::ParamLayout& layout() const override { return layout_; }
  std::int64_t output_count() const override { return 0; }
  Evaluation evaluate(ParamSource& params, const tensor::Batch&, const base::StepKey&, const Sinks& sinks,
                      Mode) override {
    const auto w_view = params.acquire(0, Phase::forward).view,
               b_view = params.acquire(1, Phase::forward).view;
    const auto w = w_view.template as<T>(), b = b_view.template as<T>();
    const T s = params.acquire(2, Phase::forward).view.template as<T>()[0];
    const auto gw = sinks.gradients->buffer(0).template as<T>(),
               gb = sinks.gradients->buffer(1).template as<T>();
    T loss = std::sin(b[0] * b[1]);
    for (std::size_t i = 0; i < w.size(); ++i) {
      loss += w[i] * w[i] * w[i] * w[i] / 4 + s * w[i];
      gw[i] = w[i] * w[i] * w[i] + s;
    }
    gb[0] = b[1] * std::cos(b[0] * b[1]);
    gb[1] = b[0] * std::cos(b[0] * b[1]);
    spoil_(gw, gb);
    sinks.state->buffer(2).template as<T>()[0] = s + 1;
    return {.loss = static_cast<double>(loss), .correct = 0, .samples = 1};
  }

 private:
  tensor::ParamLayout layout_;
  std::function<void(std::span<T>, std::span<T>)> spoil_;
};

template <class T>
GradientCheck check(std::function<void(std::span<T>, std::span<T>)> spoil) {
  Quartic<T> objective(std::move(spoil));
  const auto& layout = objective.layout();
  Tensor parameters(layout.type, {layout.parameter_extent}), state(layout.type, {layout.state_extent});
  parameters.fill_zero();
  state.fill_zero();
  state.as<T>()[0] = T{0.3};
  base::RandomStream random(4, base::Purpose::test, 0, 0);
  for (const auto& segment : layout.segments)
    for (std::int64_t i = 0; i < segment.count && segment.kind == SegmentKind::parameter; ++i)
      parameters.as<T>()[static_cast<std::size_t>(segment.offset + i)] = static_cast<T>(random.normal());
  const Tensor before = parameters.clone();
  const GradientCheck result =
      check_gradient(objective, {}, {}, {.parameters = parameters.view(), .state = state.view()});
  for (std::size_t i = 0; i < before.as<T>().size(); ++i)
    EXPECT_EQ(parameters.as<T>()[i], before.as<T>()[i]) << i;
  EXPECT_EQ(state.as<T>()[0], T{0.3});
  return result;
}

TEST(GradientCheck, PassesTheTrueGradient) {
  const GradientCheck wide = check<double>([](auto, auto) {});
  EXPECT_TRUE(wide.ok()) << wide.worst;
  EXPECT_FALSE(wide.worst.empty());
  const GradientCheck narrow = check<float>([](auto, auto) {});
  EXPECT_TRUE(narrow.ok()) << narrow.worst;
}

// Each gradient is wrong in one element, by little.
TEST(GradientCheck, SabotageIsSeen) {
  const GradientCheck weight = check<double>([](auto w, auto) { w[7] += 1e-5; });
  EXPECT_FALSE(weight.ok());
  const GradientCheck bias = check<double>([](auto, auto b) { b[1] *= 1 + 1e-5; });
  EXPECT_FALSE(bias.ok());
  EXPECT_EQ(bias.worst.rfind("b: the loss changes by", 0), 0U) << bias.worst;
  EXPECT_FALSE(check<double>([](auto w, auto) { std::swap(w[0], w[1]); }).ok());
  EXPECT_FALSE(check<double>([](auto w, auto) { w[3] = std::numeric_limits<double>::quiet_NaN(); }).ok());
  EXPECT_FALSE(check<float>([](auto w, auto) { w[5] = -w[5]; }).ok());
}

}  // namespace
}  // namespace convoy::optim
