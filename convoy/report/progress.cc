#include "convoy/report/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <vector>

#include "convoy/report/text.h"

namespace convoy::report {
namespace {

constexpr double kRateWindow_seconds = 1;
constexpr int kSmallestBar = 8, kLargestBar = 30;

class ProgressImpl final : public Progress {
 public:
  ProgressImpl(const ProgressConfig& config, const base::Clock& clock,
               std::function<void(std::string_view)> write)
      : config_(config), clock_(clock), write_(std::move(write)), start_(clock.now()), drawn_at_(start_) {}

  ~ProgressImpl() override { clear_locked(); }

  void step(const ProgressStep& step) override {
    const std::lock_guard lock(mutex_);
    last_ = step;
    loss_sum_ += step.loss;
    ++loss_count_;
    window_images_ += step.images;
    window_seconds_ += step.seconds;
    const double now = clock_.now();
    const bool is_last = step.step >= config_.total_steps;
    const double interval = config_.terminal.redraws ? config_.redraw_seconds : config_.line_seconds;
    if (!is_last && now - drawn_at_ < interval) return;
    drawn_at_ = now;
    if (window_seconds_ > 0 &&
        (window_seconds_ >= kRateWindow_seconds || images_per_second_ == 0 || is_last)) {
      images_per_second_ = static_cast<double>(window_images_) / window_seconds_;
      window_images_ = 0;
      window_seconds_ = 0;
    }
    loss_ = loss_sum_ / static_cast<double>(loss_count_);
    loss_sum_ = 0;
    loss_count_ = 0;
    draw(now);
  }

  void print(std::string_view line) override {
    const std::lock_guard lock(mutex_);
    const bool was_visible = visible_;
    clear_locked();
    write_(std::string(line) + "\n");
    if (was_visible) draw(clock_.now());
  }

  void clear() override {
    const std::lock_guard lock(mutex_);
    clear_locked();
  }

 private:
  void clear_locked() {
    if (visible_) write_("\r\x1b[K");
    visible_ = false;
  }

  double seconds_left(double now) const {
    const std::int64_t done = last_.step - config_.first_step;
    if (done <= 0) return INFINITY;
    return (now - start_) / static_cast<double>(done) *
           static_cast<double>(std::max<std::int64_t>(0, config_.total_steps - last_.step));
  }

  void draw(double now) {
    const double left = seconds_left(now);
    const int digits = static_cast<int>(std::to_string(config_.total_steps).size());
    const std::vector<std::string> fields = {
        fmt::format("epoch {}/{}", last_.epoch + 1, config_.epochs),
        fmt::format("step {:>{}}/{}", last_.step, digits, config_.total_steps),
        fmt::format("{:>7} images/s", thousands(std::llround(images_per_second_))),
        fmt::format("loss {:<7.4g}", loss_),
        fmt::format("lr {:<8.3g}", last_.learning_rate),
        fmt::format("ETA {}", left < 1 ? "0 s" : duration(left)),
    };
    std::string line = fields[0];
    if (!config_.terminal.redraws) {
      for (std::size_t i = 1; i < fields.size(); ++i) line += "  " + fields[i];
      write_(line + "\n");
      return;
    }
    std::string rest;
    for (std::size_t i = 1; i < fields.size(); ++i) rest += "  " + fields[i];
    // The last column stays free: a character there makes some terminals wrap.
    const int room = config_.terminal.width - 1;
    const int bar_width = std::min(kLargestBar, room - display_width(line) - display_width(rest) - 2);
    const double share = static_cast<double>(last_.step) / static_cast<double>(config_.total_steps);
    if (bar_width >= kSmallestBar)
      line += "  " + progress_bar(share, bar_width, config_.terminal.colours) + rest;
    else
      line = clip(line + rest, room);
    write_("\r" + line + "\x1b[K");
    visible_ = true;
  }

  const ProgressConfig config_;
  const base::Clock& clock_;
  const std::function<void(std::string_view)> write_;
  std::mutex mutex_;
  double start_;
  double drawn_at_;
  ProgressStep last_;
  double loss_ = 0, loss_sum_ = 0;
  std::int64_t loss_count_ = 0;
  std::int64_t window_images_ = 0;
  double window_seconds_ = 0;
  double images_per_second_ = 0;
  bool visible_ = false;
};

}  // namespace

std::string progress_bar(double share, int width, bool colours) {
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(share, 0.0, 1.0) * width * 8);
  std::string done;
  for (int i = 0; i < eighths / 8; ++i) done += "█";
  done += kEighths[eighths % 8];
  const int left = width - eighths / 8 - (eighths % 8 != 0 ? 1 : 0);
  std::string rest;
  for (int i = 0; i < left; ++i) rest += colours ? "─" : "·";
  return colours ? "\x1b[36m" + done + "\x1b[90m" + rest + "\x1b[0m" : done + rest;
}

std::unique_ptr<Progress> make_progress(const ProgressConfig& config, const base::Clock& clock,
                                        std::function<void(std::string_view)> write) {
  return std::make_unique<ProgressImpl>(config, clock, std::move(write));
}

}  // namespace convoy::report
