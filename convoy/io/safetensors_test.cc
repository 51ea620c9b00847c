#include "convoy/io/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::io {
namespace {

using tensor::DType;
using tensor::Tensor;

// A file image: the length prefix, the header and `data_bytes` zero bytes.
std::string image(std::string header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + std::string(data_bytes, '\0');
}

std::string problem_of(const std::string& bytes) {
  try {
    const SafetensorsReader reader(make_memory_file(std::as_bytes(std::span(bytes)), "f"));
    return "read " + std::to_string(reader.tensors().size());
  } catch (const base::InputError& error) {
    return error.what();
  }
}

Tensor counting(DType type, tensor::Shape shape) {
  Tensor result(type, std::move(shape));
  auto* bytes = static_cast<unsigned char*>(result.view().data());
  for (std::int64_t i = 0; i < result.view().bytes(); ++i) bytes[i] = static_cast<unsigned char>(i * 37 + 11);
  return result;
}

TEST(Safetensors, EveryTypeComesBackBitForBit) {
  const TemporaryDirectory dir;
  std::vector<Tensor> tensors;
  std::vector<TensorSpec> specs;
  for (const DType type :
       {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32, DType::u8}) {
    specs.push_back({"t." + std::string(tensor::name(type)), type, {3, 1, 5}});
    tensors.push_back(counting(type, {3, 1, 5}));
  }
  specs.push_back({"scalar", DType::f32, {}});
  tensors.push_back(counting(DType::f32, {}));
  specs.push_back({"empty \"ü\"", DType::f32, {0, 7}});
  tensors.push_back(Tensor(DType::f32, {0, 7}));
  const Metadata metadata{{"format", "pt"}, {"step", "12"}};
  SafetensorsWriter writer(dir.file("w"), specs, metadata);
  for (const Tensor& t : tensors) writer.write(t.view());
  EXPECT_FALSE(file_exists(dir.file("w")));
  const std::string sum = writer.commit();
  EXPECT_EQ(sum, sha256_file(dir.file("w")));

  const SafetensorsReader reader(dir.file("w"));
  EXPECT_EQ(reader.metadata(), metadata);
  ASSERT_EQ(reader.tensors().size(), specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const StoredTensor* stored = reader.find(specs[i].name);
    ASSERT_NE(stored, nullptr) << specs[i].name;
    EXPECT_EQ(stored->type, specs[i].type);
    EXPECT_EQ(stored->shape, specs[i].shape);
    const Tensor back = reader.read(*stored);
    const auto bytes = static_cast<std::size_t>(back.view().bytes());
    EXPECT_TRUE(bytes == 0 || std::memcmp(back.view().data(), tensors[i].view().data(), bytes) == 0)
        << specs[i].name;
  }
  EXPECT_EQ(reader.find("none"), nullptr);
}

TEST(Safetensors, BytesAreThoseOfTheFormat) {
  const TemporaryDirectory dir;
  SafetensorsWriter writer(dir.file("w"), {{"b", DType::u8, {2}}, {"a", DType::u8, {1}}}, {{"k", "v"}});
  const std::array<std::uint8_t, 2> b{1, 2};
  const std::array<std::uint8_t, 1> a{3};
  writer.write({b.data(), DType::u8, {2}});
  writer.write({a.data(), DType::u8, {1}});
  writer.commit();
  std::string header =
      R"({"__metadata__":{"k":"v"},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(read_file(dir.file("w")), image(header, 0) + "\x01\x02\x03");
}

TEST(Safetensors, FileWithoutTensors) {
  const TemporaryDirectory dir;
  SafetensorsWriter(dir.file("w"), {}).commit();
  EXPECT_EQ(SafetensorsReader(dir.file("w")).tensors().size(), 0u);
}

TEST(Safetensors, FullDiskLeavesNothing) {
  const TemporaryDirectory dir;
  FileCalls full;
  full.write = [calls = 0](int, const void*, std::size_t bytes) mutable -> ssize_t {
    if (++calls < 3) return static_cast<ssize_t>(bytes);
    errno = ENOSPC;
    return -1;
  };
  const Tensor values = counting(DType::f32, {100});
  SafetensorsWriter writer(dir.file("w"), {{"t", DType::f32, {100}}}, {}, full);
  EXPECT_THROW(writer.write(values.view()), base::FileError);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SafetensorsDeathTest, WrongUseIsABug) {
  const TemporaryDirectory dir;
  const Tensor values = counting(DType::f32, {2});
  SafetensorsWriter writer(dir.file("w"), {{"t", DType::f32, {3}}});
  EXPECT_DEATH(writer.write(values.view()), "'t' announced as 3 f32, written as 2 f32");
  EXPECT_DEATH(writer.commit(), "commit after 0 of 1 tensors");
  EXPECT_DEATH(SafetensorsWriter(dir.file("x"), {{"t", DType::f32, {3}}, {"t", DType::f32, {3}}}), "twice");
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string whole = image(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  EXPECT_EQ(problem_of(whole), "read 1");
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
    EXPECT_EQ(problem_of(whole.substr(0, bytes)).substr(0, 3), "f: ") << bytes;
  EXPECT_EQ(problem_of(whole + "x"), "f: the tensors end at byte 70, the file at byte 71");
}

TEST(Safetensors, BadHeadersAreRefused) {
  const auto expect = [](const std::string& bytes, std::string_view part) {
    EXPECT_NE(problem_of(bytes).find(part), std::string::npos) << part << " not in: " << problem_of(bytes);
  };
  expect(std::string(8, '\xff'), "header of 18446744073709551615 bytes");
  expect(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8), "header of 100000001 bytes");
  expect(std::string("\x10\0\0\0\0\0\0\0{}", 10),
         "cut short: the header ends at byte 24, the file at byte 10");
  expect(image("[]", 0), "the header at byte 8 must be a JSON object");
  expect(image("{\"a\":", 0), "bad JSON at byte 13");
  expect(image(R"({"a":1})", 0), "tensor 'a' must be described by an object");
  expect(image(R"({"__metadata__":{"k":1}})", 0), "metadata 'k' must be a string");
  expect(image(R"({"__metadata__":[]})", 0), "must be an object of strings");
  const std::string good = R"({"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  expect(image("{\"a\":" + good + ",\"a\":" + good + "}", 4), "\"a\" comes twice");
  expect(image(std::string(R"({"a":)") + std::string(1000, '[') + "}", 4), "deeper than 64");
}

TEST(Safetensors, BadTensorsAreRefused) {
  const auto expect = [](const std::string& description, std::string_view part) {
    const std::string problem = problem_of(image("{\"a\":" + description + "}", 8));
    EXPECT_NE(problem.find(part), std::string::npos) << part << " not in: " << problem;
  };
  expect(R"({"shape":[8],"data_offsets":[0,8]})", "has no \"dtype\"");
  expect(R"({"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]})", "unsupported dtype 'F8_E4M3'");
  expect(R"({"dtype":"U8","data_offsets":[0,8]})", "has no \"shape\"");
  expect(R"({"dtype":"U8","shape":[-8],"data_offsets":[0,8]})", "has the dimension -8");
  expect(R"({"dtype":"U8","shape":[8.0],"data_offsets":[0,8]})", "has the dimension 8.0");
  expect(R"({"dtype":"U8","shape":["8"],"data_offsets":[0,8]})", "has the dimension \"8\"");
  expect(R"({"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,8]})", "has the dimension");
  expect(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8]})", "larger than the file");
  expect(R"({"dtype":"U8","shape":[0,4294967296,4294967296,4294967296],"data_offsets":[0,0]})",
         "larger than the file");
  expect(R"({"dtype":"U8","shape":[8]})", "has no \"data_offsets\"");
  expect(R"({"dtype":"U8","shape":[8],"data_offsets":[0]})", "has no \"data_offsets\"");
  expect(R"({"dtype":"U8","shape":[8],"data_offsets":[-1,7]})", "outside the 8 data bytes");
  expect(R"({"dtype":"U8","shape":[8],"data_offsets":[8,0]})", "outside the 8 data bytes");
  expect(R"({"dtype":"U8","shape":[9],"data_offsets":[0,9]})", "larger than the file");
  expect(R"({"dtype":"U8","shape":[8],"data_offsets":[0,9]})", "outside the 8 data bytes");
  expect(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})",
         "takes 12 bytes as F32 of shape 3, but its data_offsets span 8");
  expect(R"({"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1})", "unknown member 'x'");
  expect(R"({"dtype":"U8","shape":[7],"data_offsets":[1,8]})", "(gap)");
  expect(
      R"({"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]})",
      "(overlap)");
  expect(
      R"({"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]})",
      "(gap)");
  expect(R"({"dtype":"U8","shape":[7],"data_offsets":[0,7]})", "the tensors end at byte");
  std::string deep = R"({"dtype":"U8","shape":[1)";
  for (int i = 0; i < 40; ++i) deep += ",1";
  expect(deep + R"(],"data_offsets":[0,1]})", "more than 32 dimensions");
}

TEST(Safetensors, PythonLoadsOurFilesAndWeLoadPythons) {
  // The format's own Python package is not in Debian; this is its published layout, read with the standard
  // library alone, so that a mistake shared by our reader and writer shows.
  const TemporaryDirectory dir;
  const Tensor values = counting(DType::i32, {2, 3});
  SafetensorsWriter writer(dir.file("w"), {{"x.y", DType::i32, {2, 3}}}, {{"k", "v"}});
  writer.write(values.view());
  writer.commit();
  const std::string script = dir.write("check.py", R"(
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
(n,) = struct.unpack('<Q', raw[:8])
header = json.loads(raw[8:8 + n])
assert n % 8 == 0 and header.pop('__metadata__') == {'k': 'v'}
assert header == {'x.y': {'dtype': 'I32', 'shape': [2, 3], 'data_offsets': [0, 24]}}
values = struct.unpack('<6i', raw[8 + n:])
header = json.dumps({'z': {'dtype': 'I32', 'shape': [6], 'data_offsets': [0, 24]}}).encode()
open(sys.argv[2], 'wb').write(struct.pack('<Q', len(header)) + header + struct.pack('<6i', *values))
)");
  if (std::system("command -v /usr/bin/python3 >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "python3 is not installed";
  ASSERT_EQ(std::system(("/usr/bin/python3 " + script + " " + dir.file("w") + " " + dir.file("p")).c_str()),
            0);
  const SafetensorsReader reader(dir.file("p"));
  const Tensor back = reader.read(*reader.find("z"));
  EXPECT_EQ(std::memcmp(back.view().data(), values.view().data(), 24), 0);
}

}  // namespace
}  // namespace convoy::io
