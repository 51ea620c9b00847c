// The one team of compute threads: libgomp's, with one size everywhere, because oneDNN shares it and slows
// down when team sizes alternate. Workers that are no compute (loaders, progress) are std::jthread.
#pragma once

#include <cstdint>
#include <functional>

namespace convoy::base {

// Processors that this process may run on (its affinity mask), at least 1.
int available_processors();

// Sets the team size of the calling thread's parallel regions, including those inside oneDNN. n >= 1.
void set_thread_count(int n);
int thread_count();

// Half-open range [begin, end).
struct IndexRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
};

// The part-th of `parts` contiguous pieces of [0, count), sizes differing by at most one. Deterministic.
IndexRange split_range(std::int64_t count, int parts, int part);

// Calls body(range) on the team with disjoint ranges that cover [0, count), each a multiple of `grain` but
// the last. Runs inline when one grain or one thread suffices. Blocks. The split depends on (count, grain,
// thread_count()) alone. `body` must not throw.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, Body&& body) {
  const std::int64_t chunks = (count + grain - 1) / grain;
  const int team = static_cast<int>(chunks < thread_count() ? chunks : thread_count());
  if (team <= 1) {
    if (count > 0) body(IndexRange{0, count});
    return;
  }
#pragma omp parallel for num_threads(thread_count()) schedule(static, 1)
  for (int part = 0; part < team; ++part) {
    const IndexRange piece = split_range(chunks, team, part);
    body(IndexRange{piece.begin * grain, piece.end * grain < count ? piece.end * grain : count});
  }
}

}  // namespace convoy::base
