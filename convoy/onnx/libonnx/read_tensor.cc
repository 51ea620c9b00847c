#include "convoy/onnx/libonnx/read_tensor.h"

#include <onnx/onnx_pb.h>

#include <charconv>
#include <cstring>
#include <filesystem>

#include "convoy/base/error.h"

namespace convoy::onnx {
namespace {

using ::onnx::TensorProto;
namespace fs = std::filesystem;

constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;

// A number of external_data, which the format stores as text.
bool parse_size(const std::string& text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

}  // namespace

void TensorReader::fail(const TensorProto& proto, const std::string& problem) const {
  throw base::InputError(file_, base::str("tensor ", in_quotes(proto.name()), ": ", problem));
}

std::int64_t TensorReader::count_of(const TensorProto& proto) const {
  std::int64_t count = 1;
  for (const std::int64_t size : proto.dims()) {
    if (size < 0) fail(proto, base::str("it has the size ", size));
    if (__builtin_mul_overflow(count, size, &count) || count > kMaxCount)
      fail(proto, "it has more than 2^40 values");
  }
  return count;
}

const io::RandomAccessFile& TensorReader::open(const TensorProto& proto, const std::string& location) {
  if (const auto found = external_.find(location); found != external_.end()) return *found->second;
  const fs::path relative(location);
  if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute())
    fail(proto,
         base::str("its external data ", in_quotes(location), " is no path inside the model's folder"));
  std::error_code error;
  const fs::path folder = fs::canonical(directory_.empty() ? "." : directory_, error);
  const fs::path place = fs::weakly_canonical(folder / relative, error);
  const fs::path inside = place.lexically_relative(folder);
  if (directory_.empty() || error || inside.empty() || *inside.begin() == "..")
    fail(proto, base::str("its external data ", in_quotes(location), " lies outside the model's folder"));
  return *external_
              .emplace(location,
                       io::open_file(place.string(), file_ + ": external data " + in_quotes(location)))
              .first->second;
}

std::string TensorReader::external_bytes(const TensorProto& proto, std::int64_t wanted) {
  std::string location;
  std::int64_t offset = 0, length = wanted;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    std::int64_t* number = entry.key() == "offset" ? &offset : entry.key() == "length" ? &length : nullptr;
    if (number != nullptr && !parse_size(entry.value(), *number))
      fail(proto, base::str("the ", entry.key(), " of its external data is ", in_quotes(entry.value())));
  }
  const io::RandomAccessFile& file = open(proto, location);
  if (length != wanted)
    fail(proto, base::str("its sizes want ", wanted, " bytes, its external data has ", length));
  if (offset > file.size_bytes() || wanted > file.size_bytes() - offset)
    fail(proto, base::str("its external data, ", wanted, " bytes from byte ", offset, " on, reaches beyond ",
                          in_quotes(location), " of ", file.size_bytes(), " bytes"));
  std::string bytes(static_cast<std::size_t>(wanted), '\0');
  file.read_at(offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

// The values as the format has them in bytes, little-endian.
std::string TensorReader::bytes_of(TensorProto& proto, std::int64_t wanted) {
  if (proto.data_location() == TensorProto::EXTERNAL) return external_bytes(proto, wanted);
  if (static_cast<std::int64_t>(proto.raw_data().size()) != wanted)
    fail(proto, base::str("its sizes want ", wanted, " bytes, it has ", proto.raw_data().size()));
  std::string bytes = std::move(*proto.mutable_raw_data());
  proto.clear_raw_data();
  return bytes;
}

// Calls prepare() once the number of values is known to be right, then take(value) for each, out of bytes
// that hold `Stored`, or out of `fields`.
template <class Stored, class Fields, class Prepare, class Take>
void TensorReader::each_value(TensorProto& proto, const Fields& fields, Prepare&& prepare, Take&& take) {
  const std::int64_t count = count_of(proto);
  if (proto.data_location() != TensorProto::EXTERNAL && !proto.has_raw_data()) {
    if (fields.size() != count)
      fail(proto, base::str("its sizes want ", count, " values, it has ", fields.size()));
    prepare();
    for (const auto value : fields) take(value);
    return;
  }
  const std::string bytes = bytes_of(proto, count * static_cast<std::int64_t>(sizeof(Stored)));
  prepare();
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Stored)) {
    Stored value;
    std::memcpy(&value, bytes.data() + at, sizeof(Stored));
    take(value);
  }
}

void TensorReader::read_reals(TensorProto& proto, FileTensor& tensor) {
  auto reals = std::shared_ptr<tensor::Tensor>();
  float* next = nullptr;
  const auto prepare = [&] {
    reals = std::make_shared<tensor::Tensor>(tensor::DType::f32, tensor::Shape(tensor.dims));
    next = reals->as<float>().data();
  };
  const auto take = [&](auto value) { *next++ = static_cast<float>(value); };
  if (tensor.type == ElementType::f32)
    each_value<float>(proto, proto.float_data(), prepare, take);
  else
    each_value<double>(proto, proto.double_data(), prepare, take);
  tensor.reals = std::move(reals);
}

FileTensor TensorReader::read(TensorProto& proto) {
  FileTensor tensor{.name = proto.name(), .type = static_cast<ElementType>(proto.data_type())};
  static_cast<void>(count_of(proto));
  tensor.dims.assign(proto.dims().begin(), proto.dims().end());
  const auto prepare = [] {};
  const auto take = [&](auto value) { tensor.integers.push_back(static_cast<std::int64_t>(value)); };
  if (tensor.type == ElementType::f32 || tensor.type == ElementType::f64) read_reals(proto, tensor);
  if (tensor.type == ElementType::i64) each_value<std::int64_t>(proto, proto.int64_data(), prepare, take);
  if (tensor.type == ElementType::i32) each_value<std::int32_t>(proto, proto.int32_data(), prepare, take);
  if (tensor.type == ElementType::boolean) each_value<std::uint8_t>(proto, proto.int32_data(), prepare, take);
  return tensor;
}

}  // namespace convoy::onnx
