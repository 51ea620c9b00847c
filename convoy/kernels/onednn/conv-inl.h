// Convolution by oneDNN, whatever the algorithm: the search for an implementation, and the kernel around it.
// Only the sources of this folder include it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "convoy/base/result.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {

// One algorithm of the library.
struct ConvMethod {
  dnnl::algorithm algorithm = dnnl::algorithm::convolution_direct;
  // How reluctantly an implementation is taken, 0 … 2, by the library's name for it; none: never.
  std::optional<int> (*reluctance)(const Problem&, const std::string& implementation) = nullptr;
};

// Takes the least reluctantly taken implementation whose layouts a tag can say, in the library's order; for
// inference also one that wants filters transformed, which `derived` then keeps.
base::Verdict check_conv(const Problem& problem, const ConvMethod& method);
// What the library calls the implementation that make_conv() takes; empty where there is none.
std::string conv_implementation(const Problem& problem, const ConvMethod& method);
// Requires check_conv(problem, method).
std::unique_ptr<Kernel> make_conv(const Problem& problem, const ConvMethod& method);

}  // namespace convoy::kernels::onednn
