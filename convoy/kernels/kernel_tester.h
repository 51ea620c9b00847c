// Checks one prepared kernel against the float64 reference. For tests only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convoy/kernels/kernel.h"

namespace convoy::kernels {

// What the elements are drawn from.
enum class TestData {
  reals,           // uniform on [-1, 1]
  small_integers,  // -3 … 3: sums of products are exact in float32 in every order, and in bf16 up to 256
};

struct TestCase {
  const graph::LayerKind* kind = nullptr;
  graph::Attributes attributes;  // completed by problem()
  std::vector<tensor::Shape> inputs;
  Pass pass = Pass::forward;
  LayoutFamily family = LayoutFamily::plain;
  Epilogue epilogue = Epilogue::none;
  bool training = true;
  std::vector<bool> wanted = {};  // empty: every differentiable input
  TestData data = TestData::reals;
  int threads = 1;
  std::uint64_t seed = 1;
  tensor::DType type = tensor::DType::f32;  // or bf16

  Problem problem() const;
  std::string str() const;
};

// A case's data and what comes out, from the float64 reference: the same for every entry and layout.
struct Expectation;
std::shared_ptr<const Expectation> expect(const TestCase& test);

// Makes the entry's kernel for the case, runs it (for a backward pass behind the same entry's forward pass)
// and compares everything that it writes with the reference:
//   |result - reference| <= error_growth * epsilon * the entry's error_terms
// with float32's epsilon, and half a unit of bf16 more of what is stored as that,
// bit for bit where the data are small integers, the operator only adds, multiplies or selects and the entry
// is exact_on_integers. Outputs start as NaN, workspace, saved and derived as 0xA5, all between guard zones;
// padding must come out zero; a second run, and one in place where that is allowed, must give the same bits.
// The second run gets as valid `derived` what a run on other data has left there. Returns what is wrong, or
// nothing.
// Requires entry.supports(case.problem()).
std::optional<std::string> find_fault(const KernelEntry& entry, const TestCase& test);
// The same with an expectation that other entries share. It must be that of `test`, in any family and for any
// number of threads.
std::optional<std::string> find_fault(const KernelEntry& entry, const TestCase& test,
                                      const Expectation& expectation);

// Runs `body` once for each instruction set with vectors of 8 floats or more that this build and this
// processor have, and restores the choice. Skips the running test where there is none.
void on_each_instruction_set(const std::function<void()>& body);

// Allocations by operator new since the program began, on any thread.
std::int64_t allocation_count();
// The largest team whose runtime allocates nothing for a parallel region: clang's does, and is counted where
// a sanitizer counts.
int largest_silent_team();
// Allocations during one warm call of the entry's kernel.
std::int64_t allocations_of_run(const KernelEntry& entry, const TestCase& test);

// Median microseconds of one warm call.
double microseconds_of_run(const KernelEntry& entry, const TestCase& test, int repetitions);

}  // namespace convoy::kernels
