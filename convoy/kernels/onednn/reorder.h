// oneDNN's change of layout.
#pragma once

#include <memory>

#include "convoy/kernels/convert.h"

namespace convoy::kernels::onednn {

// Null where the library has none for this type or pair of layouts.
std::unique_ptr<Converter> make_reorder(const Conversion& conversion);

}  // namespace convoy::kernels::onednn
