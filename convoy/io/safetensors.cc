#include "convoy/io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <optional>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/json.h"

namespace convoy::io {
namespace {

using base::InputError;
using base::str;
using tensor::DType;

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

constexpr std::int64_t kPrefix_bytes = 8;
constexpr std::string_view kMetadataName = "__metadata__";
constexpr std::size_t kMaxRank = 32;
constexpr std::array<std::pair<DType, std::string_view>, 7> kTypeNames{{{DType::f64, "F64"},
                                                                        {DType::f32, "F32"},
                                                                        {DType::f16, "F16"},
                                                                        {DType::bf16, "BF16"},
                                                                        {DType::i64, "I64"},
                                                                        {DType::i32, "I32"},
                                                                        {DType::u8, "U8"}}};

std::string_view type_name(DType type) {
  const auto it = std::find_if(kTypeNames.begin(), kTypeNames.end(),
                               [type](const auto& row) { return row.first == type; });
  CONVOY_CHECK(it != kTypeNames.end());
  return it->second;
}

// Turns the header's JSON into tensors, refusing whatever does not describe this file exactly.
class HeaderParser {
 public:
  HeaderParser(const RandomAccessFile& file, std::int64_t header_bytes)
      : file_(file),
        data_begin_(kPrefix_bytes + header_bytes),
        data_bytes_(file.size_bytes() - data_begin_) {}

  Metadata metadata(const Json& json) const {
    Metadata result;
    if (!json.is_object()) throw InputError(file_.name(), "\"__metadata__\" must be an object of strings");
    for (const auto& [key, value] : json.as_object()) {
      if (!value.is_string())
        throw InputError(file_.name(), str("the metadata '", key, "' must be a string"));
      result.emplace(key, value.as_string());
    }
    return result;
  }

  StoredTensor tensor(const std::string& name, const Json& json) const {
    if (!json.is_object()) refuse(name, "must be described by an object");
    for (const auto& member : json.as_object())
      if (member.first != "dtype" && member.first != "shape" && member.first != "data_offsets")
        refuse(name, str("has the unknown member '", member.first.substr(0, 40), "'"));
    StoredTensor result{.name = name, .type = type(name, json), .shape = shape(name, json)};
    const auto [begin, end] = offsets(name, json);
    // shape() bounded the count by the file, so the product cannot overflow.
    const std::int64_t wanted_bytes = result.shape.count() * size_bytes(result.type);
    if (end - begin != wanted_bytes)
      refuse(name, str("takes ", wanted_bytes, " bytes as ", type_name(result.type), " of shape ",
                       result.shape.str(), ", but its data_offsets span ", end - begin));
    result.offset_bytes = data_begin_ + begin;
    result.size_bytes = end - begin;
    return result;
  }

  // Sorts by position and proves that the tensors are the rest of the file, byte for byte.
  void check_cover(std::vector<StoredTensor>& tensors) const {
    std::stable_sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
      return std::pair(a.offset_bytes, a.size_bytes) < std::pair(b.offset_bytes, b.size_bytes);
    });
    std::int64_t expected = data_begin_;
    for (const StoredTensor& stored : tensors) {
      if (stored.offset_bytes != expected)
        refuse(stored.name, str("begins at byte ", stored.offset_bytes, ", but byte ", expected,
                                stored.offset_bytes < expected ? " is where its predecessor ends (overlap)"
                                                               : " is where it should begin (gap)"));
      expected += stored.size_bytes;
    }
    if (expected != file_.size_bytes())
      throw InputError(file_.name(),
                       str("the tensors end at byte ", expected, ", the file at byte ", file_.size_bytes()));
  }

 private:
  [[noreturn]] void refuse(const std::string& name, const std::string& problem) const {
    throw InputError(file_.name(), str("tensor '", name.substr(0, 200), "' ", problem));
  }

  DType type(const std::string& name, const Json& json) const {
    const Json* value = json.find("dtype");
    if (value == nullptr || !value->is_string()) refuse(name, "has no \"dtype\" string");
    for (const auto& [type, text] : kTypeNames)
      if (text == value->as_string()) return type;
    refuse(name, str("has the unsupported dtype '", value->as_string().substr(0, 40), "'"));
  }

  tensor::Shape shape(const std::string& name, const Json& json) const {
    const Json* value = json.find("shape");
    if (value == nullptr || !value->is_array()) refuse(name, "has no \"shape\" array");
    if (value->as_array().size() > kMaxRank) refuse(name, str("has more than ", kMaxRank, " dimensions"));
    std::vector<std::int64_t> sizes;
    for (const Json& size : value->as_array()) {
      if (!size.is_int64() || size.as_int64() < 0)
        refuse(name, str("has the dimension ", size.dump().substr(0, 40)));
      sizes.push_back(size.as_int64());
    }
    // An empty tensor may have any other dimensions; Shape::count would multiply them before it meets the 0.
    const bool empty = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
    std::int64_t count = 1;
    for (const std::int64_t size : sizes) {
      if (size == 0) continue;
      if (count > data_bytes_bound(empty) / size) refuse(name, "has a shape larger than the file");
      count *= size;
    }
    return tensor::Shape(std::move(sizes));
  }

  // Elements beyond which a shape cannot be meant: the bytes of the file, or 2^48 where nothing is stored.
  std::int64_t data_bytes_bound(bool empty) const { return empty ? std::int64_t{1} << 48 : data_bytes_; }

  std::pair<std::int64_t, std::int64_t> offsets(const std::string& name, const Json& json) const {
    const Json* value = json.find("data_offsets");
    if (value == nullptr || !value->is_array() || value->as_array().size() != 2 ||
        !value->as_array()[0].is_int64() || !value->as_array()[1].is_int64())
      refuse(name, "has no \"data_offsets\" of two integers");
    const std::int64_t begin = value->as_array()[0].as_int64(), end = value->as_array()[1].as_int64();
    if (begin < 0 || end < begin || end > data_bytes_)
      refuse(name, str("has data_offsets ", begin, " … ", end, " outside the ", data_bytes_,
                       " data bytes of the file"));
    return {begin, end};
  }

  const RandomAccessFile& file_;
  std::int64_t data_begin_;
  std::int64_t data_bytes_;
};

// The header's JSON text, checked to lie inside the file.
std::string read_header(const RandomAccessFile& file) {
  if (file.size_bytes() < kPrefix_bytes)
    throw InputError(file.name(),
                     str("not a safetensors file: has ", file.size_bytes(), " bytes, at least 8 expected"));
  std::uint64_t header_bytes = 0;
  file.read_at(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  if (header_bytes > static_cast<std::uint64_t>(kMaxSafetensorsHeader_bytes))
    throw InputError(file.name(), str("not a safetensors file: header of ", header_bytes,
                                      " bytes at byte 0, at most ", kMaxSafetensorsHeader_bytes, " allowed"));
  if (static_cast<std::int64_t>(header_bytes) > file.size_bytes() - kPrefix_bytes)
    throw InputError(file.name(), str("cut short: the header ends at byte ",
                                      kPrefix_bytes + static_cast<std::int64_t>(header_bytes),
                                      ", the file at byte ", file.size_bytes()));
  std::string text(header_bytes, '\0');
  file.read_at(kPrefix_bytes, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string print_header(const std::vector<TensorSpec>& specs, const Metadata& metadata) {
  Json::Object members;
  if (!metadata.empty()) {
    Json::Object entries;
    for (const auto& [key, value] : metadata) entries.emplace_back(key, value);
    members.emplace_back(kMetadataName, Json::object(std::move(entries)));
  }
  std::int64_t offset = 0;
  for (const TensorSpec& spec : specs) {
    CONVOY_CHECK(spec.name != kMetadataName, "a tensor may not be called ", kMetadataName);
    const std::int64_t end = offset + spec.shape.count() * size_bytes(spec.type);
    Json::Array sizes(spec.shape.begin(), spec.shape.end());
    members.emplace_back(spec.name, Json::object({{"dtype", type_name(spec.type)},
                                                  {"shape", std::move(sizes)},
                                                  {"data_offsets", Json::Array{offset, end}}}));
    offset = end;
  }
  std::string text = Json::object(std::move(members)).dump();  // equal names are caught here
  text.resize((text.size() + 7) / 8 * 8, ' ');
  CONVOY_CHECK(std::ssize(text) <= kMaxSafetensorsHeader_bytes, "header of ", text.size(), " bytes");
  return text;
}

}  // namespace

SafetensorsReader::SafetensorsReader(std::shared_ptr<const RandomAccessFile> file) : file_(std::move(file)) {
  const std::string text = read_header(*file_);
  const Json header = parse_json(text, file_->name(), kPrefix_bytes);
  if (!header.is_object()) throw InputError(file_->name(), "the header at byte 8 must be a JSON object");
  const HeaderParser parser(*file_, std::ssize(text));
  for (const auto& [name, json] : header.as_object()) {
    if (name == kMetadataName)
      metadata_ = parser.metadata(json);
    else
      tensors_.push_back(parser.tensor(name, json));
  }
  parser.check_cover(tensors_);
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

const StoredTensor* SafetensorsReader::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

void SafetensorsReader::read(const StoredTensor& stored, tensor::View out) const {
  CONVOY_CHECK(out.type() == stored.type && out.bytes() == stored.size_bytes, "'", stored.name, "' is ",
               stored.shape.str(), " ", tensor::name(stored.type), ", read into ", out.shape().str(), " ",
               tensor::name(out.type()));
  if (stored.size_bytes > 0)
    file_->read_at(stored.offset_bytes,
                   {static_cast<std::byte*>(out.data()), static_cast<std::size_t>(stored.size_bytes)});
}

tensor::Tensor SafetensorsReader::read(const StoredTensor& stored) const {
  tensor::Tensor result(stored.type, stored.shape);
  read(stored, result.view());
  return result;
}

SafetensorsWriter::SafetensorsWriter(const std::string& path, std::vector<TensorSpec> specs,
                                     const Metadata& metadata, FileCalls calls)
    : specs_(std::move(specs)), file_(path, std::move(calls)) {
  const std::string header = print_header(specs_, metadata);
  const std::uint64_t header_bytes = header.size();
  append(std::as_bytes(std::span(&header_bytes, 1)));
  append(std::as_bytes(std::span(header)));
}

void SafetensorsWriter::write(tensor::ConstView values) {
  CONVOY_CHECK(next_ < specs_.size(), "more tensors than the ", specs_.size(), " that were announced");
  const TensorSpec& spec = specs_[next_++];
  CONVOY_CHECK(values.type() == spec.type && values.shape() == spec.shape, "'", spec.name, "' announced as ",
               spec.shape.str(), " ", tensor::name(spec.type), ", written as ", values.shape().str(), " ",
               tensor::name(values.type()));
  append({static_cast<const std::byte*>(values.data()), static_cast<std::size_t>(values.bytes())});
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  sum_.update(bytes);
  file_.write(bytes);
}

std::string SafetensorsWriter::commit() {
  CONVOY_CHECK(next_ == specs_.size(), "commit after ", next_, " of ", specs_.size(), " tensors");
  file_.commit();
  return sum_.finish_hex();
}

}  // namespace convoy::io
