// The version of Convoy.
#pragma once

#include <string_view>

namespace convoy::base {

std::string_view version();  // "0.1.0"

}  // namespace convoy::base
