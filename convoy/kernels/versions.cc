#include "convoy/kernels/versions.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "convoy/base/check.h"

namespace convoy::kernels {

std::vector<base::LibraryVersion> library_versions() {
  const dnnl_version_t* loaded = dnnl_version();
  return {
      {"oneDNN", base::str(DNNL_VERSION_MAJOR, ".", DNNL_VERSION_MINOR, ".", DNNL_VERSION_PATCH),
       base::str(loaded->major, ".", loaded->minor, ".", loaded->patch)},
      {"Highway", base::str(HWY_MAJOR, ".", HWY_MINOR, ".", HWY_PATCH), ""},
  };
}

std::string simd_target() {
  // A lower bit is a better target.
  const std::int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(targets & -targets);
}

}  // namespace convoy::kernels
