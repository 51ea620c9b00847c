#include "convoy/data/picture_store.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::data {
namespace {

class Pool final : public PictureStore {
 public:
  Pool(std::shared_ptr<const PictureStore> first, std::shared_ptr<const PictureStore> second)
      : first_(std::move(first)), second_(std::move(second)), notes_(first_->notes()) {
    notes_.insert(notes_.end(), second_->notes().begin(), second_->notes().end());
    for (std::size_t c = 0; c < class_names().size(); ++c)
      counts_.push_back(first_->counts()[c] + second_->counts()[c]);
  }

  const std::vector<std::string>& class_names() const override { return first_->class_names(); }
  std::span<const std::int64_t> counts() const override { return counts_; }
  const std::vector<std::string>& notes() const override { return notes_; }

  std::string read(std::int64_t index, std::string& bytes) const override {
    std::int64_t first_begin = 0, second_begin = 0;
    for (std::size_t c = 0; c < counts_.size(); ++c) {
      const std::int64_t firsts = first_->counts()[c];
      if (index < firsts) return first_->read(first_begin + index, bytes);
      if (index < counts_[c]) return second_->read(second_begin + index - firsts, bytes);
      index -= counts_[c];
      first_begin += firsts;
      second_begin += second_->counts()[c];
    }
    base::bug(__FILE__, __LINE__, "index < size", "no such picture");
  }

 private:
  std::shared_ptr<const PictureStore> first_, second_;
  std::vector<std::int64_t> counts_;
  std::vector<std::string> notes_;
};

}  // namespace

bool is_picture_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 6> kEndings{".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".pnm"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

std::int64_t picture_count(const PictureStore& store) {
  return std::accumulate(store.counts().begin(), store.counts().end(), std::int64_t{0});
}

void check_same_classes(const std::vector<std::string>& first, const std::vector<std::string>& second,
                        const std::string& place) {
  for (const auto& [here, there] : {std::pair(&first, &second), std::pair(&second, &first)})
    for (const std::string& name : *here)
      if (std::find(there->begin(), there->end(), name) == there->end())
        throw base::InputError(
            place, base::str("the class '", name, "' is in the ", here == &first ? "training" : "test",
                             " part only; both parts need the same classes"));
}

std::shared_ptr<const PictureStore> pool(std::shared_ptr<const PictureStore> first,
                                         std::shared_ptr<const PictureStore> second,
                                         const std::string& place) {
  check_same_classes(first->class_names(), second->class_names(), place);
  return std::make_shared<Pool>(std::move(first), std::move(second));
}

}  // namespace convoy::data
