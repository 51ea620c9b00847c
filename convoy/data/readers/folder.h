// Pictures in one folder a class: DIR/CLASS/…/NAME.jpg.
#pragma once

#include <memory>
#include <string>

#include "convoy/data/dataset.h"
#include "convoy/data/pictures.h"

namespace convoy::data {

// Every picture file (.jpg, .jpeg, .png, .ppm, .pgm, .pnm, in any case) at any depth below DIRECTORY/CLASS,
// sorted by path. Classes are the folders of DIRECTORY, sorted by name; hidden files and folders are passed
// over, other files too, but counted in a note. Keeps the paths, nothing else. Throws InputError for a
// directory that cannot be read, without class folders, or with an empty one.
std::shared_ptr<const PictureStore> open_folder_store(const std::string& directory);

// DIRECTORY/train and DIRECTORY/val (or valid, validation, test, in this order) where they hold folders, else
// DIRECTORY undivided. Both parts must have the same classes.
PicturePlace find_folder_parts(const std::string& directory);

std::unique_ptr<Dataset> open_folder(const DatasetRequest& request);
// Lists the class folders, and no others.
DatasetShape describe_folder(const DatasetRequest& request);

}  // namespace convoy::data
