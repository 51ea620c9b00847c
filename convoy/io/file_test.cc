#include "convoy/io/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/sha256.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::io {
namespace {

template <class Error, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(File, ReadsByPosition) {
  const TemporaryDirectory dir;
  const auto file = open_file(dir.write("a", "0123456789"));
  EXPECT_EQ(file->size_bytes(), 10);
  std::array<char, 3> piece{};
  file->read_at(4, std::as_writable_bytes(std::span(piece)));
  EXPECT_EQ(std::string(piece.data(), 3), "456");
}

TEST(File, ReadingPastTheEndNamesThePosition) {
  const TemporaryDirectory dir;
  const std::string path = dir.write("a", "0123456789");
  const std::string text = "0123456789";
  std::array<std::byte, 4> piece{};
  const std::string problem = ": cut short: 4 bytes expected at byte 7, but the file ends at byte 10";
  EXPECT_EQ(message_of<base::InputError>([&] { open_file(path)->read_at(7, piece); }), path + problem);
  const auto memory = make_memory_file(std::as_bytes(std::span(text)), "memory");
  EXPECT_EQ(message_of<base::InputError>([&] { memory->read_at(7, piece); }), "memory" + problem);
  EXPECT_NE(message_of<base::InputError>([&] { memory->read_at(INT64_MAX - 1, piece); }), "(no error)");
}

TEST(File, OpenErrorsSayWhatIsWrong) {
  const TemporaryDirectory dir;
  EXPECT_EQ(message_of<base::InputError>([&] { open_file(dir.file("none")); }),
            dir.file("none") + ": no such file");
  EXPECT_EQ(message_of<base::InputError>([&] { open_file(dir.path()); }),
            dir.path() + ": is a directory; a file is expected");
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  EXPECT_EQ(message_of<base::InputError>([&] { open_file(dir.file("fifo")); }),
            dir.file("fifo") + ": is not a regular file");
}

TEST(File, ReadFileRefusesWhatIsTooLarge) {
  const TemporaryDirectory dir;
  const std::string path = dir.write("a", "12345");
  EXPECT_EQ(read_file(path, 5), "12345");
  EXPECT_NE(message_of<base::InputError>([&] { read_file(path, 4); }).find("at most 4"), std::string::npos);
}

TEST(File, Paths) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(join_path("a", "/b"), "/b");
  EXPECT_EQ(parent_directory("a/b/c"), "a/b");
  EXPECT_EQ(parent_directory("c"), ".");
  EXPECT_EQ(parent_directory("/c"), "/");
  EXPECT_EQ(base_name("a/b"), "b");
  EXPECT_EQ(base_name("b"), "b");
}

TEST(File, MakesDirectoriesAndRefusesFilesInTheWay) {
  const TemporaryDirectory dir;
  make_directories(dir.file("x/y/z"));
  make_directories(dir.file("x/y/z/"));
  EXPECT_TRUE(std::filesystem::is_directory(dir.file("x/y/z")));
  dir.write("file", "");
  EXPECT_EQ(message_of<base::FileError>([&] { make_directories(dir.file("file/sub")); }),
            dir.file("file") + ": cannot make the directory: Not a directory");
}

TEST(File, OutputDirectoryIsProvedAndLeftClean) {
  const TemporaryDirectory dir;
  prepare_output_directory(dir.file("run/1"));
  EXPECT_TRUE(std::filesystem::is_empty(dir.file("run/1")));
}

TEST(File, CacheDirectoryFollowsTheEnvironment) {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  const std::string saved_xdg = xdg != nullptr ? xdg : "";
  const char* home = std::getenv("HOME");
  const std::string saved_home = home != nullptr ? home : "";
  ::setenv("HOME", "/home/ada", 1);
  ::setenv("XDG_CACHE_HOME", "/var/tmp/c", 1);
  EXPECT_EQ(cache_directory(), "/var/tmp/c/convoy");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(cache_directory(), "/home/ada/.cache/convoy");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(cache_directory(), "/home/ada/.cache/convoy");
  ::unsetenv("HOME");
  EXPECT_EQ(cache_directory(), "");
  if (xdg != nullptr) ::setenv("XDG_CACHE_HOME", saved_xdg.c_str(), 1);
  if (home != nullptr) ::setenv("HOME", saved_home.c_str(), 1);
}

// FIPS 180-2, appendix B.
TEST(Sha256, StandardVectors) {
  const std::string abc = "abc", two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(abc))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(two_blocks))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, FilesLongerThanOnePiece) {
  const TemporaryDirectory dir;
  const std::string million(1000000, 'a');
  EXPECT_EQ(sha256_file(dir.write("a", million)),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace convoy::io
