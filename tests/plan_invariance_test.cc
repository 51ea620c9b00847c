// The master property for one rank: whatever the plan, a lowered and executed Program gives the loss and the
// gradients of the net's definition. Once in float64 to rounding; once through the fast float32 kernels
// on integers that are exact in every order of summation: equal in every bit but a zero's sign; once
// through those that are inexact on integers too, within their rounding; and both again where every other
// kernel keeps bf16.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>

#include "convoy/exec/executor.h"
#include "convoy/exec/graph_objective.h"
#include "convoy/kernels/convert.h"
#include "convoy/kernels/family.h"
#include "convoy/layers/catalog.h"
#include "convoy/plan/lower.h"
#include "convoy/plan/verify.h"
#include "tests/support/random_graph.h"

namespace convoy {
namespace {

using kernels::Layout;
using plan::Program;
using plan::StepKind;
using tensor::DType;
using tensor::SegmentKind;
using testing::NetInput;
using testing::NetResult;

std::uint64_t environment(const char* name, std::uint64_t standard) {
  const char* text = std::getenv(name);
  return text == nullptr ? standard : std::strtoull(text, nullptr, 10);
}

std::uint64_t first_seed() { return environment("CONVOY_TEST_SEED", 1); }
std::uint64_t rounds(std::uint64_t standard) { return environment("CONVOY_TEST_ROUNDS", standard); }

// --- segments in memory -----------------------------------------------------------------------------------

// Every segment's array in its own type and layout, for parameters, gradients or states.
class Segments {
 public:
  explicit Segments(const tensor::ParamLayout& layout) : layout_(layout) {
    for (const tensor::Segment& segment : layout.segments) {
      arrays_.emplace_back(layout.type, segment.stored_shape());
      poison(arrays_.back());
    }
  }

  tensor::View view(int segment) { return arrays_[static_cast<std::size_t>(segment)].view(); }

  void store(std::size_t segment, const std::vector<double>& plain) {
    tensor::Tensor source(layout_.type, layout_.segments[segment].global_shape);
    for (std::size_t e = 0; e < plain.size(); ++e) set(source, e, plain[e]);
    converter(segment, true)->run(source.view().data(), arrays_[segment].view().data());
  }

  std::vector<double> load(std::size_t segment) const {
    tensor::Tensor plain(layout_.type, layout_.segments[segment].global_shape);
    converter(segment, false)->run(arrays_[segment].view().data(), plain.view().data());
    std::vector<double> values(static_cast<std::size_t>(plain.shape().count()));
    for (std::size_t e = 0; e < values.size(); ++e)
      values[e] = layout_.type == DType::f64 ? plain.as<double>()[e] : double{plain.as<float>()[e]};
    return values;
  }

 private:
  std::unique_ptr<kernels::Converter> converter(std::size_t segment, bool store) const {
    const tensor::Segment& s = layout_.segments[segment];
    const Layout tag = Layout::parse(s.layout_tag, s.global_shape.rank()).value();
    const Layout plain = Layout::plain();
    return kernels::make_reference_converter(
        {s.global_shape, layout_.type, store ? plain : tag, store ? tag : plain});
  }

  void set(tensor::Tensor& tensor, std::size_t element, double value) const {
    if (layout_.type == DType::f64)
      tensor.as<double>()[element] = value;
    else
      tensor.as<float>()[element] = static_cast<float>(value);
  }

  void poison(tensor::Tensor& tensor) const {
    for (std::int64_t e = 0; e < tensor.shape().count(); ++e)
      set(tensor, static_cast<std::size_t>(e), std::numeric_limits<double>::quiet_NaN());
  }

  const tensor::ParamLayout& layout_;
  std::vector<tensor::Tensor> arrays_;
};

class Source final : public optim::ParamSource {
 public:
  Source(const tensor::ParamLayout& layout, const NetInput& input) : segments_(layout) {
    for (std::size_t s = 0; s < input.segments.size(); ++s) segments_.store(s, input.segments[s]);
  }
  optim::Acquired acquire(int segment, optim::Phase) override { return {segments_.view(segment), 0}; }

 private:
  Segments segments_;
};

// Takes each gradient at its Ready, not at the end: what is announced must be final.
class GradientTaker final : public optim::GradientSink {
 public:
  explicit GradientTaker(const tensor::ParamLayout& layout)
      : segments_(layout), gradients_(layout.segments.size()) {}
  tensor::View buffer(int segment) override { return segments_.view(segment); }
  void ready(int segment, base::IndexRange, bool final) override {
    EXPECT_TRUE(final);
    EXPECT_TRUE(gradients_[static_cast<std::size_t>(segment)].empty()) << "announced twice";
    gradients_[static_cast<std::size_t>(segment)] = segments_.load(static_cast<std::size_t>(segment));
  }
  const std::vector<std::vector<double>>& gradients() const { return gradients_; }

 private:
  Segments segments_;
  std::vector<std::vector<double>> gradients_;
};

// Takes each gradient in pieces: none has an array outside the Program.
class PieceTaker final : public optim::GradientSink {
 public:
  explicit PieceTaker(const tensor::ParamLayout& layout)
      : segments_(layout), gradients_(layout.segments.size()) {}
  tensor::View buffer(int segment) override {
    ADD_FAILURE() << "segment " << segment << " asks for a buffer";
    return segments_.view(segment);
  }
  bool takes_pieces(int) const override { return true; }
  void take(int segment, base::IndexRange range, std::span<const float> piece) noexcept override {
    std::copy(piece.begin(), piece.end(), segments_.view(segment).as<float>().begin() + range.begin);
  }
  void ready(int segment, base::IndexRange, bool) override {
    gradients_[static_cast<std::size_t>(segment)] = segments_.load(static_cast<std::size_t>(segment));
  }
  const std::vector<std::vector<double>>& gradients() const { return gradients_; }

 private:
  Segments segments_;
  std::vector<std::vector<double>> gradients_;
};

class StateTaker final : public optim::StateSink {
 public:
  explicit StateTaker(const tensor::ParamLayout& layout) : segments_(layout), layout_(layout) {}
  tensor::View buffer(int segment) override { return segments_.view(segment); }
  std::vector<std::vector<double>> states() const {
    std::vector<std::vector<double>> states(layout_.segments.size());
    for (std::size_t s = 0; s < states.size(); ++s)
      if (layout_.segments[s].kind == SegmentKind::state) states[s] = segments_.load(s);
    return states;
  }

 private:
  Segments segments_;
  const tensor::ParamLayout& layout_;
};

// --- running ----------------------------------------------------------------------------------------------

tensor::Tensor samples_of(const graph::Graph& graph, const NetInput& input, DType type) {
  tensor::Tensor samples(type, graph.infer(input.n).values[0]);
  for (std::size_t e = 0; e < input.samples.size(); ++e) {
    if (type == DType::f64)
      samples.as<double>()[e] = input.samples[e];
    else
      samples.as<float>()[e] = static_cast<float>(input.samples[e]);
  }
  return samples;
}

// One evaluation of an Objective made from the graph and the plan.
template <class Taker = GradientTaker>
NetResult evaluate(const graph::Graph& graph, const plan::Plan& plan, const NetInput& input, DType type,
                   optim::Mode mode) {
  const auto objective =
      exec::make_graph_objective(graph, plan, {.type = type, .bf16 = plan.uses_bf16()}, kernels::catalog());
  const tensor::ParamLayout layout = plan::param_layout(graph, plan, type).value();
  Source source(layout, input);
  Taker gradients(layout);
  StateTaker states(layout);
  const tensor::Tensor samples = samples_of(graph, input, type);
  std::vector<float> outputs(static_cast<std::size_t>(input.n * objective->output_count()));
  optim::Sinks sinks;
  sinks.outputs = outputs;
  if (mode == optim::Mode::gradient) {
    sinks.gradients = &gradients;
    sinks.state = &states;
  }
  const tensor::Batch batch{samples.view(), input.labels, input.n, input.global_batch};
  NetResult result;
  result.loss = objective->evaluate(source, batch, input.key, sinks, mode).loss;
  result.output.assign(outputs.begin(), outputs.end());
  if (mode != optim::Mode::gradient) return result;
  result.gradients = gradients.gradients();
  result.next_state = states.states();
  return result;
}

// One run of a Program as it stands, sound or not.
NetResult execute(const graph::Graph& graph, const Program& program, const NetInput& input) {
  const tensor::ParamLayout layout = program.layout;
  exec::Executor executor(program, kernels::catalog());
  Source source(layout, input);
  GradientTaker gradients(layout);
  StateTaker states(layout);
  const tensor::Tensor samples = samples_of(graph, input, program.config.type);
  exec::Bindings bindings;
  bindings.input = samples.view().data();
  bindings.labels = input.labels.data();
  bindings.params = &source;
  bindings.gradients = &gradients;
  bindings.state = &states;
  bindings.context.key = input.key;
  bindings.context.global_batch = input.global_batch;
  executor.run(bindings, nullptr);
  NetResult result;
  result.loss = executor.loss();
  result.gradients = gradients.gradients();
  result.next_state = states.states();
  return result;
}

// --- comparing --------------------------------------------------------------------------------------------

double largest(const std::vector<double>& values) {
  double m = 0;
  for (const double v : values) m = std::max(m, std::abs(v));
  return m;
}

double largest(const std::vector<std::vector<double>>& arrays) {
  double m = 0;
  for (const auto& array : arrays) m = std::max(m, largest(array));
  return m;
}

// How far two evaluations may lie apart: relative to the array, and to all arrays together for those whose
// exact value is a cancellation (a bias in front of a batch normalisation).
struct Tolerance {
  double relative = 0;
  double common = 0;
};
constexpr Tolerance kExact{};
constexpr Tolerance kRounding{1e-12, 1e-14};
// The same in units of float32, times 20: Winograd's F(6x6,3x3) errs by 8 times as much as a direct sum, its
// larger bound apart (docs/numerics.md). Plans go wrong by whole values: what single elements may err by is
// the kernels' conformance.
constexpr Tolerance kFloatRounding{1e-12 * 20 * (1 << 29), 1e-14 * 20 * (1 << 29)};

// Of seven layers and their derivatives, each rounding to 8 bits: half a unit is 2^-8.
constexpr Tolerance kBf16Rounding{14.0 / 256, 14.0 / 256};

// Where the arrays differ by more than the tolerance, as text; empty: nowhere. NaN differs from everything.
std::string difference(const std::string& what, const std::vector<std::vector<double>>& found,
                       const std::vector<std::vector<double>>& expected, const Tolerance& tolerance) {
  if (found.size() != expected.size()) return base::str(what, ": ", found.size(), " arrays");
  const double common = tolerance.common * largest(expected);
  for (std::size_t s = 0; s < found.size(); ++s) {
    if (found[s].size() != expected[s].size())
      return base::str(what, " ", s, ": ", found[s].size(), " elements for ", expected[s].size());
    const double allowed = tolerance.relative * largest(expected[s]) + common;
    for (std::size_t e = 0; e < found[s].size(); ++e)
      if (!(std::abs(found[s][e] - expected[s][e]) <= allowed))
        return base::str(what, " ", s, "[", e, "] is ", found[s][e], " and should be ", expected[s][e]);
  }
  return "";
}

std::string difference(const NetResult& found, const NetResult& expected, const Tolerance& tolerance) {
  std::string text = difference("loss", {{found.loss}}, {{expected.loss}}, tolerance);
  if (text.empty()) text = difference("gradient", found.gradients, expected.gradients, tolerance);
  if (text.empty()) text = difference("next state", found.next_state, expected.next_state, tolerance);
  return text;
}

// The reference's gradients of state are absent; so must the sink's be. Rounded, as float32 would hold them.
NetResult as_float(NetResult result) {
  result.loss = static_cast<float>(result.loss);
  for (auto* arrays : {&result.gradients, &result.next_state})
    for (std::vector<double>& array : *arrays)
      for (double& v : array) v = static_cast<float>(v);
  return result;
}

// --- cases ------------------------------------------------------------------------------------------------

struct Case {
  std::uint64_t seed = 0;
  graph::Graph graph;
  plan::Plan plan;
  NetInput input;
  DType type = DType::f64;
  bool bf16 = false;

  plan::StepConfig config() const {
    return {.mode = plan::StepConfig::Mode::gradient, .batch = input.n, .type = type, .bf16 = bf16};
  }
  Program lowered() const { return plan::lower(graph, plan, config(), kernels::catalog()).value(); }
  std::string repeat(const char* test) const {
    return base::str("repeat with: CONVOY_TEST_SEED=", seed,
                     " CONVOY_TEST_ROUNDS=1 plan_invariance_test --gtest_filter=", test, "\n", graph.str(),
                     plan.str());
  }
};

enum class Through { float64, exact_kernels, every_kernel };

// What plans may choose from. Every second plan through every kernel takes the inexact ones wherever they
// serve.
kernels::Catalog choices(Through through, base::RandomStream& random) {
  kernels::Catalog entries = kernels::catalog();
  if (through == Through::exact_kernels)
    std::erase_if(entries, [](const kernels::KernelEntry& entry) { return !entry.exact_on_integers; });
  if (through == Through::every_kernel && random.below(2) == 0)
    std::erase_if(entries, [](const kernels::KernelEntry& entry) {
      return entry.op == "Conv" && entry.exact_on_integers && entry.name != "onednn";
    });
  return entries;
}

Case make_case(std::uint64_t seed, Through through, bool bf16 = false) {
  const bool exact = through == Through::exact_kernels, smooth = through == Through::every_kernel;
  base::RandomStream random(seed, base::Purpose::test, exact ? 11 : smooth ? 13 : 10, 0);
  Case c;
  c.seed = seed;
  c.type = through == Through::float64 ? DType::f64 : DType::f32;
  c.bf16 = bf16;
  c.graph = testing::random_graph({.max_layers = 7, .exact_integers = exact, .smooth = smooth}, random);
  c.input = testing::random_input(c.graph, 1 + static_cast<std::int64_t>(random.below(4)), exact, random);
  c.plan = testing::random_plan(c.graph, c.config(), choices(through, random), random);
  return c;
}

void expect_invariant(const Case& c, const Tolerance& tolerance, const char* test) {
  const base::Verdict verdict = plan::verify(c.lowered());
  ASSERT_TRUE(verdict.ok()) << verdict.reason().text << "\n" << c.repeat(test);
  const NetResult expected = testing::evaluate_reference(c.graph, c.input, true);
  const NetResult trained = evaluate(c.graph, c.plan, c.input, c.type, optim::Mode::gradient);
  const bool single = c.type == DType::f32;
  EXPECT_EQ(difference(trained, single ? as_float(expected) : expected, tolerance), "") << c.repeat(test);

  const NetResult inferred = testing::evaluate_reference(c.graph, c.input, false);
  const NetResult loss = evaluate(c.graph, c.plan, c.input, c.type, optim::Mode::loss);
  EXPECT_EQ(
      difference("loss", {{loss.loss}}, {{single ? as_float(inferred).loss : inferred.loss}}, tolerance), "")
      << c.repeat(test);
  const NetResult predicted = evaluate(c.graph, c.plan, c.input, c.type, optim::Mode::predict);
  // Outputs leave as float32 whatever the type.
  const Tolerance rounding = single ? tolerance : Tolerance{1e-6, 0};
  EXPECT_EQ(difference("output", {predicted.output}, {inferred.output}, rounding), "") << c.repeat(test);
}

// What a plan recomputes, and whether gradients have arrays outside, changes no bit, through any kernel.
TEST(PlanInvariance, RecomputationAndPiecesChangeNoBit) {
  const std::uint64_t count = rounds(100);
  const optim::Mode mode = optim::Mode::gradient;
  std::uint64_t recomputing = 0;
  for (std::uint64_t seed = first_seed(); seed < first_seed() + count; ++seed) {
    const Case c = make_case(seed, Through::every_kernel);
    const std::string repeat = c.repeat("PlanInvariance.RecomputationAndPiecesChangeNoBit");
    plan::Plan none = c.plan, all = c.plan;
    for (plan::LayerPlan& layer : none.layers) layer.recomputed = false;
    for (plan::LayerPlan& layer : all.layers) layer.recomputed = true;
    const NetResult kept = evaluate(c.graph, none, c.input, c.type, mode);
    for (const plan::Plan& plan : {c.plan, all}) {
      EXPECT_EQ(difference(evaluate(c.graph, plan, c.input, c.type, mode), kept, kExact), "") << repeat;
      EXPECT_EQ(difference(evaluate<PieceTaker>(c.graph, plan, c.input, c.type, mode), kept, kExact), "")
          << repeat;
    }
    if (HasFailure()) return;
    const Program program = plan::lower(c.graph, all, c.config(), kernels::catalog()).value();
    recomputing += std::any_of(program.steps.begin(), program.steps.end(),
                               [](const plan::Step& step) { return step.recomputed; });
  }
  EXPECT_GE(recomputing, count * 2 / 3);
}

TEST(PlanInvariance, Float64) {
  const std::uint64_t count = rounds(100);
  for (std::uint64_t seed = first_seed(); seed < first_seed() + count; ++seed) {
    expect_invariant(make_case(seed, Through::float64), kRounding, "PlanInvariance.Float64");
    if (HasFailure()) return;
  }
}

TEST(PlanInvariance, ExactIntegersThroughTheFastKernels) {
  const std::uint64_t count = rounds(100);
  for (std::uint64_t seed = first_seed(); seed < first_seed() + count; ++seed) {
    expect_invariant(make_case(seed, Through::exact_kernels), kExact,
                     "PlanInvariance.ExactIntegersThroughTheFastKernels");
    if (HasFailure()) return;
  }
}

TEST(PlanInvariance, EveryKernelWithinItsRounding) {
  const std::uint64_t count = rounds(100);
  std::set<std::string> inexact;
  for (std::uint64_t seed = first_seed(); seed < first_seed() + count; ++seed) {
    const Case c = make_case(seed, Through::every_kernel);
    for (const plan::LayerPlan& layer : c.plan.layers)
      for (const auto& [pass, choice] : layer.passes) {
        const kernels::KernelEntry* entry = kernels::find(kernels::catalog(), "Conv", choice.entry);
        if (entry != nullptr && !entry->exact_on_integers) inexact.insert(choice.entry);
      }
    expect_invariant(c, kFloatRounding, "PlanInvariance.EveryKernelWithinItsRounding");
    if (HasFailure()) return;
  }
  // What this test is for must have been among the plans' choices.
  for (const kernels::KernelEntry& entry : kernels::catalog())
    EXPECT_TRUE(entry.exact_on_integers || kernels::family_block() < 16 || entry.name == "winograd:f2r5" ||
                inexact.contains(std::string(entry.name)) || count < 100)
        << entry.name;
}

TEST(PlanInvariance, ExactIntegersThroughBf16) {
  const std::uint64_t count = rounds(200);
  std::uint64_t run = 0;
  for (std::uint64_t seed = first_seed(); seed < first_seed() + count; ++seed) {
    const Case c = make_case(seed, Through::exact_kernels, /*bf16=*/true);
    if (!c.plan.uses_bf16() || !testing::evaluate_reference(c.graph, c.input, true).fits_bf16) continue;
    if (!testing::evaluate_reference(c.graph, c.input, false).fits_bf16) continue;
    ++run;
    expect_invariant(c, kExact, "PlanInvariance.ExactIntegersThroughBf16");
    if (HasFailure()) return;
  }
  EXPECT_TRUE(run > count / 10 || count < 200) << run;
}

TEST(PlanInvariance, Bf16WithinItsRounding) {
  const std::uint64_t count = rounds(100);
  for (std::uint64_t seed = first_seed(); seed < first_seed() + count; ++seed) {
    expect_invariant(make_case(seed, Through::every_kernel, /*bf16=*/true), kBf16Rounding,
                     "PlanInvariance.Bf16WithinItsRounding");
    if (HasFailure()) return;
  }
}

// A layer kind stands in the property's graphs because it stands in the catalog.
TEST(PlanInvariance, GraphsHoldEveryLayerKindBranchesAndRanks) {
  std::set<std::string_view> ops;
  std::set<int> ranks;
  int branches = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    base::RandomStream random(seed, base::Purpose::test, 12, 0);
    const graph::Graph graph = testing::random_graph({}, random);
    ranks.insert(graph.input_shape().rank());
    for (const graph::Layer& layer : graph.layers()) ops.insert(layer.kind->op);
    for (int v = 0; v < static_cast<int>(graph.values().size()); ++v)
      branches += graph.consumers(v).size() > 1;
  }
  for (const graph::LayerKind* kind : layers::catalog()) EXPECT_TRUE(ops.contains(kind->op)) << kind->op;
  EXPECT_EQ(ranks, (std::set<int>{1, 2, 3, 4}));
  EXPECT_GT(branches, 200);
}

// Zeros are equal in every plan: most parameters must have a gradient.
TEST(PlanInvariance, ExactCasesAreNotDegenerate) {
  int segments = 0, nonzero = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Case c = make_case(seed, Through::exact_kernels);
    for (const auto& gradient : testing::evaluate_reference(c.graph, c.input, true).gradients) {
      ++segments;
      nonzero += largest(gradient) > 0;
    }
  }
  EXPECT_GT(nonzero, segments * 7 / 10) << segments;
}

// Random plans must differ, or the property says little.
TEST(PlanInvariance, PlansUseEveryFamilyFusionStorageAndSharing) {
  bool fused = false, stored = false, separate = false, shared = false, converts = false, in_place = false;
  int recomputed = 0, conversions_again = 0;
  std::set<std::string> choices;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Case c = make_case(seed, Through::exact_kernels);
    stored = stored || !c.plan.storage.empty();
    (c.plan.share_memory ? shared : separate) = true;
    for (const plan::LayerPlan& layer : c.plan.layers) {
      fused = fused || layer.fused_into_producer;
      for (const auto& [pass, choice] : layer.passes) choices.insert(plan::str(choice));
    }
    const Program program = c.lowered();
    for (const plan::Step& step : program.steps) {
      converts = converts || step.kind == StepKind::convert;
      recomputed += step.recomputed;
      conversions_again += step.recomputed && step.kind == StepKind::convert;
    }
    for (const plan::KernelCall& call : program.kernels) in_place = in_place || call.traits.in_place;
  }
  EXPECT_TRUE(fused && stored && separate && shared && converts && in_place)
      << fused << stored << separate << shared << converts << in_place;
  EXPECT_GT(recomputed, 20);
  EXPECT_GT(conversions_again, 0);
  for (const char* choice : {"reference/plain", "onednn/plain", "onednn/channels_last", "onednn/blocked"})
    EXPECT_TRUE(choices.contains(choice)) << choice;
}

// --- the tester is tested ---------------------------------------------------------------------------------

// The first case, from seed 1 on, whose Program has such a step.
std::pair<Case, std::size_t> case_with(StepKind kind, bool (*fits)(const Program&, const plan::Step&)) {
  for (std::uint64_t seed = 1; seed < 500; ++seed) {
    Case c = make_case(seed, Through::exact_kernels);
    const Program program = c.lowered();
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      if (program.steps[i].kind == kind && fits(program, program.steps[i])) return {std::move(c), i};
  }
  CONVOY_CHECK(false, "no case has such a step");
}

bool property_holds(const Case& c, const Program& program) {
  const NetResult expected = as_float(testing::evaluate_reference(c.graph, c.input, true));
  return difference(execute(c.graph, program, c.input), expected, kExact).empty();
}

TEST(PlanInvarianceSabotage, DroppedReduceInto) {
  // Where the dropped addend is zero nothing can show: take the first case in which something does.
  int shown = 0;
  for (std::uint64_t seed = 1; seed < 100 && shown == 0; ++seed) {
    const Case c = make_case(seed, Through::exact_kernels);
    Program program = c.lowered();
    const auto found = std::find_if(program.steps.begin(), program.steps.end(), [](const plan::Step& step) {
      return step.kind == StepKind::reduce_into;
    });
    if (found == program.steps.end()) continue;
    ASSERT_TRUE(property_holds(c, program)) << c.repeat("PlanInvarianceSabotage.DroppedReduceInto");
    program.steps.erase(found);
    shown += property_holds(c, program) ? 0 : 1;
  }
  EXPECT_EQ(shown, 1);
}

TEST(PlanInvarianceSabotage, DroppedConvertIsRefused) {
  const auto [c, index] =
      case_with(StepKind::convert, [](const Program&, const plan::Step&) { return true; });
  Program program = c.lowered();
  program.steps.erase(program.steps.begin() + static_cast<std::ptrdiff_t>(index));
  EXPECT_FALSE(plan::verify(program).ok());
}

// A convert that copies instead: verify names it, and the numbers show it.
TEST(PlanInvarianceSabotage, FlippedConvert) {
  const auto moves = [](const Program& p, const plan::Step& step) {
    const plan::Slot& from = p.slots[static_cast<std::size_t>(step.from)];
    const plan::Slot& to = p.slots[static_cast<std::size_t>(step.to)];
    return from.region == plan::Region::arena && to.bytes == from.bytes;
  };
  int shown = 0;
  for (std::uint64_t seed = 1; seed < 200 && shown == 0; ++seed) {
    const Case c = make_case(seed, Through::exact_kernels);
    Program program = c.lowered();
    for (const plan::Step& step : program.steps) {
      if (step.kind != StepKind::convert || !moves(program, step)) continue;
      Program flipped = program;
      flipped.slots[static_cast<std::size_t>(step.to)].layout =
          flipped.slots[static_cast<std::size_t>(step.from)].layout;
      ASSERT_FALSE(plan::verify(flipped).ok()) << c.repeat("PlanInvarianceSabotage.FlippedConvert");
      shown += property_holds(c, flipped) ? 0 : 1;
    }
  }
  EXPECT_GT(shown, 0);
}

TEST(PlanInvarianceSabotage, AGradientWrongByOneBit) {
  NetResult a;
  a.gradients = {{1.0, 2.0}, {}};
  NetResult b = a;
  b.gradients[0][1] = std::nextafter(2.0f, 3.0f);
  EXPECT_EQ(difference(a, a, kExact), "");
  EXPECT_NE(difference(b, a, kExact), "");
  b.gradients[0][1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(difference(b, a, kRounding), "");
  b.gradients[0] = {1.0};
  EXPECT_NE(difference(b, a, kRounding), "");
}

}  // namespace
}  // namespace convoy
