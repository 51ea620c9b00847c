// The skeletons of the ten digits: what a hand means to draw before it trembles.
#pragma once

#include <cstdint>
#include <span>

namespace convoy::data {

// How the pen arrives at a knot.
enum class Pen : std::uint8_t {
  lift,    // put down here: begins a stroke
  smooth,  // pass through, the curve's tangent is continuous
  corner,  // arrive, and leave in another direction
};

// A point that the curve passes through, in the digit's own box: x to the right, y down, 0 … 1 each.
struct Knot {
  float x;
  float y;
  Pen pen;
};

// One way to write one digit. The first knot is a `lift`; a stroke has at least two knots.
using Glyph = std::span<const Knot>;

// The writing styles of `digit` 0 … 9, at least three each.
std::span<const Glyph> digit_glyphs(int digit);

}  // namespace convoy::data
