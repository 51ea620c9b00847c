#include <algorithm>
#include <map>

#include "convoy/plan/memory.h"
#include "convoy/plan/verify_checks.h"

namespace convoy::plan {
namespace {

using base::Reason;
using base::Verdict;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// The bytes that a slot stands for. Only slots of one arena, or of one segment in one sink, can meet. A
// gradient stands where it is planned, in an arena of its own; a sink that hands out memory for each has
// fewer that can meet.
constexpr int kArena = -1;
struct Place {
  Region region;
  int key = 0;  // the segment or slot; kArena: a place among others
  std::int64_t begin = 0, end = 0;
};

Place place_of(const Program& program, int index) {
  const Slot& slot = program.slots[at(index)];
  switch (slot.region) {
    case Region::arena:
      return {slot.region, kArena, slot.offset, slot.offset + slot.bytes};
    case Region::gradient:
      if (slot.offset >= 0) return {slot.region, kArena, slot.offset, slot.offset + slot.bytes};
      return {slot.region, slot.segment, 0, slot.bytes};
    case Region::next_state:
      return {slot.region, slot.segment, 0, slot.bytes};
    default:
      return {slot.region, index, 0, slot.bytes};
  }
}

bool overlap(const Place& a, const Place& b) {
  return a.region == b.region && a.key == b.key && a.begin < b.end && b.begin < a.end;
}

bool same(const Place& a, const Place& b) {
  return a.region == b.region && a.key == b.key && a.begin == b.begin && a.end == b.end;
}

// Whether a step may write `written` over its own operand `read`.
bool may_alias(const Program& program, const Step& step, int read, int written) {
  const std::vector<int> reads = step.reads();
  if (std::count(reads.begin(), reads.end(), read) != 1) return false;
  if (step.kind == StepKind::reduce_into) return read == step.to && written == step.to;
  const InPlacePair pair = in_place_pair(program, step);
  return pair.read == read && pair.written == written &&
         same(place_of(program, read), place_of(program, written));
}

struct Access {
  int step = -1;
  bool writes = false;
};

std::vector<std::vector<Access>> accesses_by_slot(const Program& program) {
  std::vector<std::vector<Access>> accesses(program.slots.size());
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    for (const int slot : program.steps[at(i)].reads()) accesses[at(slot)].push_back({i, false});
    for (const int slot : program.steps[at(i)].writes()) accesses[at(slot)].push_back({i, true});
  }
  return accesses;
}

constexpr int kNothing = -1;  // never written
constexpr int kScratch = -2;  // a kernel's workspace: the contents mean nothing afterwards

// Which slot's contents each byte of the arena holds, as disjoint pieces.
class ArenaMap {
 public:
  explicit ArenaMap(std::int64_t bytes) { pieces_[0] = {bytes, kNothing}; }

  void write(std::int64_t begin, std::int64_t end, int owner) {
    if (begin >= end) return;
    split(begin);
    split(end);
    pieces_.erase(pieces_.lower_bound(begin), pieces_.lower_bound(end));
    pieces_[begin] = {end, owner};
  }

  // The owner of the first piece within [begin, end) that is not `owner`'s; `owner` if all of it is.
  int stranger(std::int64_t begin, std::int64_t end, int owner) const {
    auto piece = pieces_.upper_bound(begin);
    if (piece != pieces_.begin()) --piece;
    for (; piece != pieces_.end() && piece->first < end; ++piece)
      if (piece->second.end > begin && piece->second.owner != owner) return piece->second.owner;
    return owner;
  }

 private:
  struct Piece {
    std::int64_t end = 0;
    int owner = kNothing;
  };

  void split(std::int64_t position) {
    auto piece = pieces_.lower_bound(position);
    if (piece == pieces_.begin() || (piece != pieces_.end() && piece->first == position)) return;
    --piece;
    if (piece->second.end <= position) return;
    pieces_[position] = piece->second;
    piece->second.end = position;
  }

  std::map<std::int64_t, Piece> pieces_;  // by begin
};

// Runs the Program on names instead of numbers: every place remembers which slot was written there last.
// One sequence stands for all: accesses that conflict are ordered, so every sequence gives the same history.
class ValueCheck {
 public:
  explicit ValueCheck(const Program& program)
      : program_(program),
        arena_(program.arena_bytes),
        gradients_(program.gradient_bytes),
        owner_(program.slots.size(), kNothing) {
    for (const int slot : {program.input_slot, program.labels_slot})
      if (slot >= 0) owner_[at(slot)] = slot;
  }

  Verdict run(const Order& order) {
    for (const int i : order.sequence()) {
      const Step& step = program_.steps[at(i)];
      for (const int slot : step.reads())
        if (const std::string problem = read_problem(slot); !problem.empty())
          return Reason{
              base::str(describe_step(program_, i), ": reads ", describe_slot(program_, slot), problem)};
      if (const std::string problem = saved_problem(step); !problem.empty())
        return Reason{describe_step(program_, i) + ": " + problem};
      for (const int slot : step.writes()) write(slot, slot == step.operands.workspace ? kScratch : slot);
    }
    return check_results();
  }

 private:
  void write(int slot, int owner) {
    const Place place = place_of(program_, slot);
    if (place.key == kArena)
      (place.region == Region::arena ? arena_ : gradients_).write(place.begin, place.end, owner);
    else
      owner_[at(slot)] = owner;
  }

  // What is there instead of the slot's contents; empty: they are there.
  std::string read_problem(int slot) const {
    const Place place = place_of(program_, slot);
    const ArenaMap& arena = place.region == Region::arena ? arena_ : gradients_;
    const int found = place.key == kArena ? arena.stranger(place.begin, place.end, slot) : owner_[at(slot)];
    if (found == slot) return "";
    if (found == kScratch) return ", whose place was used as workspace since";
    if (found >= 0) return ", whose place holds " + describe_slot(program_, found) + " by then";
    return place.region == Region::parameter ? " before it is acquired" : " before it is written whole";
  }

  // What forward saved can be read only by its own entry and family.
  std::string saved_problem(const Step& step) {
    const int saved = step.operands.saved;
    if (step.kind != StepKind::compute || saved < 0) return "";
    const KernelCall& call = program_.kernels[at(step.kernel)];
    if (call.problem.pass == kernels::Pass::forward) {
      saved_by_[saved] = step.kernel;
      return "";
    }
    const auto writer = saved_by_.find(saved);
    if (writer == saved_by_.end()) return describe_slot(program_, saved) + " was saved by no forward pass";
    const KernelCall& forward = program_.kernels[at(writer->second)];
    if (forward.entry == call.entry && forward.problem.family == call.problem.family) return "";
    return base::str(call.entry, "/", kernels::name(call.problem.family), " cannot read what ", forward.entry,
                     "/", kernels::name(forward.problem.family), " saved in ",
                     describe_slot(program_, saved));
  }

  Verdict check_results() const {
    const bool has_loss = program_.config.mode != StepConfig::Mode::predict;
    if (const std::string problem = read_problem(program_.output_slot); !problem.empty())
      return Reason{"the end: the output is " + describe_slot(program_, program_.output_slot) + problem};
    if (!has_loss) return {};
    if (const std::string problem = read_problem(program_.loss_slot); !problem.empty())
      return Reason{"the end: the loss is " + describe_slot(program_, program_.loss_slot) + problem};
    return {};
  }

  const Program& program_;
  ArenaMap arena_, gradients_;
  std::vector<int> owner_;       // by slot, outside the arena
  std::map<int, int> saved_by_;  // saved slot → kernel that wrote it
};

}  // namespace

Verdict check_aliasing(const Program& program) {
  for (int i = 0; i < static_cast<int>(program.steps.size()); ++i) {
    const Step& step = program.steps[at(i)];
    const std::vector<int> reads = step.reads(), writes = step.writes();
    for (std::size_t w = 0; w < writes.size(); ++w) {
      const Place written = place_of(program, writes[w]);
      for (std::size_t other = w + 1; other < writes.size(); ++other)
        if (overlap(written, place_of(program, writes[other])))
          return Reason{base::str(describe_step(program, i), ": writes ", describe_slot(program, writes[w]),
                                  " and ", describe_slot(program, writes[other]), " in one place")};
      for (const int read : reads)
        if (overlap(written, place_of(program, read)) && !may_alias(program, step, read, writes[w]))
          return Reason{base::str(describe_step(program, i), ": writes ", describe_slot(program, writes[w]),
                                  " over ", describe_slot(program, read),
                                  ", which it reads and may not overwrite")};
    }
  }
  return {};
}

Verdict check_races(const Program& program, const Order& order) {
  if (order.single_queue()) return {};
  const auto accesses = accesses_by_slot(program);
  for (int s = 0; s < static_cast<int>(program.slots.size()); ++s)
    for (int t = s; t < static_cast<int>(program.slots.size()); ++t) {
      if (!overlap(place_of(program, s), place_of(program, t))) continue;
      for (const Access& a : accesses[at(s)])
        for (const Access& b : accesses[at(t)]) {
          if (a.step == b.step || (!a.writes && !b.writes) || order.ordered(a.step, b.step)) continue;
          return Reason{base::str("race: ", describe_step(program, a.step), a.writes ? " writes " : " reads ",
                                  describe_slot(program, s), " and ", describe_step(program, b.step),
                                  b.writes ? " writes " : " reads ", describe_slot(program, t),
                                  " in the same memory, and nothing orders them")};
        }
    }
  return {};
}

Verdict check_values(const Program& program, const Order& order) { return ValueCheck(program).run(order); }

}  // namespace convoy::plan
