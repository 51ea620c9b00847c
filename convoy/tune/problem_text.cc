#include "convoy/tune/problem_text.h"

#include <vector>

#include "convoy/layers/window.h"

namespace convoy::tune {
namespace {

// Attributes that say how parameters begin.
bool is_about_values(std::string_view name) { return name == "initialiser" || name == "bias_value"; }

}  // namespace

std::string problem_text(const kernels::Problem& problem) {
  kernels::Problem p = problem;
  p.epilogue = kernels::Epilogue::none;
  graph::Attributes attributes;
  for (const auto& [name, value] : problem.attributes.values())
    if (!is_about_values(name)) attributes.set(name, value);
  if (problem.kind->op == "Conv") {
    if (const auto window = layers::resolve_window(problem.attributes, problem.inputs[0])) {
      std::vector<std::int64_t> pads = window->pads_begin;
      pads.insert(pads.end(), window->pads_end.begin(), window->pads_end.end());
      attributes.set("pads", std::move(pads));
      attributes.set("strides", window->strides);
      attributes.set("dilations", window->dilations);
      attributes.set("auto_pad", std::string("NOTSET"));
    }
  }
  p.attributes = std::move(attributes);
  return p.str();
}

}  // namespace convoy::tune
