// Convolution in the frequency domain within a limit of workspace. conv_fft.cc makes entries of it.
#pragma once

#include <cstdint>
#include <memory>

#include "convoy/base/result.h"
#include "convoy/kernels/kernel.h"
#include "convoy/machine/machine.h"

namespace convoy::kernels::cpu {

// Whether a kernel takes the problem; the reason names what it does not serve.
base::Verdict supports_conv_fft(const Problem& problem, std::int64_t max_workspace_bytes);

// Each requires support. The kernel's workspace is at most max_workspace_bytes; the lower the limit, the more
// often filters and maps are transformed anew.
std::unique_ptr<Kernel> make_conv_fft(const Problem& problem, std::int64_t max_workspace_bytes);
double conv_fft_seconds(const Problem& problem, const machine::Machine& machine,
                        std::int64_t max_workspace_bytes);
double conv_fft_error_growth(const Problem& problem, std::int64_t max_workspace_bytes);

}  // namespace convoy::kernels::cpu
