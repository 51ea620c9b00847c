// Picture files with their classes, wherever they lie.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace convoy::data {

// A fixed collection of undecoded pictures in a fixed order, class by class: first those of class 0. Reads
// are positional and keep nothing. Thread-safe.
class PictureStore {
 public:
  virtual ~PictureStore() = default;
  virtual const std::vector<std::string>& class_names() const = 0;
  // How many pictures each class has, in the order of class_names().
  virtual std::span<const std::int64_t> counts() const = 0;
  // What a user should know.
  virtual const std::vector<std::string>& notes() const = 0;

  // Overwrites `bytes` with a picture's file and returns its name, for messages. Requires 0 <= index < the
  // sum of counts(). Throws InputError for one that cannot be read or has changed.
  virtual std::string read(std::int64_t index, std::string& bytes) const = 0;
};

// Whether a file's name ends as a picture's: .jpg, .jpeg, .png, .ppm, .pgm or .pnm, in any case.
bool is_picture_name(std::string name);

std::int64_t picture_count(const PictureStore& store);

// Two stores of the same classes as one: of each class first those of `first`. Throws InputError, naming
// `place` and the class at fault, where the classes differ.
std::shared_ptr<const PictureStore> pool(std::shared_ptr<const PictureStore> first,
                                         std::shared_ptr<const PictureStore> second,
                                         const std::string& place);

// Throws InputError where two lists of classes differ, saying how.
void check_same_classes(const std::vector<std::string>& first, const std::vector<std::string>& second,
                        const std::string& place);

}  // namespace convoy::data
