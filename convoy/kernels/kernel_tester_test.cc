#include "convoy/kernels/kernel_tester.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <span>

#include "convoy/base/check.h"
#include "convoy/base/rng.h"
#include "convoy/base/threads.h"
#include "convoy/kernels/catalog.h"
#include "convoy/kernels/convert.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/kernel_terms.h"
#include "convoy/tensor/view.h"
#include "hwy/targets.h"

namespace convoy::kernels {
namespace {

using tensor::DType;
constexpr std::int64_t kGuard_bytes = 192;
constexpr int kGuardByte = 0x5C;
constexpr double kBf16HalfUnit = 1.0 / 256;  // the largest relative error of rounding to bf16

// Bytes between two guard zones, aligned to 64.
class Guarded {
 public:
  Guarded(std::int64_t bytes, int fill) : bytes_(bytes), buffer_(bytes + 2 * kGuard_bytes) {
    std::memset(buffer_.data(), kGuardByte, static_cast<std::size_t>(buffer_.bytes()));
    std::memset(data(), fill, static_cast<std::size_t>(bytes));
  }
  std::byte* data() const { return buffer_.data() + kGuard_bytes; }
  std::int64_t bytes() const { return bytes_; }
  bool intact() const {
    const auto whole = [](const std::byte* zone) {
      return std::all_of(zone, zone + kGuard_bytes, [](std::byte b) { return b == std::byte{kGuardByte}; });
    };
    return whole(buffer_.data()) && whole(data() + bytes_);
  }

 private:
  std::int64_t bytes_;
  tensor::Buffer buffer_;
};

constexpr int kNan = 0xFF;  // four such bytes are a float NaN, two a bf16 one
constexpr int kJunk = 0xA5;

// How an array is stored.
struct Form {
  const Layout& layout;
  DType type;
};

// Stores float64 values as float32 or bf16 in a layout, between guards.
Guarded store(const tensor::Shape& shape, const Form& form, const std::vector<double>& values) {
  std::vector<float> plain(values.begin(), values.end());
  Guarded array(form.layout.storage_bytes(shape, form.type), 0);
  make_reference_converter({shape, DType::f32, Layout::plain(), form.layout, form.type})
      ->run(plain.data(), array.data());
  return array;
}

std::vector<double> load(const tensor::Shape& shape, const Form& form, const Guarded& array) {
  std::vector<float> plain(static_cast<std::size_t>(shape.count()));
  make_reference_converter({shape, form.type, form.layout, Layout::plain(), DType::f32})
      ->run(array.data(), plain.data());
  return {plain.begin(), plain.end()};
}

bool is_label(const Problem& problem, std::size_t input) {
  return problem.kind->traits.takes_labels && input + 1 == problem.inputs.size();
}

// Everything that one call of a kernel is given, and where it writes.
struct Arrays {
  std::vector<std::unique_ptr<Guarded>> inputs, params, outputs, next_state, output_gradients,
      input_gradients, param_gradients;
  std::unique_ptr<Guarded> workspace, derived;
  Guarded* saved = nullptr;
};

std::unique_ptr<Guarded> keep(Guarded array) { return std::make_unique<Guarded>(std::move(array)); }
std::unique_ptr<Guarded> blank(const tensor::Shape& shape, const Form& form) {
  return std::make_unique<Guarded>(form.layout.storage_bytes(shape, form.type), kNan);
}

const Layout kPlain;

DType param_type(const Problem& problem, const KernelTraits& traits, std::size_t i) {
  return traits.param_types.empty() ? master_type(problem.type) : traits.param_types.at(i);
}

class Run {
 public:
  Run(const Problem& problem, const Kernel& kernel, const TestValues& values,
      const graph::EvalContext& context)
      : problem_(problem), kernel_(kernel), context_(context) {
    const KernelTraits& t = kernel.traits();
    const bool forward = problem.pass == Pass::forward;
    CONVOY_CHECK(t.inputs.size() == problem.inputs.size() && t.params.size() == problem.params.size() &&
                     t.outputs.size() == problem.outputs.size(),
                 "traits do not fit the problem");
    for (std::size_t i = 0; i < problem.inputs.size(); ++i)
      arrays_.inputs.push_back(forward || t.reads_inputs.at(i) ? input(i, values) : nullptr);
    for (std::size_t i = 0; i < problem.params.size(); ++i)
      arrays_.params.push_back(
          keep(store(problem.params[i].shape, {t.params[i], param_type(problem, t, i)}, values.params[i])));
    for (std::size_t i = 0; i < problem.outputs.size(); ++i)
      arrays_.outputs.push_back(
          forward ? blank(problem.outputs[i], {t.outputs[i], problem.type})
          : t.reads_outputs.at(i)
              ? keep(store(problem.outputs[i], {t.outputs[i], problem.type}, values.outputs[i]))
              : nullptr);
    forward ? add_state() : add_gradients(values);
    if (t.workspace_bytes > 0) arrays_.workspace = std::make_unique<Guarded>(t.workspace_bytes, kJunk);
    if (t.derived_bytes > 0) arrays_.derived = std::make_unique<Guarded>(t.derived_bytes, kJunk);
  }

  void set_saved(Guarded* saved) { arrays_.saved = saved; }

  // Calls find this there, and are told that it is valid.
  void set_derived(const Guarded& derived) {
    std::memcpy(arrays_.derived->data(), derived.data(), static_cast<std::size_t>(derived.bytes()));
    derived_valid_ = true;
  }

  // In place: the first result takes the memory of the array it is made of.
  void call(bool in_place = false) const {
    const auto pointers = [](const auto& list) {
      std::vector<void*> result;
      for (const auto& array : list) result.push_back(array ? array->data() : nullptr);
      return result;
    };
    const auto inputs = pointers(arrays_.inputs), params = pointers(arrays_.params),
               state = pointers(arrays_.next_state), dy = pointers(arrays_.output_gradients),
               dw = pointers(arrays_.param_gradients);
    auto outputs = pointers(arrays_.outputs), dx = pointers(arrays_.input_gradients);
    if (in_place && problem_.pass == Pass::forward) outputs[0] = inputs[0];
    if (in_place && problem_.pass != Pass::forward) dx[0] = dy[0];
    const std::vector<const void*> const_inputs(inputs.begin(), inputs.end()),
        const_params(params.begin(), params.end()), const_dy(dy.begin(), dy.end());
    const KernelArgs args{.inputs = const_inputs,
                          .params = const_params,
                          .outputs = outputs,
                          .next_state = state,
                          .output_gradients = const_dy,
                          .input_gradients = dx,
                          .param_gradients = dw,
                          .saved = arrays_.saved == nullptr ? nullptr : arrays_.saved->data(),
                          .workspace = arrays_.workspace ? arrays_.workspace->data() : nullptr,
                          .derived = arrays_.derived ? arrays_.derived->data() : nullptr,
                          .derived_valid = derived_valid_,
                          .context = &context_};
    const std::int64_t before = allocation_count();
    const auto start = std::chrono::steady_clock::now();
    kernel_.run(args);
    microseconds_ =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    allocated_ = allocation_count() - before;
  }

  // What was written outside of every array, or nothing.
  std::optional<std::string> broken_guard() const {
    const auto broken = [](const auto& list) {
      return std::any_of(list.begin(), list.end(),
                         [](const auto& array) { return array && !array->intact(); });
    };
    if (broken(arrays_.inputs) || broken(arrays_.params)) return "wrote outside an input or parameter";
    if (broken(arrays_.outputs) || broken(arrays_.next_state)) return "wrote outside an output";
    if (broken(arrays_.output_gradients)) return "wrote outside an output's gradient";
    if (broken(arrays_.input_gradients) || broken(arrays_.param_gradients)) return "wrote outside a gradient";
    if (arrays_.workspace && !arrays_.workspace->intact()) return "wrote outside the workspace";
    if (arrays_.derived && !arrays_.derived->intact()) return "wrote outside the derived array";
    if (arrays_.saved != nullptr && !arrays_.saved->intact()) return "wrote outside the saved array";
    return std::nullopt;
  }

  // Which array that belongs to the caller was changed, or nothing.
  std::optional<std::string> changed_argument(const TestValues& values) const {
    const KernelTraits& t = kernel_.traits();
    const auto differs = [](const tensor::Shape& shape, const Form& form, const auto& array,
                            const std::vector<double>& right) {
      return array && std::memcmp(store(shape, form, right).data(), array->data(),
                                  static_cast<std::size_t>(array->bytes())) != 0;
    };
    for (std::size_t i = 0; i < problem_.inputs.size(); ++i)
      if (!is_label(problem_, i) &&
          differs(problem_.inputs[i], {t.inputs[i], problem_.type}, arrays_.inputs[i], values.inputs[i]))
        return base::str("changed input ", i);
    for (std::size_t i = 0; i < problem_.params.size(); ++i)
      if (differs(problem_.params[i].shape, {t.params[i], param_type(problem_, t, i)}, arrays_.params[i],
                  values.params[i]))
        return base::str("changed parameter ", i);
    for (std::size_t i = 0; i < arrays_.output_gradients.size(); ++i)
      if (differs(problem_.outputs[i], {t.outputs[i], problem_.type}, arrays_.output_gradients[i],
                  values.output_gradients[i]))
        return base::str("changed the gradient of output ", i);
    return std::nullopt;
  }

  // The arrays written, null where not wanted; in place the first is the array it was made of.
  std::vector<const Guarded*> results(bool in_place = false) const {
    const bool forward = problem_.pass == Pass::forward;
    std::vector<const Guarded*> list;
    for (const auto* arrays : {forward ? &arrays_.outputs : &arrays_.input_gradients,
                               forward ? &arrays_.next_state : &arrays_.param_gradients})
      for (const auto& array : *arrays) list.push_back(array.get());
    if (in_place) list[0] = (forward ? arrays_.inputs : arrays_.output_gradients)[0].get();
    return list;
  }

  const Arrays& arrays() const { return arrays_; }
  std::int64_t allocated() const { return allocated_; }
  double microseconds() const { return microseconds_; }

 private:
  std::unique_ptr<Guarded> input(std::size_t i, const TestValues& values) const {
    if (!is_label(problem_, i))
      return keep(store(problem_.inputs[i], {kernel_.traits().inputs[i], problem_.type}, values.inputs[i]));
    auto labels = std::make_unique<Guarded>(problem_.inputs[i].count() * 4, 0);
    std::copy(values.inputs[i].begin(), values.inputs[i].end(),
              reinterpret_cast<std::int32_t*>(labels->data()));
    return labels;
  }

  void add_state() {
    for (const graph::ParamSpec& param : problem_.params)
      arrays_.next_state.push_back(problem_.training && param.kind == tensor::SegmentKind::state
                                       ? blank(param.shape, {kPlain, master_type(problem_.type)})
                                       : nullptr);
  }

  void add_gradients(const TestValues& values) {
    const KernelTraits& t = kernel_.traits();
    for (std::size_t i = 0; i < problem_.outputs.size(); ++i)
      arrays_.output_gradients.push_back(
          keep(store(problem_.outputs[i], {t.outputs[i], problem_.type}, values.output_gradients[i])));
    const bool data = problem_.pass != Pass::backward_weights, weights = problem_.pass != Pass::backward_data;
    const DType master = master_type(problem_.type);
    for (std::size_t i = 0; i < problem_.inputs.size(); ++i)
      arrays_.input_gradients.push_back(
          data && problem_.wanted[i] ? blank(problem_.inputs[i], {t.inputs[i], problem_.type}) : nullptr);
    for (std::size_t i = 0; i < problem_.params.size(); ++i)
      arrays_.param_gradients.push_back(weights && problem_.params[i].kind == tensor::SegmentKind::parameter
                                            ? blank(problem_.params[i].shape, {t.params[i], master})
                                            : nullptr);
  }

  const Problem& problem_;
  const Kernel& kernel_;
  graph::EvalContext context_;
  Arrays arrays_;
  bool derived_valid_ = false;
  mutable std::int64_t allocated_ = 0;
  mutable double microseconds_ = 0;
};

// One array that the kernel wrote, with what should stand there.
struct Written {
  std::string what;
  const tensor::Shape* shape;
  Form form;
  const Guarded* array;
  const std::vector<double>* right;
  const std::vector<double>* terms;
};

std::vector<Written> written(const Problem& problem, const KernelTraits& traits, const Arrays& arrays,
                             const TestValues& right, const TestValues& terms) {
  const DType type = problem.type, master = master_type(type);
  std::vector<Written> list;
  const auto add = [&](const std::string& what, std::size_t i, const tensor::Shape& shape, const Form& form,
                       const auto& array, const auto& values, const auto& sums) {
    if (array) list.push_back({base::str(what, ' ', i), &shape, form, array.get(), &values[i], &sums[i]});
  };
  if (problem.pass == Pass::forward) {
    for (std::size_t i = 0; i < problem.outputs.size(); ++i)
      add("output", i, problem.outputs[i], {traits.outputs[i], type}, arrays.outputs[i], right.outputs,
          terms.outputs);
    for (std::size_t i = 0; i < problem.params.size(); ++i)
      add("next state", i, problem.params[i].shape, {kPlain, master}, arrays.next_state[i], right.next_state,
          terms.next_state);
    return list;
  }
  for (std::size_t i = 0; i < problem.inputs.size(); ++i)
    add("gradient of input", i, problem.inputs[i], {traits.inputs[i], type}, arrays.input_gradients[i],
        right.input_gradients, terms.input_gradients);
  for (std::size_t i = 0; i < problem.params.size(); ++i)
    add("gradient of parameter", i, problem.params[i].shape, {traits.params[i], master},
        arrays.param_gradients[i], right.param_gradients, terms.param_gradients);
  return list;
}

std::optional<std::string> compare(const Written& w, double growth, bool exact) {
  const std::vector<double> got = load(*w.shape, w.form, *w.array);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double right = (*w.right)[i];
    double bound = exact ? 0
                         : growth * std::numeric_limits<float>::epsilon() * (*w.terms)[i] +
                               std::numeric_limits<float>::denorm_min();
    // Rounded once more where it is stored. Integers up to 256 are bf16 numbers.
    if (w.form.type == DType::bf16 && !(exact && std::abs(right) <= 256))
      bound += kBf16HalfUnit * (std::abs(right) + bound) + std::numeric_limits<float>::min();
    if (!(std::abs(got[i] - right) <= bound))
      return base::str(w.what, " element ", i, " of ", w.shape->str(), ": ", got[i], ", reference ", right,
                       ", bound ", bound);
  }
  const Guarded again = store(*w.shape, w.form, got);
  if (std::memcmp(again.data(), w.array->data(), static_cast<std::size_t>(again.bytes())) != 0)
    return base::str(w.what, " in layout ", w.form.layout.tag(), ": padding is not zero");
  return std::nullopt;
}

// What the kernel derives from the same parameters in a call on other data; null where it derives nothing.
std::unique_ptr<Guarded> derive(const Problem& problem, const Kernel& kernel, TestValues values,
                                const graph::EvalContext& context, Guarded* saved) {
  if (kernel.traits().derived_bytes == 0) return nullptr;
  const auto change = [](std::vector<double>& array) {
    for (double& value : array) value = 1 - value;
  };
  for (std::size_t i = 0; i < values.inputs.size(); ++i)
    if (!is_label(problem, i)) change(values.inputs[i]);
  for (auto& array : values.output_gradients) change(array);
  Run other(problem, kernel, values, context);
  other.set_saved(saved);
  other.call();
  return std::make_unique<Guarded>(std::move(*other.arrays().derived));
}

// Runs the kernel once more, in place where it says so, and wants the same bits.
std::optional<std::string> check_again(const Problem& problem, const Kernel& kernel, const TestValues& values,
                                       const graph::EvalContext& context, const Run& first, Guarded* saved) {
  const bool forward = problem.pass == Pass::forward;
  const auto derived = derive(problem, kernel, values, context, saved);
  for (const bool in_place : {false, true}) {
    if (in_place && !kernel.traits().in_place) break;
    Run again(problem, kernel, values, context);
    Guarded own_saved(saved == nullptr ? 0 : saved->bytes(), kJunk);
    if (saved != nullptr && !forward)
      std::memcpy(own_saved.data(), saved->data(), static_cast<std::size_t>(saved->bytes()));
    if (saved != nullptr) again.set_saved(&own_saved);
    if (derived && !in_place) again.set_derived(*derived);
    const auto right = first.results();
    if (in_place && right[0] == nullptr) break;  // not wanted
    again.call(in_place);
    if (auto fault = again.broken_guard()) return *fault + (in_place ? ", in place" : ", second run");
    const auto got = again.results(in_place);
    for (std::size_t i = 0; i < right.size(); ++i)
      if (right[i] &&
          std::memcmp(right[i]->data(), got[i]->data(), static_cast<std::size_t>(right[i]->bytes())) != 0)
        return std::string("other bits ") + (in_place ? "in place" : "in a second run");
  }
  return std::nullopt;
}

graph::EvalContext context_of(const Problem& problem, const TestCase& test) {
  const std::int64_t n = problem.inputs[0].rank() > 0 ? problem.inputs[0][0] : 1;
  return {.training = problem.training,
          .key = {.seed = test.seed, .step = 3, .first_sample = 2},
          .layer_index = 5,
          .global_batch = 2 * n};
}

// The same entry's forward pass in training: fills `saved` and replaces the outputs by its own.
std::unique_ptr<Guarded> run_forward(const KernelEntry& entry, const Problem& problem, TestValues& values,
                                     const graph::EvalContext& context) {
  Problem forward = problem;
  forward.pass = Pass::forward;
  forward.training = true;
  if (!entry.supports(forward)) return nullptr;
  const auto kernel = entry.make(forward);
  Run run(forward, *kernel, values, context);
  std::unique_ptr<Guarded> saved;
  if (kernel->traits().saved_bytes > 0) {
    saved = std::make_unique<Guarded>(kernel->traits().saved_bytes, kJunk);
    run.set_saved(saved.get());
  }
  run.call();
  for (std::size_t i = 0; i < problem.outputs.size(); ++i)
    values.outputs[i] =
        load(problem.outputs[i], {kernel->traits().outputs[i], problem.type}, *run.arrays().outputs[i]);
  return saved;
}

// Operators that only add, multiply or select: exact on small integers.
bool is_exact(const Problem& problem) {
  for (const std::string_view op :
       {"Conv", "Gemm", "LocallyConnected", "LocallyConnectedAutoencoder", "Relu", "MaxPool", "Add", "Sum",
        "Mul", "Concat", "Flatten", "Reshape", "Pad", "Gather"})
    if (problem.kind->op == op) return true;
  return false;
}

// Everything a warm call needs, for measurements.
struct Prepared {
  Problem problem;
  std::unique_ptr<Kernel> kernel;
  std::unique_ptr<Guarded> saved;
  std::unique_ptr<Run> run;
};

std::unique_ptr<Prepared> prepare(const KernelEntry& entry, const TestCase& test) {
  base::set_thread_count(test.threads);
  auto p = std::make_unique<Prepared>();
  p->problem = test.problem();
  const graph::EvalContext context = context_of(p->problem, test);
  TestValues values = draw(p->problem, test.data, test.seed);
  evaluate_reference(p->problem, context, values);
  if (p->problem.pass != Pass::forward) p->saved = run_forward(entry, p->problem, values, context);
  p->kernel = entry.make(p->problem);
  if (p->problem.pass == Pass::forward && p->kernel->traits().saved_bytes > 0)
    p->saved = std::make_unique<Guarded>(p->kernel->traits().saved_bytes, kJunk);
  p->run = std::make_unique<Run>(p->problem, *p->kernel, values, context);
  p->run->set_saved(p->saved.get());
  p->run->call();
  return p;
}

// Where rounding could decide which way a relu goes, nothing comes back.
void blunt_kinks(TestValues& values) {
  constexpr double kNear = 1e-3;
  for (std::size_t i = 0; i < values.outputs.size(); ++i)
    for (std::size_t j = 0; j < values.outputs[i].size(); ++j)
      if (std::abs(values.outputs[i][j]) < kNear) values.output_gradients[i][j] = 0;
}

}  // namespace

Problem TestCase::problem() const {
  Problem problem;
  problem.kind = kind;
  problem.attributes = graph::complete(attributes, kind->attributes).value();
  problem.pass = pass;
  problem.type = type;
  problem.training = training;
  problem.inputs = inputs;
  problem.epilogue = epilogue;
  problem.family = family;
  graph::Signature signature = kind->infer(problem.attributes, inputs).value();
  problem.params = std::move(signature.params);
  problem.outputs = std::move(signature.outputs);
  problem.wanted = wanted;
  for (std::size_t i = problem.wanted.size(); i < inputs.size(); ++i)
    problem.wanted.push_back(!is_label(problem, i));
  return problem;
}

std::string TestCase::str() const {
  return base::str(problem().str(), ", ", threads, " threads, seed ", seed,
                   data == TestData::reals ? ", reals" : ", integers");
}

struct Expectation {
  TestValues values, own_terms, map_terms;
};

std::shared_ptr<const Expectation> expect(const TestCase& test) {
  const Problem problem = test.problem();
  const graph::EvalContext context = context_of(problem, test);
  auto e = std::make_shared<Expectation>();
  e->values = draw(problem, test.data, test.seed);
  evaluate_reference(problem, context, e->values);
  if (problem.pass != Pass::forward && problem.epilogue == Epilogue::relu) {
    blunt_kinks(e->values);
    evaluate_reference(problem, context, e->values);
  }
  e->own_terms = absolute_terms(problem, context, e->values);
  if (problem.kind->op == "Conv")
    e->map_terms = absolute_terms(problem, context, e->values, ErrorTerms::whole_maps);
  return e;
}

std::optional<std::string> find_fault(const KernelEntry& entry, const TestCase& test) {
  return find_fault(entry, test, *expect(test));
}

std::optional<std::string> find_fault(const KernelEntry& entry, const TestCase& test,
                                      const Expectation& expectation) {
  base::set_thread_count(test.threads);
  const Problem problem = test.problem();
  const graph::EvalContext context = context_of(problem, test);
  TestValues values = expectation.values;
  const bool own = entry.error_terms == ErrorTerms::own;
  const TestValues& terms = own ? expectation.own_terms : expectation.map_terms;
  const TestValues& right = expectation.values;
  std::unique_ptr<Guarded> saved;
  if (problem.pass != Pass::forward) saved = run_forward(entry, problem, values, context);

  const auto kernel = entry.make(problem);
  const KernelTraits& traits = kernel->traits();
  if (problem.pass == Pass::forward && traits.saved_bytes > 0)
    saved = std::make_unique<Guarded>(traits.saved_bytes, kJunk);
  if (traits.saved_bytes != (saved ? saved->bytes() : 0)) return "forward and backward save different sizes";
  Run run(problem, *kernel, values, context);
  run.set_saved(saved.get());
  run.call();
  if (auto fault = run.broken_guard()) return fault;
  if (auto fault = run.changed_argument(values)) return fault;
  const bool exact = test.data == TestData::small_integers && is_exact(problem) && entry.exact_on_integers;
  for (const Written& w : written(problem, traits, run.arrays(), right, terms))
    if (auto fault = compare(w, entry.error_growth(problem), exact)) return fault;
  return check_again(problem, *kernel, values, context, run, saved.get());
}

std::int64_t allocations_of_run(const KernelEntry& entry, const TestCase& test) {
  const auto p = prepare(entry, test);
  p->run->call();
  return p->run->allocated();
}

double microseconds_of_run(const KernelEntry& entry, const TestCase& test, int repetitions) {
  const auto p = prepare(entry, test);
  std::vector<double> times;
  for (int i = 0; i < repetitions; ++i) {
    p->run->call();
    times.push_back(p->run->microseconds());
  }
  std::nth_element(times.begin(), times.begin() + repetitions / 2, times.end());
  return times[static_cast<std::size_t>(repetitions / 2)];
}

void on_each_instruction_set(const std::function<void()>& body) {
  int served = 0;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    if (cpu::simd_lanes() < 8) continue;
    SCOPED_TRACE(cpu::simd_target());
    body();
    ++served;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  if (served == 0) GTEST_SKIP() << "needs AVX2";
}

}  // namespace convoy::kernels
