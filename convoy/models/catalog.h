// The models that Convoy can build by name: one file a family, one line a model in catalog.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"
#include "convoy/graph/graph.h"

namespace convoy::models {

// What may vary in a model. Zero, or a shape without dimensions, means the kind's default.
struct ModelRequest {
  tensor::Shape input_shape = {};             // of one sample, {C, H, W}
  std::int64_t classes = 0;                   // outputs of the last layer, where a model has classes
  double width = 1;                           // factor on the channels and features of hidden layers
  std::int64_t depth = 0;                     // layers with weights (an autoencoder's levels), where
                                              // ModelKind::depth says so
  bool zero_gamma = false;                    // the last batch norm of a residual block starts at scale 0
  std::vector<std::string> class_names = {};  // empty: none; else `classes` of them
};

struct ModelKind {
  std::string_view name;
  std::string_view description;  // one line
  tensor::Shape default_input;
  std::int64_t default_classes = 0;  // 0: it learns without labels and has no classes
  // `request` is complete: no defaults are left in it.
  base::Result<graph::Graph> (*build)(const ModelRequest& request);
  std::int64_t depth = 0;      // of the name, or the default where it is free; 0: the model has one form
  bool is_depth_free = false;  // a request may ask for another
  bool is_residual = false;    // zero_gamma means something
};

// All of them, by ascending name.
std::span<const ModelKind> catalog();

// The graph of the model, or why there is none: an unknown name (the known ones are listed), a width that
// is not positive, a depth that the name does not allow, names that do not match the classes, an input that
// is too small for the model.
base::Result<graph::Graph> build_model(std::string_view name, const ModelRequest& request = {});

}  // namespace convoy::models
