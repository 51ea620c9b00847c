// MNIST: 60000 + 10000 handwritten digits of 28×28 grey pixels.
#pragma once

#include <memory>

#include "convoy/data/dataset.h"
#include "convoy/io/file.h"

namespace convoy::data {

// Opens ROOT/mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte, plain, .gz or .xz (see locate_data for
// ROOT); where ROOT is the cache, absent files are downloaded first. Throws InputError for missing or bad
// files.
std::unique_ptr<Dataset> open_mnist(const DatasetRequest& request);

// The data set in a pair of IDX files. Throws InputError, also where the two disagree on the count.
std::unique_ptr<Dataset> make_mnist(std::shared_ptr<const io::RandomAccessFile> images,
                                    const io::RandomAccessFile& labels, Split split);

}  // namespace convoy::data
