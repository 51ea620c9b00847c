#include "convoy/data/picture_check.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include "convoy/base/error.h"
#include "convoy/data/picture_decoder.h"

namespace convoy::data {
namespace {

constexpr ImageSize kThumbnail{3, 8, 8};  // all of a file is decoded, in the smallest size

// What the threads share.
class Check {
 public:
  explicit Check(const PictureStore& store) : store_(store), count_(picture_count(store)) {}

  // Checks one picture after the other until none is left or `goes_on` says no.
  template <class GoesOn>
  void work(const GoesOn& goes_on) {
    const std::unique_ptr<PictureDecoder> decoder = make_picture_decoder();
    std::string bytes;
    for (std::int64_t index; !stopped_ && (index = next_++) < count_;) {
      look_at(index, *decoder, bytes);
      if (!goes_on(++done_)) stopped_ = true;
    }
  }

  PictureSummary finish() {
    summary_.checked = done_;
    for (auto& [index, problem] : problems_) summary_.problems.push_back(std::move(problem));
    return std::move(summary_);
  }

 private:
  void look_at(std::int64_t index, PictureDecoder& decoder, std::string& bytes) {
    std::int64_t height = 0, width = 0;
    std::array<std::uint8_t, 3 * 8 * 8> pixels;
    std::string problem;
    try {
      bytes.clear();
      const std::string name = store_.read(index, bytes);
      decoder.decode(
          std::as_bytes(std::span(bytes)), name, kThumbnail,
          [&](std::int64_t h, std::int64_t w) {
            height = h;
            width = w;
            return Box{0, 0, static_cast<double>(h), static_cast<double>(w)};
          },
          pixels);
    } catch (const base::InputError& error) {
      problem = error.what();
    }
    const std::lock_guard lock(mutex_);
    summary_.bytes += std::ssize(bytes);
    if (!problem.empty())
      problems_.emplace(index, std::move(problem));
    else
      note_size(height, width);
  }

  void note_size(std::int64_t height, std::int64_t width) {
    const bool is_first = summary_.most_width == 0;
    summary_.least_width = is_first ? width : std::min(summary_.least_width, width);
    summary_.least_height = is_first ? height : std::min(summary_.least_height, height);
    summary_.most_width = std::max(summary_.most_width, width);
    summary_.most_height = std::max(summary_.most_height, height);
  }

  const PictureStore& store_;
  const std::int64_t count_;
  std::atomic<std::int64_t> next_{0}, done_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;  // guards what follows
  PictureSummary summary_;
  std::map<std::int64_t, std::string> problems_;
};

}  // namespace

PictureSummary check_pictures(const PictureStore& store, int threads,
                              const std::function<bool(std::int64_t done)>& on_progress) {
  Check check(store);
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t)
      others.emplace_back([&check] { check.work([](std::int64_t) { return true; }); });
    check.work([&](std::int64_t done) { return !on_progress || on_progress(done); });
  }
  return check.finish();
}

}  // namespace convoy::data
