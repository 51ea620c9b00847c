// Counter-based random numbers: every draw is a pure function of (seed, purpose, step or epoch, sample,
// position), so that it is the same whatever the number of threads and ranks.
#pragma once

#include <array>
#include <cstdint>

namespace convoy::base {

// Philox4x32-10. Maps a 128-bit counter under a 64-bit key to 128 random bits; a bijection per key.
// Source: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011), section 4.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// What a draw is for. Two purposes never share numbers. Values are part of the checkpoint contract:
// append, never renumber.
enum class Purpose : std::uint32_t {
  initialise = 1,
  shuffle = 2,
  dropout = 3,
  augment = 4,
  rounding = 5,
  digits = 6,
  test = 7,
};

// Identifies the moment of training at which a draw is made.
struct StepKey {
  std::uint64_t seed = 0;
  std::int64_t step = 0;          // update steps since the start of training
  std::int64_t first_sample = 0;  // global index, within the global minibatch, of local sample 0
};

// A sequence of draws with a fixed identity. Cheap to make: one a (purpose, sample) pair.
// Not thread-safe; make one a thread.
class RandomStream {
 public:
  // `a` and `b` are the purpose's coordinates: step and sample, epoch and index, segment and block.
  // b < 2^32; a stream holds 2^34 32-bit draws.
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t a, std::uint64_t b);

  std::uint32_t bits();
  std::uint64_t bits64();
  float uniform();          // [0, 1), 24 bits
  double uniform_double();  // [0, 1), 53 bits
  double uniform(double low, double high) { return low + (high - low) * uniform_double(); }
  double normal();                       // mean 0, variance 1; Box-Muller, two 64-bit draws each pair
  std::uint64_t below(std::uint64_t n);  // uniform on 0 … n-1 without bias; n >= 1

 private:
  void refill();

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

}  // namespace convoy::base
