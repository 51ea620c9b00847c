// The build functions that catalog.cc lists.
#pragma once

#include "convoy/models/catalog.h"

namespace convoy::models {

base::Result<graph::Graph> build_lenet5(const ModelRequest& request);
base::Result<graph::Graph> build_linear(const ModelRequest& request);
base::Result<graph::Graph> build_mlp(const ModelRequest& request);

// `size` times the request's width, rounded, at least 1.
std::int64_t scaled(const ModelRequest& request, std::int64_t size);

}  // namespace convoy::models
