#include "convoy/base/version.h"

namespace convoy::base {

std::string_view version() { return CONVOY_VERSION; }

}  // namespace convoy::base
