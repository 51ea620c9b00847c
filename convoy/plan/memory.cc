#include "convoy/plan/memory.h"

#include <algorithm>
#include <numeric>

#include "convoy/base/check.h"
#include "convoy/tensor/view.h"

namespace convoy::plan {
namespace {

constexpr std::int64_t align_up(std::int64_t bytes) {
  return (bytes + tensor::kAlignment_bytes - 1) / tensor::kAlignment_bytes * tensor::kAlignment_bytes;
}

bool is_arena(const Program& program, int slot) {
  return program.slots[static_cast<std::size_t>(slot)].region == Region::arena;
}

// Lifetimes as memory needs them: what the Program returns is still read after its last step.
std::vector<Lifetime> live_ranges(const Program& program) {
  std::vector<Lifetime> ranges = lifetimes(program);
  for (const int slot : {program.output_slot, program.loss_slot})
    if (slot >= 0 && ranges[static_cast<std::size_t>(slot)].first >= 0)
      ranges[static_cast<std::size_t>(slot)].last = static_cast<int>(program.steps.size());
  return ranges;
}

// Whether the step at `index` can write over what it reads last.
bool may_share(const Program& program, const std::vector<Lifetime>& ranges, int index, InPlacePair pair) {
  if (pair.read < 0 || pair.written < 0 || pair.read == pair.written) return false;
  if (!is_arena(program, pair.read) || !is_arena(program, pair.written)) return false;
  const Slot& read = program.slots[static_cast<std::size_t>(pair.read)];
  const Slot& written = program.slots[static_cast<std::size_t>(pair.written)];
  if (read.bytes != written.bytes) return false;
  const Lifetime& range = ranges[static_cast<std::size_t>(pair.read)];
  if (range.first >= index || range.last != index) return false;
  if (ranges[static_cast<std::size_t>(pair.written)].first != index) return false;
  // A kernel that reads the array a second time, as another operand, would find it half overwritten.
  const std::vector<int> reads = program.steps[static_cast<std::size_t>(index)].reads();
  return std::count(reads.begin(), reads.end(), pair.read) == 1;
}

// Slots that take one place together: one slot, or a chain of slots each written over the one before.
struct Block {
  std::vector<int> slots;
  std::int64_t bytes = 0;  // aligned
  Lifetime range;
  std::int64_t offset = 0;
};

std::vector<Block> arena_blocks(const Program& program, bool in_place) {
  const std::vector<Lifetime> ranges = live_ranges(program);
  std::vector<int> follows(program.slots.size(), -1);  // the slot whose place this one takes over
  if (in_place)
    for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
      const InPlacePair pair = in_place_pair(program, program.steps[static_cast<std::size_t>(i)]);
      if (may_share(program, ranges, i, pair)) follows[static_cast<std::size_t>(pair.written)] = pair.read;
    }
  // A slot begins where the one it follows ends, so order of first use meets every chain from its head on.
  std::vector<int> order(program.slots.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return ranges[static_cast<std::size_t>(a)].first < ranges[static_cast<std::size_t>(b)].first;
  });
  std::vector<Block> blocks;
  std::vector<std::size_t> block_of(program.slots.size(), 0);
  for (const int slot : order) {
    const auto s = static_cast<std::size_t>(slot);
    if (!is_arena(program, slot)) continue;
    if (follows[s] >= 0) {
      block_of[s] = block_of[static_cast<std::size_t>(follows[s])];
      blocks[block_of[s]].slots.push_back(slot);
      blocks[block_of[s]].range.last = ranges[s].last;
    } else {
      block_of[s] = blocks.size();
      blocks.push_back({{slot}, align_up(program.slots[s].bytes), ranges[s], 0});
    }
  }
  return blocks;
}

bool overlap(const Lifetime& a, const Lifetime& b) {
  return a.first >= 0 && b.first >= 0 && a.first <= b.last && b.first <= a.last;
}

// Gives each block the lowest offset that is free for the whole of its lifetime, largest blocks first.
// Source: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference (2020), section 5.
void place(std::vector<Block>& blocks) {
  std::stable_sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.range.first < b.range.first;
  });
  std::vector<const Block*> placed;  // by offset
  for (Block& block : blocks) {
    std::int64_t offset = 0;
    for (const Block* other : placed) {
      if (!overlap(block.range, other->range)) continue;
      if (other->offset >= offset + block.bytes) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    block.offset = offset;
    const auto position =
        std::upper_bound(placed.begin(), placed.end(), offset,
                         [](std::int64_t value, const Block* other) { return value < other->offset; });
    placed.insert(position, &block);
  }
}

// Sets the blocks' offsets; returns the bytes that they need together.
std::int64_t place_all(std::vector<Block>& blocks, bool share) {
  if (share) place(blocks);
  std::int64_t end = 0;
  for (Block& block : blocks) {
    if (!share) block.offset = end;
    end = std::max(end, block.offset + block.bytes);
  }
  return end;
}

// The gradients that need an array of their own until they are ready.
std::vector<Block> gradient_blocks(const Program& program) {
  const std::vector<Lifetime> ranges = lifetimes(program);
  const std::vector<bool> in_pieces = given_in_pieces(program);
  std::vector<Block> blocks;
  for (std::size_t s = 0; s < program.slots.size(); ++s)
    if (program.slots[s].region == Region::gradient && !in_pieces[s])
      blocks.push_back({{static_cast<int>(s)}, align_up(program.slots[s].bytes), ranges[s], 0});
  return blocks;
}

void set_offsets(const std::vector<Block>& blocks, Program& program) {
  for (const Block& block : blocks)
    for (const int slot : block.slots) program.slots[static_cast<std::size_t>(slot)].offset = block.offset;
}

}  // namespace

std::vector<Lifetime> lifetimes(const Program& program) {
  std::vector<Lifetime> result(program.slots.size());
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    const Step& step = program.steps[static_cast<std::size_t>(i)];
    for (const std::vector<int>& touched : {step.reads(), step.writes()})
      for (const int slot : touched) {
        Lifetime& lifetime = result[static_cast<std::size_t>(slot)];
        if (lifetime.first < 0) lifetime.first = i;
        lifetime.last = i;
      }
  }
  return result;
}

InPlacePair in_place_pair(const Program& program, const Step& step) {
  if (step.kind != StepKind::compute) return {};
  const KernelCall& kernel = program.kernels[static_cast<std::size_t>(step.kernel)];
  if (!kernel.traits.in_place) return {};
  const Operands& operands = step.operands;
  const bool forward = kernel.problem.pass == kernels::Pass::forward;
  const std::vector<int>& reads = forward ? operands.inputs : operands.output_gradients;
  const std::vector<int>& writes = forward ? operands.outputs : operands.input_gradients;
  if (reads.empty() || writes.empty()) return {};
  return {reads[0], writes[0]};
}

void plan_memory(Program& program, bool share) {
  for (const Step& step : program.steps)
    CONVOY_CHECK(step.queue == program.steps.front().queue, "step ", step.label, " is on queue ", step.queue);
  program.arena_bytes_unshared = 0;
  for (const Slot& slot : program.slots)
    if (slot.region == Region::arena) program.arena_bytes_unshared += align_up(slot.bytes);
  std::vector<Block> arena = arena_blocks(program, share), gradients = gradient_blocks(program);
  program.arena_bytes = place_all(arena, share);
  program.gradient_bytes = place_all(gradients, share);
  for (Slot& slot : program.slots) slot.offset = slot.region == Region::gradient ? -1 : 0;
  set_offsets(arena, program);
  set_offsets(gradients, program);
}

TrainingMemory training_memory(const Program& program, int optimizer_slots) {
  const std::int64_t element = tensor::size_bytes(program.layout.type);
  TrainingMemory memory{.weights = (program.layout.parameter_extent + program.layout.state_extent) * element,
                        .gradients = program.gradient_bytes,
                        .optimizer = program.layout.parameter_extent * element * optimizer_slots,
                        .arena = program.arena_bytes};
  for (const Slot& slot : program.slots)
    if (slot.region == Region::input || slot.region == Region::labels) memory.data += slot.bytes;
  for (const KernelCall& kernel : program.kernels) memory.derived += kernel.traits.derived_bytes;
  return memory;
}

std::int64_t live_bytes_bound(const Program& program) {
  std::vector<std::int64_t> change(program.steps.size() + 2, 0);
  for (const Block& block : arena_blocks(program, true)) {
    if (block.range.first < 0) continue;
    change[static_cast<std::size_t>(block.range.first)] += block.bytes;
    change[static_cast<std::size_t>(block.range.last) + 1] -= block.bytes;
  }
  std::int64_t live = 0, peak = 0;
  for (const std::int64_t delta : change) {
    live += delta;
    peak = std::max(peak, live);
  }
  return peak;
}

}  // namespace convoy::plan
