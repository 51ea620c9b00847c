#include "convoy/data/tar_format.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <vector>

#include "convoy/base/error.h"

namespace convoy::data {
namespace {

std::string padded(const std::string& contents) {
  return contents +
         std::string(static_cast<std::size_t>(tar_padded_bytes(std::ssize(contents)) - std::ssize(contents)),
                     '\0');
}

std::string entry(const std::string& name, const std::string& contents, char kind = '0') {
  TarBlock block = make_tar_header(name, std::ssize(contents));
  std::string header(block.data(), block.size());
  header.replace(148, 8, "        ");
  header[156] = kind;
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char octal[8];
  std::snprintf(octal, sizeof octal, "%06o", sum);
  return header.replace(148, 7, std::string(octal, 7)) + padded(contents);
}

const std::string kEnd(1024, '\0');

std::vector<TarEntry> scan(const std::string& archive) {
  std::vector<TarEntry> entries;
  scan_tar(*io::make_memory_file(std::as_bytes(std::span(archive)), "a.tar"),
           [&](const TarEntry& found) { entries.push_back(found); });
  return entries;
}

std::string problem_of(const std::string& archive) {
  try {
    scan(archive);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "";
}

TEST(TarFormat, HeadersOfEveryLengthOfNameComeBack) {
  for (std::size_t length = 1; length <= 255; ++length) {
    if (length == 101) continue;  // no place for a '/' that leaves 100 bytes
    std::string name(length, 'n');
    if (length > 101) name[length - 101] = '/';
    const auto entries = scan(entry(name, std::string(length, 'x')) + kEnd);
    ASSERT_EQ(entries.size(), 1u) << length;
    EXPECT_EQ(entries[0].name, name);
    EXPECT_EQ(entries[0].offset_bytes, 512);
    EXPECT_EQ(entries[0].size_bytes, std::ssize(name));
  }
  for (const std::string& name :
       {std::string(), std::string(101, 'n'), '/' + std::string(100, 'n'), std::string(300, '/')})
    EXPECT_THROW(make_tar_header(name, 1), base::UsageError) << name.size();
}

TEST(TarFormat, FilesAloneAreFound) {
  const auto entries =
      scan(entry("d/", "", '5') + entry("d/a", "aaa") + entry("d/link", "", '2') + entry("d/b", "") + kEnd);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "d/a");
  EXPECT_EQ(entries[0].offset_bytes, 1024);
  EXPECT_EQ(entries[1].name, "d/b");
}

// As Python's tarfile and GNU tar write what ustar has no room for.
TEST(TarFormat, LongNamesOfOtherWriters) {
  const std::string name = "folder/" + std::string(200, 'n') + ".jpg";
  const std::string record = " path=" + name + "\n", mtime = "26 mtime=1700000000.123456\n";
  const std::string pax = std::to_string(record.size() + 3) + record + mtime.substr(0, 26);
  EXPECT_EQ(problem_of(entry("PaxHeader", pax, 'x') + entry("short", "abc") + kEnd),
            "a.tar: bad extended tar header at byte 0");
  const std::string good = std::to_string(record.size() + 3) + record + "27 mtime=1700000000.123456\n";
  auto entries = scan(entry("g", "11 a=bcdef\n", 'g') + entry("PaxHeader", good, 'x') +
                      entry("short", "abc") + entry("next", "d") + kEnd);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, name);
  EXPECT_EQ(entries[1].name, "next");
  entries = scan(entry("././@LongLink", name + '\0', 'L') + entry("short", "abc") + kEnd);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].name, name);
}

TEST(TarFormat, EveryTruncationIsNoticed) {
  const std::string archive = entry("a", std::string(600, 'a')) + entry("b", "b");
  EXPECT_EQ(scan(archive + kEnd).size(), 2u);
  EXPECT_EQ(scan(archive + std::string(512, '\0')).size(), 2u);
  for (std::size_t bytes = 0; bytes <= archive.size(); bytes += 64)
    EXPECT_EQ(problem_of(archive.substr(0, bytes)).substr(0, 16), "a.tar: cut short") << bytes;
}

TEST(TarFormat, DamagedHeadersAreRefused) {
  const std::string archive = entry("a", "aaa") + kEnd;
  for (std::size_t byte = 0; byte < 512; ++byte) {
    if (byte == 155) continue;  // behind the end of the checksum's text
    std::string damaged = archive;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 2);
    EXPECT_NE(problem_of(damaged), "") << byte;
  }
  EXPECT_EQ(problem_of(entry("x", "99 path=a\n", 'x') + entry("a", "") + kEnd),
            "a.tar: bad extended tar header at byte 0");
  EXPECT_EQ(problem_of(entry("x", "11 size=-5\n", 'x') + entry("a", "") + kEnd),
            "a.tar: bad size in the tar header at byte 1024");
}

}  // namespace
}  // namespace convoy::data
