// A data set of pictures of any size.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "convoy/data/dataset.h"
#include "convoy/data/picture_store.h"

namespace convoy::data {

using OpenStore = std::function<std::shared_ptr<const PictureStore>()>;

// Where a set of pictures is found: in a training and a test part, or undivided in `train` alone.
struct PicturePlace {
  std::string path;
  OpenStore train;
  OpenStore test;  // empty: undivided
};

// The part of a picture set that the request asks for: the set's own training or test part, which is all that
// is opened; with request.fold the pool of both, divided anew; of an undivided set request.test_share.
// Samples are {3, image_size, image_size}: RGB, grey repeated. Means and deviations are ImageNet's.
// Throws InputError for fewer than two classes and for parts that come out empty.
std::unique_ptr<Dataset> make_pictures(const PicturePlace& place, const DatasetRequest& request);

}  // namespace convoy::data
