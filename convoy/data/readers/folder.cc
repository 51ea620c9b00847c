#include "convoy/data/readers/folder.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/data/picture_store.h"
#include "convoy/io/file.h"

namespace convoy::data {
namespace {

namespace fs = std::filesystem;
using base::InputError;
using base::str;

constexpr std::int64_t kMaxPicture_bytes = std::int64_t{256} << 20;

bool is_hidden(const std::string& name) { return name.starts_with('.'); }

// Calls `visit` for each entry that is not hidden. Throws InputError.
void for_each_entry(const std::string& directory,
                    const std::function<void(const fs::directory_entry&)>& visit) {
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (!is_hidden(entry->path().filename().string())) visit(*entry);
  if (error) throw InputError(directory, "cannot read the directory: " + error.message());
}

bool is_directory(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_directory(error);
}

std::vector<std::string> folders_of(const std::string& directory) {
  std::vector<std::string> names;
  for_each_entry(directory, [&](const fs::directory_entry& entry) {
    if (is_directory(entry)) names.push_back(entry.path().filename().string());
  });
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> class_folders(const std::string& directory) {
  std::vector<std::string> names = folders_of(directory);
  if (names.empty())
    throw InputError(directory, "no folder in it; put the pictures of each class into a folder of its own");
  return names;
}

// Paths below a class's folder. A link to a directory is not followed: it may lead back here.
void collect(const std::string& directory, const std::string& prefix, std::vector<std::string>& paths,
             std::int64_t& others) {
  for_each_entry(io::join_path(directory, prefix), [&](const fs::directory_entry& entry) {
    const std::string path = io::join_path(prefix, entry.path().filename().string());
    if (is_directory(entry)) {
      if (!entry.is_symlink()) collect(directory, path, paths, others);
    } else if (is_picture_name(path)) {
      paths.push_back(path);
    } else {
      ++others;
    }
  });
}

class FolderStore final : public PictureStore {
 public:
  explicit FolderStore(const std::string& directory)
      : directory_(directory), class_names_(class_folders(directory)) {
    std::int64_t others = 0;
    for (const std::string& name : class_names_) add_class(name, others);
    if (others > 0)
      notes_.push_back(str(others, " files that are no pictures, by their names, are passed over"));
  }

  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::span<const std::int64_t> counts() const override { return counts_; }
  const std::vector<std::string>& notes() const override { return notes_; }

  std::string read(std::int64_t index, std::string& bytes) const override {
    const auto i = static_cast<std::size_t>(index);
    const std::string path = io::join_path(directory_, paths_.substr(ends_[i], ends_[i + 1] - ends_[i]));
    const auto file = io::open_file(path);
    if (file->size_bytes() > kMaxPicture_bytes)
      throw InputError(path, str("has ", file->size_bytes(), " bytes, too many for a picture"));
    bytes.resize(static_cast<std::size_t>(file->size_bytes()));
    file->read_at(0, std::as_writable_bytes(std::span(bytes)));
    return path;
  }

 private:
  void add_class(const std::string& name, std::int64_t& others) {
    std::vector<std::string> paths;
    collect(directory_, name, paths, others);
    if (paths.empty())
      throw InputError(
          io::join_path(directory_, name),
          "no picture (.jpg, .png, .ppm and the like) in this class's folder; remove it or fill it");
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      paths_ += path;
      ends_.push_back(paths_.size());
    }
    counts_.push_back(std::ssize(paths));
  }

  std::string directory_;
  std::vector<std::string> class_names_;
  std::vector<std::int64_t> counts_;
  std::vector<std::string> notes_;
  std::string paths_;                 // one behind the other
  std::vector<std::size_t> ends_{0};  // of each in paths_, and the beginning
};

std::string part_with_folders(const std::string& directory, std::string_view name) {
  const std::string path = io::join_path(directory, std::string(name));
  std::error_code error;
  return fs::is_directory(path, error) && !folders_of(path).empty() ? path : std::string();
}

// The folder that holds the class folders, of the training part where there are two.
struct Parts {
  std::string train;
  std::string test;
};

Parts parts_of(const std::string& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) throw InputError(directory, "no such directory");
  Parts parts{.train = part_with_folders(directory, "train"), .test = ""};
  if (parts.train.empty()) return {directory, ""};
  for (const std::string_view name : {"val", "valid", "validation", "test"})
    if (parts.test.empty()) parts.test = part_with_folders(directory, name);
  if (!parts.test.empty())
    check_same_classes(class_folders(parts.train), class_folders(parts.test), directory);
  return parts;
}

}  // namespace

std::shared_ptr<const PictureStore> open_folder_store(const std::string& directory) {
  return std::make_shared<FolderStore>(directory);
}

PicturePlace find_folder_parts(const std::string& directory) {
  const Parts parts = parts_of(directory);
  PicturePlace place{
      .path = directory, .train = [parts] { return open_folder_store(parts.train); }, .test = {}};
  if (!parts.test.empty()) place.test = [parts] { return open_folder_store(parts.test); };
  return place;
}

std::unique_ptr<Dataset> open_folder(const DatasetRequest& request) {
  return make_pictures(find_folder_parts(picture_path(request)), request);
}

DatasetShape describe_folder(const DatasetRequest& request) {
  return {{3, request.image_size, request.image_size},
          std::ssize(class_folders(parts_of(picture_path(request)).train))};
}

}  // namespace convoy::data
