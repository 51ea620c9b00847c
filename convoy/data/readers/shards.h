// Pictures in tar shards, as WebDataset has them: of each picture NAME.jpg and NAME.cls, its class as a
// number.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "convoy/data/dataset.h"
#include "convoy/data/pictures.h"
#include "convoy/data/shard_index.h"

namespace convoy::data {

// The shards of an index, which lie beside it; read by position through it, so memory does not grow with the
// set. Every picture is checked against its checksum when it is read. Throws InputError for a bad index and
// for a shard that is missing, cut or of another size.
std::shared_ptr<const PictureStore> open_indexed_shards(const std::string& index_path);

// Shards without an index, in this order: their headers are read once, and 32 bytes a picture are kept.
// Classes are called by their numbers. Throws InputError for bad and cut archives, pictures without a class,
// and classes that are no number from 0 to 65535.
std::shared_ptr<const PictureStore> open_plain_shards(const std::vector<std::string>& paths);

// What `path` names:
//   a directory   train.index with val.index (or valid, validation, test), or all.index; without one
//   train*.tar
//                 with val*.tar (or …), or all of its *.tar
//   an index      FILE.index, undivided
//   a pattern     shards without an index, undivided; *, ? and [] as in the shell, {000..012} for numbers
PicturePlace find_shards(const std::string& path);

std::unique_ptr<Dataset> open_shards(const DatasetRequest& request);
DatasetShape describe_shards(const DatasetRequest& request);

}  // namespace convoy::data
