#include "convoy/io/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <vector>

#include "convoy/base/error.h"
#include "convoy/io/directory_lock.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::io {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> entries(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// Runs the action, which must throw FileError, and gives the error's number.
template <class Action>
int file_error_of(Action&& action) {
  try {
    action();
  } catch (const base::FileError& error) {
    return error.error_number();
  }
  return 0;
}

int failing(int error_number) {
  errno = error_number;
  return -1;
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  const TemporaryDirectory dir;
  AtomicFile file(dir.file("a"));
  file.write("hello ");
  file.write("world");
  EXPECT_FALSE(file_exists(dir.file("a")));
  file.commit();
  EXPECT_EQ(read_file(dir.file("a")), "hello world");
  EXPECT_EQ(file.size_bytes(), 11);
  EXPECT_EQ(entries(dir.path()), std::vector<std::string>{"a"});
}

TEST(AtomicFile, WithoutCommitTheOldFileStays) {
  const TemporaryDirectory dir;
  dir.write("a", "old");
  {
    AtomicFile file(dir.file("a"));
    file.write("new");
    EXPECT_EQ(entries(dir.path()).size(), 2u);
  }
  EXPECT_EQ(read_file(dir.file("a")), "old");
  EXPECT_EQ(entries(dir.path()), std::vector<std::string>{"a"});
}

TEST(AtomicFile, TwoWritersOfOneFileDoNotMix) {
  const TemporaryDirectory dir;
  AtomicFile first(dir.file("a")), second(dir.file("a"));
  first.write("first");
  second.write("second!");
  second.commit();
  EXPECT_EQ(read_file(dir.file("a")), "second!");
  first.commit();
  EXPECT_EQ(read_file(dir.file("a")), "first");
}

TEST(AtomicFile, ShortWritesAndInterruptionsAreContinued) {
  const TemporaryDirectory dir;
  int calls = 0;
  FileCalls slow;
  slow.write = [&](int descriptor, const void* data, std::size_t bytes) -> ssize_t {
    if (++calls % 2 == 1) return failing(EINTR);
    return ::write(descriptor, data, std::min<std::size_t>(bytes, 3));
  };
  write_file_atomically(dir.file("a"), "0123456789", slow);
  EXPECT_EQ(read_file(dir.file("a")), "0123456789");
  EXPECT_EQ(calls, 8);
}

// One fault at a time, each of which must leave the old file and nothing else.
void expect_untouched(const FileCalls& calls, int expected_errno) {
  const TemporaryDirectory dir;
  dir.write("a", "old");
  EXPECT_EQ(file_error_of([&] { write_file_atomically(dir.file("a"), "new content", calls); }),
            expected_errno);
  EXPECT_EQ(read_file(dir.file("a")), "old");
  EXPECT_EQ(entries(dir.path()), std::vector<std::string>{"a"});
}

TEST(AtomicFile, FullDiskLeavesNothing) {
  FileCalls full;
  full.write = [left = 5](int descriptor, const void* data, std::size_t bytes) mutable -> ssize_t {
    if (left == 0) return failing(ENOSPC);
    const ssize_t written =
        ::write(descriptor, data, std::min<std::size_t>(bytes, static_cast<std::size_t>(left)));
    left -= static_cast<int>(written);
    return written;
  };
  expect_untouched(full, ENOSPC);
}

TEST(AtomicFile, FailedSyncLeavesNothing) {
  FileCalls broken;
  broken.sync = [](int) { return failing(EIO); };
  expect_untouched(broken, EIO);
}

TEST(AtomicFile, FailedRenameLeavesNothing) {
  FileCalls broken;
  broken.rename = [](const char*, const char*) { return failing(EROFS); };
  expect_untouched(broken, EROFS);
}

TEST(AtomicFile, FileSizeLimitOfTheSystemLeavesNothing) {
  const TemporaryDirectory dir;
  // In a child: the limit holds for the whole process. The exit status tells what happened.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(file_error_of([&] { write_file_atomically(dir.file("a"), std::string(5000, 'x')); }) == EFBIG
                ? 7
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_TRUE(entries(dir.path()).empty());
}

TEST(AtomicFile, MissingDirectoryIsNamed) {
  const TemporaryDirectory dir;
  try {
    AtomicFile file(dir.file("no/such/a"));
    FAIL() << "no error";
  } catch (const base::FileError& error) {
    EXPECT_EQ(std::string(error.what()),
              dir.file("no/such/a") + ": cannot create: No such file or directory");
    EXPECT_EQ(error.exit_code(), base::ExitCode::failure);
  }
}

TEST(AtomicFile, ReadOnlyDirectoryIsRefused) {
  if (::geteuid() == 0) {
    // Permissions do not bind root: /proc refuses even it.
    EXPECT_NE(file_error_of([] { write_file_atomically("/proc/convoy-test", "x"); }), 0);
    EXPECT_NE(file_error_of([] { prepare_output_directory("/proc/convoy-test"); }), 0);
    return;
  }
  const TemporaryDirectory dir;
  fs::permissions(dir.path(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(file_error_of([&] { write_file_atomically(dir.file("a"), "x"); }), EACCES);
  EXPECT_EQ(file_error_of([&] { prepare_output_directory(dir.path()); }), EACCES);
  fs::permissions(dir.path(), fs::perms::owner_all);
}

TEST(AtomicDirectory, AppearsOnCommitOnly) {
  const TemporaryDirectory dir;
  AtomicDirectory step(dir.file("step-1"));
  write_file_atomically(join_path(step.path(), "weights"), "w");
  fs::create_directory(step.path() + "/sub");
  write_file_atomically(join_path(step.path(), "sub/more"), "m");
  EXPECT_FALSE(fs::exists(dir.file("step-1")));
  step.commit();
  EXPECT_EQ(entries(dir.path()), std::vector<std::string>{"step-1"});
  EXPECT_EQ(read_file(dir.file("step-1/weights")), "w");
  EXPECT_EQ(read_file(dir.file("step-1/sub/more")), "m");
}

TEST(AtomicDirectory, ReplacesAnOlderOneWhole) {
  const TemporaryDirectory dir;
  dir.write("step-1/old", "o");
  AtomicDirectory step(dir.file("step-1/"));
  write_file_atomically(join_path(step.path(), "new"), "n");
  step.commit();
  EXPECT_EQ(entries(dir.path()), std::vector<std::string>{"step-1"});
  EXPECT_EQ(entries(dir.file("step-1")), std::vector<std::string>{"new"});
}

TEST(AtomicDirectory, EveryFaultLeavesNothing) {
  FileCalls no_sync, no_rename;
  no_sync.sync = [](int) { return failing(EIO); };
  no_rename.rename = [](const char*, const char*) { return failing(EACCES); };
  for (const auto& [calls, expected] : {std::pair(no_sync, EIO), std::pair(no_rename, EACCES)}) {
    const TemporaryDirectory dir;
    AtomicDirectory step(dir.file("step-1"), calls);
    write_file_atomically(join_path(step.path(), "weights"), "w");
    EXPECT_EQ(file_error_of([&] { step.commit(); }), expected);
    EXPECT_TRUE(entries(dir.path()).empty());
  }
}

TEST(AtomicDirectory, WithoutCommitNothingStays) {
  const TemporaryDirectory dir;
  { const AtomicDirectory step(dir.file("step-1")); }
  EXPECT_TRUE(entries(dir.path()).empty());
}

TEST(AbandonedTemporaries, OnlyThoseOfDeadProcessesGo) {
  const TemporaryDirectory dir;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::string dead = ".weights.tmp-" + std::to_string(child) + "-0";
  const std::string alive = ".weights.tmp-" + std::to_string(::getpid()) + "-0";
  dir.write(dead, "x");
  dir.write(".step-1.tmp-" + std::to_string(child) + "-12/weights", "x");
  for (const std::string& name : {alive, std::string(".weights.tmp-x-0"), std::string("plain.tmp-1-0")})
    dir.write(name, "");
  EXPECT_EQ(remove_abandoned_temporaries(dir.path()), 2);
  EXPECT_EQ(entries(dir.path()).size(), 3u);
  EXPECT_TRUE(file_exists(dir.file(alive)));
  EXPECT_FALSE(file_exists(dir.file(dead)));
}

TEST(DirectoryLock, SecondHolderIsRefusedByPid) {
  const TemporaryDirectory dir;
  auto first = DirectoryLock::acquire(dir.path());
  ASSERT_TRUE(first.ok());
  const auto second = DirectoryLock::acquire(dir.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.reason().text, dir.path() + ": in use by process " + std::to_string(::getpid()) +
                                      "; give another directory or wait until it ends");
}

TEST(DirectoryLock, IsFreeAgainAfterTheHolder) {
  const TemporaryDirectory dir;
  {
    auto first = DirectoryLock::acquire(dir.path());
    ASSERT_TRUE(first.ok());
    const DirectoryLock moved = std::move(first).value();
    EXPECT_FALSE(DirectoryLock::acquire(dir.path()).ok());
  }
  EXPECT_TRUE(DirectoryLock::acquire(dir.path()).ok());
}

TEST(DirectoryLock, DiesWithItsProcess) {
  const TemporaryDirectory dir;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = DirectoryLock::acquire(dir.path());
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(DirectoryLock::acquire(dir.path()).ok());
}

TEST(DirectoryLock, MissingDirectoryIsAFileError) {
  EXPECT_EQ(file_error_of([] { static_cast<void>(DirectoryLock::acquire("/no/such/place")); }), ENOENT);
}

}  // namespace
}  // namespace convoy::io
