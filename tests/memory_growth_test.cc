// Training from files does not need more memory for more data.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "convoy/base/check.h"
#include "convoy/base/process_memory.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/run/training.h"

namespace convoy {
namespace {

constexpr std::int64_t kExamples = 15'000;
constexpr std::int64_t kPixels = 784;
// What a data set four times as large must not cost: the kernel counts a thread's pages in lumps of 64 (three
// threads: 768 KiB), and allocations fall differently from run to run. The data itself grows by 34 MiB.
constexpr std::int64_t kTolerance_bytes = std::int64_t{2} << 20;

std::string big_endian(std::int64_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((value >> shift) & 0xff);
  return bytes;
}

// One split in MNIST's format: images that depend on their class and index, classes in turn.
void write_split(const std::string& directory, const std::string& prefix, std::int64_t count) {
  std::ofstream images(directory + "/" + prefix + "-images-idx3-ubyte", std::ios::binary);
  std::ofstream labels(directory + "/" + prefix + "-labels-idx1-ubyte", std::ios::binary);
  images << big_endian(0x803) << big_endian(count) << big_endian(28) << big_endian(28);
  labels << big_endian(0x801) << big_endian(count);
  std::string image(kPixels, '\0');
  for (std::int64_t n = 0; n < count; ++n) {
    for (std::int64_t i = 0; i < kPixels; ++i)
      image[static_cast<std::size_t>(i)] = static_cast<char>((i * (n % 10 + 1) + n / 10) & 0xff);
    images << image;
    labels << static_cast<char>(n % 10);
  }
  CONVOY_CHECK(images.good() && labels.good(), "cannot write ", directory);
}

struct Experiment {
  std::int64_t examples = 0;
  bool hold_the_file = false;  // as a reader would that loads everything
};

// One epoch over that many examples; returns the peak memory.
std::int64_t train_once(const io::TemporaryDirectory& folder, const Experiment& experiment) {
  std::string held;
  if (experiment.hold_the_file) held = io::read_file(folder.file("mnist/train-images-idx3-ubyte"));
  run::ResolvedConfig config;
  config.config.model = "linear";
  config.config.data = "mnist";
  config.config.data_dir = folder.path();
  config.config.offline = true;
  config.config.epochs = 1;
  config.config.threads = 1;
  config.config.tune = "off";
  config.config.learning_rate = 0.001;
  config.config.output = folder.file("run");
  base::StopToken stop;
  const run::TrainResult result = run::train(config, {}, stop);
  const std::int64_t steps = (experiment.examples + config.config.batch - 1) / config.config.batch;
  CONVOY_CHECK(result.outcome.steps == steps, result.outcome.steps, " steps");
  CONVOY_CHECK(held.empty() == !experiment.hold_the_file);
  return base::peak_memory_bytes();
}

// The same in a child process, whose peak starts anew. Called before this process has other threads.
std::int64_t peak_memory_of(const Experiment& experiment) {
  const io::TemporaryDirectory folder;
  io::make_directories(folder.file("mnist"));
  write_split(folder.file("mnist"), "train", experiment.examples);
  write_split(folder.file("mnist"), "t10k", 500);
  int ends[2];
  CONVOY_CHECK(::pipe(ends) == 0, "errno ", errno);
  const pid_t child = ::fork();
  CONVOY_CHECK(child >= 0, "errno ", errno);
  if (child == 0) {
    std::int64_t peak = -1;
    try {
      peak = train_once(folder, experiment);
    } catch (const std::exception& error) {
      std::cerr << error.what() << '\n';
    }
    const bool written = ::write(ends[1], &peak, sizeof peak) == sizeof peak;
    ::_exit(peak > 0 && written ? 0 : 1);  // no destructors: the folder is the parent's
  }
  ::close(ends[1]);
  std::int64_t peak = 0;
  const ssize_t got = ::read(ends[0], &peak, sizeof peak);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  EXPECT_EQ(status, 0);
  EXPECT_EQ(got, static_cast<ssize_t>(sizeof peak));
  return peak;
}

TEST(MemoryGrowth, FourTimesTheExamplesTakeNoMoreMemory) {
  const std::int64_t small = peak_memory_of({.examples = kExamples});
  const std::int64_t large = peak_memory_of({.examples = 4 * kExamples});
  std::cout << "peak memory with " << kExamples << " examples " << small / 1024 << " KiB, with "
            << 4 * kExamples << " " << large / 1024 << " KiB\n";
  EXPECT_GT(small, 0);
  EXPECT_LT(large - small, kTolerance_bytes);
}

TEST(MemoryGrowth, AReaderThatLoadsEverythingIsCaught) {
  const std::int64_t small = peak_memory_of({.examples = kExamples, .hold_the_file = true});
  const std::int64_t large = peak_memory_of({.examples = 4 * kExamples, .hold_the_file = true});
  EXPECT_GE(large - small, kTolerance_bytes);
}

}  // namespace
}  // namespace convoy
