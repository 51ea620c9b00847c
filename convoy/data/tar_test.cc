#include "convoy/data/tar.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "convoy/base/error.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::data {
namespace {

// A ustar entry, written after the standard and not after the reader.
std::string entry(const std::string& name, const std::string& contents, char kind = '0') {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  char octal[16];
  put(0, name);
  put(100, "0000644");
  std::snprintf(octal, sizeof octal, "%011zo", contents.size());
  put(124, octal);
  header[156] = kind;
  put(257, "ustar");
  put(148, "        ");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(octal, sizeof octal, "%06o", sum);
  put(148, std::string(octal, 7));
  return header + contents + std::string((512 - contents.size() % 512) % 512, '\0');
}

std::string problem_of(const std::string& archive, const std::vector<std::string>& wanted,
                       const std::string& directory) {
  try {
    extract_tar(*io::make_memory_file(std::as_bytes(std::span(archive)), "a.tar"), io::Compression::none,
                wanted, directory);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "";
}

const std::string kEnd(1024, '\0');

TEST(Tar, TakesWantedFilesOnly) {
  const io::TemporaryDirectory dir;
  const std::string large(300000, 'l');
  const std::string archive = entry("top/", "", '5') + entry("top/a.bin", "aaa") + entry("top/readme", "r") +
                              entry("top/b.bin", large) + entry("top/empty", "") + kEnd;
  EXPECT_EQ(problem_of(archive, {"b.bin", "a.bin", "empty"}, dir.path()), "");
  EXPECT_EQ(io::read_file(dir.file("a.bin")), "aaa");
  EXPECT_EQ(io::read_file(dir.file("b.bin")), large);
  EXPECT_EQ(io::read_file(dir.file("empty")), "");
  EXPECT_FALSE(io::file_exists(dir.file("readme")));
}

TEST(Tar, NoNameLeavesTheDirectory) {
  const io::TemporaryDirectory dir;
  std::filesystem::create_directory(dir.file("in"));
  EXPECT_EQ(problem_of(entry("../a.bin", "x") + kEnd, {"a.bin"}, dir.file("in")), "");
  EXPECT_TRUE(io::file_exists(dir.file("in/a.bin")));
  EXPECT_FALSE(io::file_exists(dir.file("a.bin")));
  EXPECT_EQ(problem_of(entry("l.bin", "", '2') + kEnd, {"l.bin"}, dir.path()), "a.tar: has no l.bin");
}

TEST(Tar, EveryTruncationLeavesNoPartOfAFile) {
  const std::string archive = entry("a.bin", std::string(600, 'a'));
  for (std::size_t bytes = 0; bytes < archive.size(); bytes += 37) {
    const io::TemporaryDirectory dir;
    EXPECT_EQ(problem_of(archive.substr(0, bytes), {"a.bin"}, dir.path()).substr(0, 7), "a.tar: ") << bytes;
    if (io::file_exists(dir.file("a.bin")))
      EXPECT_EQ(io::read_file(dir.file("a.bin")).size(), 600u) << bytes;  // only its padding is cut
    else
      EXPECT_TRUE(std::filesystem::is_empty(dir.path())) << bytes;
  }
}

TEST(Tar, DamagedHeadersAreRefused) {
  const io::TemporaryDirectory dir;
  std::string archive = entry("a.bin", "aaa") + entry("b.bin", "b") + kEnd;
  archive[1024 + 3] = 'X';
  EXPECT_EQ(problem_of(archive, {"a.bin", "b.bin"}, dir.path()).substr(0, 29),
            "a.tar: bad tar header before ");
  EXPECT_EQ(problem_of(entry("a.bin", "aaa") + kEnd, {"a.bin", "c.bin", "d.bin"}, dir.path()),
            "a.tar: has no c.bin, d.bin");
}

TEST(Tar, ReadsWhatTarWrites) {
  const io::TemporaryDirectory dir;
  const io::TemporaryDirectory out;
  dir.write("in/x.bin", std::string(70000, 'x'));
  if (std::system("tar --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "tar is not installed";
  ASSERT_EQ(std::system(("tar -C " + dir.path() + " -czf " + dir.file("a.tar.gz") + " in").c_str()), 0);
  extract_tar(*io::open_file(dir.file("a.tar.gz")), io::Compression::gzip, {"x.bin"}, out.path());
  EXPECT_EQ(io::read_file(out.file("x.bin")), std::string(70000, 'x'));
}

}  // namespace
}  // namespace convoy::data
