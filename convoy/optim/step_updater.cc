#include "convoy/optim/step_updater.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "convoy/base/check.h"

namespace convoy::optim {
namespace {

class Updater final : public StepUpdater, private GradientSink {
 public:
  Updater(const UpdateRule& rule, const ArenaUpdate& arenas, GradientSink& arrays)
      : rule_(rule), update_(arenas), arrays_(arrays), updated_(arenas.layout.segments.size()) {
    CONVOY_CHECK(rule.scope() == UpdateScope::element, rule.name(), " is not element-wise");
    update_.updated = updated_;
  }

  void begin(double learning_rate, std::int64_t step) override {
    update_.learning_rate = learning_rate;
    update_.step = step;
    std::fill(updated_.begin(), updated_.end(), std::uint8_t{1});
    finite_ = true;
  }

  GradientSink& sink() override { return *this; }

  void finish() override {
    CONVOY_CHECK(finite_, "an update by a loss that is not finite");
    apply(rule_, update_);
  }

 private:
  void loss(double value) override { finite_ = std::isfinite(value); }
  bool takes_pieces(int) const override { return true; }

  tensor::View buffer(int segment) override {
    updated_[static_cast<std::size_t>(segment)] = 0;
    return arrays_.buffer(segment);
  }
  void ready(int segment, base::IndexRange range, bool final) override {
    arrays_.ready(segment, range, final);
  }

  std::array<const float*, 3> expect(int segment, std::int64_t begin) const noexcept override {
    const std::int64_t at = update_.layout.segments[static_cast<std::size_t>(segment)].offset + begin;
    std::array<const float*, 3> arrays{update_.weights.data() + at};
    static_assert(kMaxSlots < arrays.size());
    for (std::size_t s = 0; s < static_cast<std::size_t>(rule_.slot_count()); ++s)
      arrays[s + 1] = update_.slots[s].data() + at;
    return arrays;
  }

  void take(int segment, base::IndexRange range, std::span<const float> gradient) noexcept override {
    if (finite_) apply_piece(rule_, update_, segment, range, gradient);
  }

  const UpdateRule& rule_;
  ArenaUpdate update_;
  GradientSink& arrays_;
  std::vector<std::uint8_t> updated_;  // by segment: 1 unless its gradient went into an array
  bool finite_ = true;
};

}  // namespace

std::unique_ptr<StepUpdater> make_step_updater(const UpdateRule& rule, const ArenaUpdate& arenas,
                                               GradientSink& arrays) {
  return std::make_unique<Updater>(rule, arenas, arrays);
}

}  // namespace convoy::optim
