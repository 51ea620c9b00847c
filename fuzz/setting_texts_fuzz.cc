// Any bytes as the small grammars inside settings: augmentation, fold, schedule, shape of a sample. What is
// accepted prints a text that gives the same value, and can be used.
#include "convoy/base/rng.h"
#include "convoy/data/augment.h"
#include "convoy/data/division.h"
#include "convoy/optim/schedule.h"
#include "convoy/run/assemble.h"
#include "fuzz/fuzz_input.h"

namespace {

void check_augmentation(std::string_view text) {
  const auto config = convoy::data::parse_augment(text);
  if (!config) return;
  const std::string printed = convoy::data::augment_text(*config);
  const auto back = convoy::data::parse_augment(printed);
  CONVOY_CHECK(back.ok() && convoy::data::augment_text(*back) == printed, printed);
  const convoy::tensor::Shape shape{1, 6, 7};
  if (config->steps.size() > 8 || !convoy::data::Augmenter::check(*config, shape)) return;
  const convoy::data::Augmenter augmenter(*config, shape);
  auto scratch = augmenter.make_scratch();
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(shape.count()), 77);
  convoy::base::RandomStream random(1, convoy::base::Purpose::augment, 0, 0);
  augmenter.apply(pixels, random, scratch);
}

void check_schedule(std::string_view text) {
  const auto parsed = convoy::optim::Schedule::parse(text, 100);
  if (!parsed) return;
  const auto back = convoy::optim::Schedule::parse(parsed->str(), 7);
  CONVOY_CHECK(back.ok() && back->str() == parsed->str(), parsed->str());
  convoy::optim::Schedule schedule = *parsed;
  schedule.total_steps = 1000;
  for (const std::int64_t t : {std::int64_t{0}, std::int64_t{1}, std::int64_t{999}, std::int64_t{1} << 50}) {
    const double rate = schedule.rate(t);
    CONVOY_CHECK(!(rate < 0), parsed->str(), " at ", t, ": ", rate);
  }
}

void check_sample_shape(std::string_view text) {
  const auto shape = convoy::run::parse_sample_shape(text);
  if (!shape) return;
  const auto back = convoy::run::parse_sample_shape(shape->str());
  CONVOY_CHECK(back.ok() && *back == *shape, shape->str());
}

void check_fold(std::string_view text) {
  const auto fold = convoy::data::parse_fold(text);
  if (!fold || fold->count == 0) return;
  const std::int64_t counts[] = {17, 0, 5};
  using Kind = convoy::data::PartRule::Kind;
  const convoy::data::Division train(counts, {.kind = Kind::train, .fold = *fold});
  const convoy::data::Division test(counts, {.kind = Kind::test, .fold = *fold});
  CONVOY_CHECK(train.size() + test.size() == 22, text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = convoy::fuzz::as_text(data, size);
  check_augmentation(text);
  check_fold(text);
  check_schedule(text);
  check_sample_shape(text);
  return 0;
}
