// A data set of pictures of any size.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "convoy/data/dataset.h"
#include "convoy/data/picture_store.h"
#include "convoy/tensor/view.h"

namespace convoy::data {

using OpenStore = std::function<std::shared_ptr<const PictureStore>()>;

// Where a set of pictures is found: in a training and a test part, or undivided in `train` alone.
struct PicturePlace {
  std::string path;
  OpenStore train;
  OpenStore test;  // empty: undivided
};

// Where the pictures are that a user names: "folder:PATH", "shards:PATH", or a path alone, which means shards
// where it is an index, a .tar file or a directory that holds one of these. Throws as opening them does.
PicturePlace find_pictures(const std::string& name);

// request.source, below request.data_dir where that is given and the source is relative.
std::string picture_path(const DatasetRequest& request);

// The part of a picture set that the request asks for: the set's own training or test part, which is all that
// is opened; with request.fold the pool of both, divided anew; of an undivided set request.test_share.
// Samples are {3, image_size, image_size}: RGB, grey repeated. Means and deviations are ImageNet's.
// Throws InputError for fewer than two classes and for parts that come out empty.
std::unique_ptr<Dataset> make_pictures(const PicturePlace& place, const DatasetRequest& request);

// A picture file as the read() of such a set shows it: a u8 tensor of `sample_shape` {3, H, W}. Throws
// InputError.
tensor::Tensor load_photograph(const std::string& path, const tensor::Shape& sample_shape,
                               double centre_share);

}  // namespace convoy::data
