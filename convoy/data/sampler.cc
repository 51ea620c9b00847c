#include "convoy/data/sampler.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "convoy/base/check.h"
#include "convoy/base/rng.h"
#include "convoy/base/threads.h"

namespace convoy::data {
namespace {

constexpr std::int64_t kLargestSize = std::int64_t{1} << 60;
// Six rounds of a strong round function: four suffice in theory, tiny domains profit from more.
constexpr int kRounds = 6;
// With three or four bits the permutations of a Feistel network are visibly uneven.
constexpr int kFewestBits = 6;

constexpr std::uint64_t low_bits(int count) { return (std::uint64_t{1} << count) - 1; }

}  // namespace

Permutation::Permutation(std::uint64_t seed, std::int64_t epoch, std::int64_t size) : size_(size) {
  CONVOY_CHECK(epoch >= 0, "epoch = ", epoch);
  CONVOY_CHECK(size >= 1 && size <= kLargestSize, "size = ", size);
  const int bits =
      std::max(kFewestBits, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size - 1))));
  left_bits_ = bits / 2;
  right_bits_ = bits - left_bits_;
  base::RandomStream random(seed, base::Purpose::shuffle, static_cast<std::uint64_t>(epoch), 0);
  key_ = {random.bits(), random.bits()};
}

std::uint64_t Permutation::mix(std::uint64_t value) const {
  std::uint64_t left = value >> right_bits_, right = value & low_bits(right_bits_);
  for (std::uint32_t round = 0; round < kRounds; round += 2) {
    // Each line changes one half by a function of the other, hence can be undone.
    left ^=
        base::philox4x32({static_cast<std::uint32_t>(right), round, 0, 0}, key_)[0] & low_bits(left_bits_);
    right ^= base::philox4x32({static_cast<std::uint32_t>(left), round + 1, 0, 0}, key_)[0] &
             low_bits(right_bits_);
  }
  return left << right_bits_ | right;
}

std::int64_t Permutation::at(std::int64_t position) const {
  CONVOY_CHECK(position >= 0 && position < size_, "position ", position, " of ", size_);
  auto value = static_cast<std::uint64_t>(position);
  do {
    value = mix(value);
  } while (value >= static_cast<std::uint64_t>(size_));
  return static_cast<std::int64_t>(value);
}

base::Verdict Sampler::check(const SamplerConfig& config) {
  if (config.size < 1 || config.size > kLargestSize)
    return base::Reason{base::str("a data set of ", config.size, " examples cannot be sampled")};
  if (config.world_size < 1 || config.rank < 0 || config.rank >= config.world_size)
    return base::Reason{base::str("rank ", config.rank, " is not one of ", config.world_size, " ranks")};
  if (config.batch_size < 1 || config.batch_size > kLargestSize / config.world_size)
    return base::Reason{base::str("batch size ", config.batch_size, ": give 1 or more")};
  if (const std::int64_t batch = config.batch_size * config.world_size;
      !config.keep_last && batch > config.size)
    return base::Reason{base::str("a minibatch of ", batch, " examples, but only ", config.size,
                                  " in the data set and the incomplete minibatch is to be dropped; "
                                  "use a smaller batch size or keep it")};
  return {};
}

Sampler::Sampler(const SamplerConfig& config) : config_(config) {
  const base::Verdict verdict = check(config);
  CONVOY_CHECK(verdict.ok(), verdict.ok() ? "" : verdict.reason().text);
  global_batch_ = config.batch_size * config.world_size;
  steps_per_epoch_ = config.size / global_batch_;
  if (config.keep_last && config.size % global_batch_ != 0) ++steps_per_epoch_;
}

StepSamples Sampler::at(std::int64_t step) const {
  CONVOY_CHECK(step >= 0, "step = ", step);
  const std::int64_t begin = step % steps_per_epoch_ * global_batch_;
  const std::int64_t global_count = std::min(global_batch_, config_.size - begin);
  const base::IndexRange part = base::split_range(global_count, config_.world_size, config_.rank);
  return {.epoch = step / steps_per_epoch_,
          .first = begin + part.begin,
          .count = part.size(),
          .global_count = global_count,
          .first_in_batch = part.begin};
}

void Sampler::indices(const StepSamples& samples, std::span<std::int64_t> indices) const {
  CONVOY_CHECK(std::ssize(indices) == samples.count, indices.size(), " places for ", samples.count);
  std::iota(indices.begin(), indices.end(), samples.first);
  if (!config_.shuffle) return;
  const Permutation order(config_.seed, samples.epoch, config_.size);
  for (std::int64_t& index : indices) index = order.at(index);
}

}  // namespace convoy::data
