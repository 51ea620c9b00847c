// Which examples a step sees: shuffled reproducibly, split over ranks, addressable by step number.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "convoy/base/result.h"

namespace convoy::data {

// A pseudo-random bijection of [0, size), one for each (seed, epoch), in O(1) memory.
//
// An alternating Feistel network over the bits of the position, whose round function is Philox4x32-10 under a
// key drawn for (seed, epoch); a result outside [0, size) is mapped again until it falls inside (cycle
// walking: less than two rounds of it on average, more only below 64 elements).
// Immutable, so thread-safe; the same on every machine.
// Source: Black and Rogaway, Ciphers with Arbitrary Finite Domains (CT-RSA 2002), section 3.
class Permutation {
 public:
  // Requires epoch >= 0 and 1 <= size <= 2^60.
  Permutation(std::uint64_t seed, std::int64_t epoch, std::int64_t size);

  // The element at `position`. Requires 0 <= position < size.
  std::int64_t at(std::int64_t position) const;
  std::int64_t size() const { return size_; }

 private:
  std::uint64_t mix(std::uint64_t value) const;

  std::int64_t size_;
  int left_bits_;
  int right_bits_;
  std::array<std::uint32_t, 2> key_;
};

struct SamplerConfig {
  std::int64_t size = 0;  // examples in the data set
  std::uint64_t seed = 1;
  bool shuffle = true;           // a new order each epoch; else the data set's own
  std::int64_t batch_size = 64;  // of one rank
  int rank = 0;
  int world_size = 1;
  bool keep_last = true;  // an epoch ends with a smaller minibatch where the sizes do not divide; else it is
                          // left out
};

// The samples of one step on one rank: positions first … first + count - 1 of the order of `epoch`.
struct StepSamples {
  std::int64_t epoch = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;           // 0 for some ranks where the last minibatch is smaller than the world
  std::int64_t global_count = 0;    // over all ranks
  std::int64_t first_in_batch = 0;  // of local sample 0 within the global minibatch
};

// Maps a step number to examples. The global minibatch of a step is the next batch_size * world_size
// positions of the epoch's order; rank r gets the r-th contiguous part of it (base::split_range). So p ranks
// of batch B together see, step by step and in the same order, what one rank of batch p*B sees. A pure
// function of the configuration and the step: nothing to save for a resume. Thread-safe.
class Sampler {
 public:
  // Says what is wrong with a configuration: sizes out of range, or no full minibatch with keep_last off.
  static base::Verdict check(const SamplerConfig& config);

  // Requires check(config).
  explicit Sampler(const SamplerConfig& config);

  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  // Requires step >= 0.
  StepSamples at(std::int64_t step) const;
  // Writes the data set's indices of `samples`, in order. Requires indices.size() == samples.count.
  void indices(const StepSamples& samples, std::span<std::int64_t> indices) const;

 private:
  SamplerConfig config_;
  std::int64_t global_batch_;
  std::int64_t steps_per_epoch_;
};

}  // namespace convoy::data
