// One convolution as a short text: "n32c64h56k64r3s1p1".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "convoy/base/result.h"
#include "convoy/kernels/kernel.h"

namespace convoy::benchkit {

// The sizes of a 2-D convolution without bias, in the letters of docs/notation.md where a text has room for
// them: n samples of c channels, h rows and w columns; k filters of r rows and q columns.
struct ConvProblem {
  std::int64_t n = 1, c = 1, h = 1, w = 1;
  std::int64_t k = 1, r = 1, q = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::array<std::int64_t, 4> pads = {};  // top, left, bottom, right
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;

  // Reads letters that are each followed by a whole number, in any order:
  //   n c h k r   must be there;  w = h, q = r, g = 1 where they are not
  //   s d         stride and dilation, 1 where absent; "s2x1": 2 down, 1 across
  //   p           padding, 0 where absent; "p0x3": 0 above and below, 3 left and right; "p1x2x0x1": top,
  //               left, bottom, right
  // Refuses anything else, and sizes that are no convolution, and says which and why.
  static base::Result<ConvProblem> parse(std::string_view text);
  // The text that parse() reads back: n c h k r s p always, the others where they are not the default.
  std::string str() const;

  // Refuses sizes that are no convolution (a kernel larger than the padded image, groups that do not divide
  // the channels) or that no machine holds.
  base::Verdict check() const;

  bool is_strided() const { return stride_h != 1 || stride_w != 1; }
  // As the kernels want it. Requires check().
  kernels::Problem kernel_problem(kernels::Pass pass, kernels::LayoutFamily family,
                                  bool training = true) const;
  // 2 N K P Q (C / groups) R S: each pass by the definition, padding included.
  double flops() const;
  // Input, filters and output in float32.
  std::int64_t bytes() const;

  friend bool operator==(const ConvProblem&, const ConvProblem&) = default;
};

}  // namespace convoy::benchkit
