#include "convoy/io/archive.h"

#include <gtest/gtest.h>
#include <lzma.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "convoy/base/error.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::io {
namespace {

namespace fs = std::filesystem;

std::string gzipped(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::string xzipped(const std::string& text) {
  std::string out(::lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t bytes = 0;
  EXPECT_EQ(::lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr,
                                      reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                      reinterpret_cast<std::uint8_t*>(out.data()), &bytes, out.size()),
            LZMA_OK);
  out.resize(bytes);
  return out;
}

std::string packed(Compression compression, const std::string& text) {
  return compression == Compression::gzip ? gzipped(text) : xzipped(text);
}

std::string unpacked(const std::string& bytes, Compression compression,
                     std::int64_t max_bytes = kMaxUnpacked_bytes) {
  std::string out;
  unpack(
      *make_memory_file(std::as_bytes(std::span(bytes)), "f"), compression,
      [&](std::span<const std::byte> piece) {
        out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      },
      max_bytes);
  return out;
}

std::string problem_of(const std::string& bytes, Compression compression,
                       std::int64_t max_bytes = kMaxUnpacked_bytes) {
  try {
    unpacked(bytes, compression, max_bytes);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "(no error)";
}

// Longer than several pieces, and compressible only in part.
std::string long_text() {
  std::string text;
  std::uint32_t state = 1;
  for (int i = 0; i < 1200000; ++i) {
    state = state * 1664525u + 1013904223u;
    text += static_cast<char>((state >> 24) & (i % 1000 < 500 ? 0xff : 0x03));
  }
  return text;
}

class Archive : public testing::TestWithParam<Compression> {};

TEST_P(Archive, ComesBackWhole) {
  const std::string text = long_text();
  EXPECT_EQ(unpacked(packed(GetParam(), text), GetParam()), text);
  EXPECT_EQ(unpacked(packed(GetParam(), ""), GetParam()), "");
}

TEST_P(Archive, MembersFollowEachOther) {
  const std::string text = long_text();
  EXPECT_EQ(
      unpacked(packed(GetParam(), "ab") + packed(GetParam(), text) + packed(GetParam(), "cd"), GetParam()),
      "ab" + text + "cd");
}

TEST(XzPadding, ZerosInFoursAreSkipped) {
  const std::string one = xzipped("one"), two = xzipped("two");
  EXPECT_EQ(unpacked(one + std::string(8, '\0') + two + std::string(4, '\0'), Compression::xz), "onetwo");
  EXPECT_NE(problem_of(one + std::string(3, '\0'), Compression::xz), "(no error)");
  EXPECT_NE(problem_of(one + std::string(5, '\0') + two, Compression::xz), "(no error)");
}

TEST_P(Archive, EveryTruncationIsRefused) {
  const std::string whole = packed(GetParam(), "some text, some text, and more of it");
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
    EXPECT_EQ(problem_of(whole.substr(0, bytes), GetParam()).substr(0, 13), "f: cut short:") << bytes;
}

TEST_P(Archive, EveryFlippedByteOfTheDataIsRefused) {
  const std::string text = "some text, some text, and more of it";
  const std::string whole = packed(GetParam(), text);
  // gzip's time stamp, flags and system carry no checksum of their own.
  for (std::size_t at = GetParam() == Compression::gzip ? 10 : 0; at < whole.size(); ++at) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_EQ(problem_of(bad, GetParam()).substr(0, 3), "f: ") << at;
  }
}

TEST_P(Archive, BytesAfterTheEndAreRefused) {
  const std::string whole = packed(GetParam(), "text");
  EXPECT_EQ(problem_of(whole + "garbage", GetParam()).substr(0, 3), "f: ");
  EXPECT_NE(problem_of(whole + "garbage", GetParam()).find("at byte " + std::to_string(whole.size())),
            std::string::npos)
      << problem_of(whole + "garbage", GetParam());
}

TEST_P(Archive, BombsAreStopped) {
  const std::string bomb = packed(GetParam(), std::string(5000000, '\0'));
  EXPECT_LT(bomb.size(), 10000u);
  EXPECT_EQ(problem_of(bomb, GetParam(), 4999999), "f: unpacks to more than the 4999999 bytes expected");
  EXPECT_EQ(unpacked(bomb, GetParam(), 5000000).size(), 5000000u);
}

TEST_P(Archive, OtherFilesAreRefused) {
  EXPECT_EQ(problem_of("this is neither", GetParam()).substr(0, 3), "f: ");
  EXPECT_EQ(problem_of("", GetParam()).substr(0, 13), "f: cut short:");
}

INSTANTIATE_TEST_SUITE_P(Formats, Archive, testing::Values(Compression::gzip, Compression::xz),
                         [](const auto& param) { return param.param == Compression::gzip ? "gzip" : "xz"; });

// Points the cache at a directory for the time of a test.
class OpenPlain : public testing::Test {
 protected:
  OpenPlain() {
    if (const char* old = std::getenv("XDG_CACHE_HOME")) saved_ = old;
    ::setenv("XDG_CACHE_HOME", dir_.file("cache").c_str(), 1);
  }
  ~OpenPlain() override {
    if (saved_)
      ::setenv("XDG_CACHE_HOME", saved_->c_str(), 1);
    else
      ::unsetenv("XDG_CACHE_HOME");
  }

  static std::string contents(const RandomAccessFile& file) {
    std::string text(static_cast<std::size_t>(file.size_bytes()), '\0');
    file.read_at(0, std::as_writable_bytes(std::span(text)));
    return text;
  }
  std::vector<std::string> cached() const {
    std::vector<std::string> names;
    if (fs::exists(dir_.file("cache/convoy/unpacked")))
      for (const auto& entry : fs::directory_iterator(dir_.file("cache/convoy/unpacked")))
        names.push_back(entry.path());
    return names;
  }

  TemporaryDirectory dir_;

 private:
  std::optional<std::string> saved_;
};

TEST_F(OpenPlain, PlainFilesAreOpenedAsTheyAre) {
  const auto file = open_plain(dir_.write("a", "plain"));
  EXPECT_EQ(contents(*file), "plain");
  EXPECT_EQ(file->name(), dir_.file("a"));
  EXPECT_TRUE(cached().empty());
}

TEST_F(OpenPlain, UnpacksOnceIntoTheCache) {
  const std::string path = dir_.write("a.bin.gz", gzipped("content"));
  const auto file = open_plain(path);
  EXPECT_EQ(contents(*file), "content");
  EXPECT_EQ(file->name().substr(0, path.size()), path);
  ASSERT_EQ(cached().size(), 1u);
  // Reading from the cache shows by what is in it.
  dir_.write(fs::relative(cached()[0], dir_.path()).string(), "CONTENT");
  EXPECT_EQ(contents(*open_plain(path)), "CONTENT");
}

TEST_F(OpenPlain, AChangedFileIsUnpackedAgain) {
  const std::string path = dir_.write("a.xz", xzipped("one"));
  EXPECT_EQ(contents(*open_plain(path)), "one");
  dir_.write("a.xz", xzipped("two!"));
  EXPECT_EQ(contents(*open_plain(path)), "two!");
}

TEST_F(OpenPlain, WithoutACacheATemporaryServes) {
  dir_.write("cache", "a file where the directory should be");
  const std::string path = dir_.write("a.gz", gzipped("content"));
  const auto file = open_plain(path);
  EXPECT_EQ(contents(*file), "content");
  EXPECT_EQ(file->name(), path);
}

TEST_F(OpenPlain, CorruptDataLeavesNothingInTheCache) {
  const std::string whole = gzipped(long_text());
  const std::string path = dir_.write("a.gz", whole.substr(0, whole.size() / 2));
  EXPECT_THROW(open_plain(path), base::InputError);
  EXPECT_TRUE(cached().empty());
  EXPECT_THROW(open_plain(dir_.file("none.gz")), base::InputError);
}

}  // namespace
}  // namespace convoy::io
