// The program abused: each mistake is one line that says what is wrong, the right exit status, and nothing
// half-written.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>

#include "convoy/data/digits.h"
#include "convoy/data/image.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"
#include "tests/support/program.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using testing::ChildProcess;
using testing::ChildResult;
using testing::run_convoy;
using testing::words;

constexpr const char* kSmall = "--train-size 640 --test-size 100 --epochs 1 --quiet";
// Float64 references take some tens of milliseconds a step: slow enough to be caught in the middle of an
// epoch.
constexpr const char* kSlow =
    "--kernels *=reference --threads 1 --batch 16 --train-size 16000 --test-size 20";

std::vector<std::string> command(const std::string& text, const std::vector<std::string>& more = {}) {
  std::vector<std::string> list = words(text);
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void damage(const std::string& path, const std::function<void(std::string&)>& change) {
  std::string bytes = io::read_file(path);
  change(bytes);
  io::TemporaryDirectory scratch;
  fs::copy_file(scratch.write("bytes", bytes), path, fs::copy_options::overwrite_existing);
}

void flip_bit(const std::string& path, std::size_t position) {
  damage(path,
         [position](std::string& bytes) { bytes.at(position) = static_cast<char>(bytes[position] ^ 4); });
}

class BadInput : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.file(name); }
  ChildResult convoy(const std::string& arguments) const {
    return run_convoy(directory_.path(), words(arguments));
  }

  // The line with which the program refuses; what was on the disk must stay as it was.
  std::string refused(const std::string& arguments, int status) const {
    SCOPED_TRACE("convoy " + arguments);
    const auto before = testing::snapshot(directory_.path());
    const std::string line = testing::refusal(convoy(arguments), status);
    EXPECT_EQ(testing::snapshot(directory_.path()), before);
    return line;
  }
  void expect_refused(const std::string& arguments, int status, const std::string& part) const {
    EXPECT_PRED2(contains, refused(arguments, status), part) << "convoy " << arguments;
  }

  // A digit as a picture; its class is `index` % 10.
  void write_digit(const std::string& name, std::int64_t index) const {
    data::Image image{.channels = 1, .height = 28, .width = 28, .pixels = std::vector<std::uint8_t>(784)};
    data::render_digit(1, data::Split::test, index, image.pixels);
    data::save_image(image, path(name));
  }

  io::TemporaryDirectory directory_;
};

// ---- the command line and the settings

struct Mistake {
  const char* arguments;
  const char* part;
};

// Also on a processor that has what is missing: it is hidden.
TEST_F(BadInput, Bf16OnAProcessorWithoutIt) {
  testing::ChildSetup setup = testing::convoy_setup(
      directory_.path(), words("train --precision bf16 --train-size 64 --test-size 10"));
  setup.environment["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE";
  const std::string line = testing::refusal(ChildProcess(std::move(setup)).wait(), 2);
  EXPECT_PRED2(contains, line, "--precision: bf16 needs a processor with avx512_bf16");
  EXPECT_PRED2(contains, line, "--precision float32");
  EXPECT_TRUE(fs::is_empty(directory_.path()) || testing::leftovers(directory_.path()).empty());
}

TEST_F(BadInput, UnknownNamesAndImpossibleValues) {
  const Mistake mistakes[] = {
      {"", "no command"},
      {"tain", "did you mean 'train'?"},
      {"train --epoch 3", "did you mean --epochs?"},
      {"train --model lenet6", "did you mean 'lenet5'?"},
      {"train --data imagenet", "unknown data set 'imagenet'"},
      {"train --train-size 64 --test-size 10 --kernels conv9=reference", "no layer 'conv9'"},
      {"train --train-size 64 --test-size 10 --kernels conv1=fast", "no kernel 'fast'"},
      {"train --kernels conv1", "LAYER=KERNEL"},
      {"train --layout diagonal", "blocked"},
      {"train --optimizer sdg", "did you mean 'sgd'?"},
      {"train --strategy hogwash", "--strategy"},
      {"train --precision half", "one of float32, bf16"},
      {"train --schedule sometimes", "cosine"},
      {"train --augment fold=3", "flip"},
      {"train --epochs 0", "at least 1"},
      {"train --epochs 1.5", "a whole number"},
      {"train --batch 0", "at least 1"},
      {"train --batch 99999999999", "at most"},
      {"train --batch 99999999999999999999999", "a whole number"},
      {"train --learning-rate 0", "above 0"},
      {"train --learning-rate nan", "a number"},
      {"train --learning-rate 1e999", "a number"},
      {"train --momentum 1", "below 1"},
      {"train --weight-decay -1", "at least 0"},
      {"train --seed -1", "at least 0"},
      {"train --threads 5000", "at most 4096"},
      {"train --keep-last 0", "at least 1"},
      {"train --profile --profile-steps 0", "at least 1"},
      {"train --profile-steps 1001", "at most 1000"},
      {"train --train-size 9999999999", "4294967296"},
      {"train --resume auto", "--output"},
      {"eval", "CHECKPOINT"},
      {"predict model", "IMAGE"},
      {"predict model a.png --top 0", "--top"},
      {"inspect lenet5 --only pictures", "--only"},
      {"inspect --model lenet5 mlp", "twice"},
      {"doctor --epochs 3", "--epochs"},
  };
  for (const Mistake& mistake : mistakes) expect_refused(mistake.arguments, 2, mistake.part);
}

TEST_F(BadInput, SettingsFiles) {
  const Mistake mistakes[] = {
      {"[train]\nepoch = 3\n", "f.toml:2"},
      {"[train]\nepoch = 3\n", "epochs"},  // the known key
      {"[trian]\nepochs = 3\n", "f.toml:2"},
      {"[train]\nepochs = \"many\"\n", "epochs"},
      {"[train]\nepochs = 0\n", "at least 1"},
      {"[train]\nlearning_rate = -1.0\n", "above 0"},
      {"[model]\nmodel = 5\n", "model"},
      {"[data]\noffline = 1\n", "offline"},
      {"[output]\nkeep_last = [1, 2]\n", "keep_last"},
  };
  for (const Mistake& mistake : mistakes) {
    directory_.write("f.toml", mistake.arguments);
    expect_refused("train --config f.toml --output run", 2, mistake.part);
  }
  directory_.write("f.toml", "[train\nepochs = 3\n");
  expect_refused("train --config f.toml --output run", 2, "f.toml:1");
  directory_.write("f.toml", std::string("[train]\nseed = \0\n", 17));
  expect_refused("train --config f.toml --output run", 2, "f.toml:2");
  expect_refused("train --config absent.toml --output run", 3, "absent.toml: no such file");
  expect_refused("train --config . --output run", 3, "directory");
}

TEST_F(BadInput, TheEnvironmentIsJudgedLikeFlags) {
  testing::ChildSetup setup = testing::convoy_setup(directory_.path(), words("train --print-config"));
  setup.environment["CONVOY_EPOCHS"] = "few";
  EXPECT_PRED2(contains, testing::refusal(ChildProcess(setup).wait(), 2), "CONVOY_EPOCHS");
}

// ---- data files

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

class BadData : public BadInput {
 protected:
  static constexpr std::uint32_t kCount = 20;

  void SetUp() override { write_mnist(28); }

  void write_mnist(std::uint32_t side) {
    fs::create_directories(path("data/mnist"));
    std::string labels = big_endian(2049) + big_endian(kCount);
    for (std::uint32_t i = 0; i < kCount; ++i) labels += static_cast<char>(i % 10);
    const std::string images = big_endian(2051) + big_endian(kCount) + big_endian(side) + big_endian(side) +
                               std::string(std::size_t{kCount} * side * side, '\x07');
    for (const std::string split : {"train", "t10k"}) {
      directory_.write("data/mnist/" + split + "-images-idx3-ubyte", images);
      directory_.write("data/mnist/" + split + "-labels-idx1-ubyte", labels);
    }
  }
  // Refuses to train, naming the file and the problem.
  void expect_bad(const std::string& file, const std::string& part) {
    const std::string line = refused("train --data mnist --data-dir data --model linear --output run", 3);
    EXPECT_PRED2(contains, line, "data/mnist/" + file);
    EXPECT_PRED2(contains, line, part);
  }
  void change(const std::string& file, const std::function<void(std::string&)>& how) {
    damage(path("data/mnist/" + file), how);
  }
};

// Photographs in folders: DIR/{cat,dog}/N.pgm.
class BadPictures : public BadInput {
 protected:
  static constexpr const char* kTrain =
      "train --model linear --image-size 8 --batch 8 --epochs 2 --quiet --threads 1 --output run --data ";

  void SetUp() override {
    for (const char* name : {"photos/cat", "photos/dog"}) {
      fs::create_directories(path(name));
      for (int i = 0; i < 10; ++i) write_digit(std::string(name) + "/" + std::to_string(i) + ".pgm", i);
    }
  }
  void expect_bad(const std::string& data, const std::string& part, const std::string& more = "") const {
    expect_refused(kTrain + data + more, 3, part);
  }
};

TEST_F(BadPictures, FoldersThatAreNoClasses) {
  expect_bad("folder:absent", "absent: no such directory");
  expect_bad("folder:photos/cat", "photos/cat: no folder in it");
  fs::create_directories(path("photos/empty"));
  expect_bad("folder:photos", "photos/empty: no picture");
  fs::remove(path("photos/empty"));
  fs::remove_all(path("photos/dog"));
  expect_bad("folder:photos", "photos: one class only, 'cat'");
  expect_refused("train --data folder", 2, "folder:PATH");
  expect_refused("train --data folder:photos --fold 6/5", 2, "such as 1/5");
  expect_refused("train --data folder:photos --centre-crop 0", 2, "above 0");
  expect_refused("train --data digits --augment resized_crop", 2, "pictures of one size");
}

// Corrupt, cut and unreadable pictures: named, and passed over up to --max-bad.
TEST_F(BadPictures, BadOnesArePassedOverUpToTheLimit) {
  directory_.write("photos/cat/0.jpg", "\xff\xd8\xff no picture");
  directory_.write("photos/dog/cut.pgm", "P5 28 28 255\nshort");
  fs::create_directory_symlink("nowhere", path("photos/dog/gone.png"));
  const std::string line = testing::refusal(convoy(std::string(kTrain) + "folder:photos --test-share 0"), 3);
  EXPECT_PRED2(contains, line, "photos/");
  EXPECT_PRED2(contains, line, "it is bad example 1, and --max-bad 0 passes over none");
  fs::remove_all(path("run"));
  const ChildResult check = convoy("data check photos --quiet");
  EXPECT_EQ(check.status, 3);
  EXPECT_PRED2(contains, check.err, "photos: 3 of its pictures cannot be read");
  EXPECT_PRED2(contains, check.out, "photos/dog/gone.png: no such file");
  const ChildResult result = convoy(std::string(kTrain) + "folder:photos --test-share 0 --max-bad 3 --json");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_PRED2(contains, result.out, "\"bad_examples\": 3");
}

TEST_F(BadPictures, DamagedShards) {
  EXPECT_EQ(convoy("data pack photos --out packed --shard-size 4K --quiet").status, 0);
  expect_refused("data pack photos --out packed", 2, "packed: exists already");
  expect_refused("data pack photos", 2, "--out");
  expect_refused("data repack photos", 2, "there are pack and check");
  expect_refused("data pack photos --out other --shard-size many", 2, "as in 16M");
  const std::string shard = path("packed/all-000001.tar");
  damage(shard, [](std::string& bytes) { bytes.resize(bytes.size() / 2); });
  expect_bad("shards:packed", "packed/all-000001.tar: cut short");
  fs::remove(path("packed/all.index"));
  expect_bad("shards:packed", "packed/all-000001.tar: cut short");
  expect_bad("shards:packed/none-*.tar", "no such shard");
}

TEST_F(BadPictures, DamagedIndex) {
  EXPECT_EQ(convoy("data pack photos --out packed --quiet").status, 0);
  flip_bit(path("packed/all.index"), io::read_file(path("packed/all.index")).size() - 30);
  expect_bad("shards:packed", "packed/all.index: its records are not those that were written");
}

TEST_F(BadData, WholeFilesAreGood) {  // so that the refusals below have no other cause
  const ChildResult result =
      convoy("train --data mnist --data-dir data --model linear --output run --epochs 1 --batch 10 --json");
  EXPECT_TRUE(testing::json_of(result).find("test_accuracy")->is_number());
}

TEST_F(BadData, Missing) {
  fs::remove(path("data/mnist/train-labels-idx1-ubyte"));
  expect_bad("train-labels-idx1-ubyte", "no such file");
}

TEST_F(BadData, ADirectoryInsteadOfAFile) {
  fs::remove(path("data/mnist/t10k-images-idx3-ubyte"));
  fs::create_directory(path("data/mnist/t10k-images-idx3-ubyte"));
  expect_bad("t10k-images-idx3-ubyte", "file");
}

TEST_F(BadData, Empty) {
  change("train-images-idx3-ubyte", [](std::string& bytes) { bytes.clear(); });
  expect_bad("train-images-idx3-ubyte", "cut short");
}

TEST_F(BadData, Truncated) {
  change("train-images-idx3-ubyte", [](std::string& bytes) { bytes.pop_back(); });
  expect_bad("train-images-idx3-ubyte", "15696 bytes, 15695 bytes found");
}

TEST_F(BadData, OverLong) {
  change("t10k-labels-idx1-ubyte", [](std::string& bytes) { bytes += '\x01'; });
  expect_bad("t10k-labels-idx1-ubyte", "28 bytes, 29 bytes found");
}

TEST_F(BadData, WrongMagic) {
  change("train-images-idx3-ubyte", [](std::string& bytes) { bytes[3] = '\x01'; });
  expect_bad("train-images-idx3-ubyte", "starts with 2049, expected 2051");
}

TEST_F(BadData, HostileCount) {
  change("train-images-idx3-ubyte", [](std::string& bytes) { bytes.replace(4, 4, "\xff\xff\xff\xff"); });
  expect_bad("train-images-idx3-ubyte", "cut short");
}

TEST_F(BadData, ALabelOutOfRange) {
  change("train-labels-idx1-ubyte", [](std::string& bytes) { bytes[8 + 13] = '\x0a'; });
  expect_bad("train-labels-idx1-ubyte", "label 10 at byte 21");
}

TEST_F(BadData, FewerLabelsThanImages) {
  change("train-labels-idx1-ubyte", [](std::string& bytes) {
    bytes.pop_back();
    bytes[7] = static_cast<char>(kCount - 1);
  });
  expect_bad("train-labels-idx1-ubyte", "19 labels for the 20 images");
}

TEST_F(BadData, CorruptGzip) {
  fs::create_directories(path("cache/convoy/unpacked"));  // which unpacking may leave behind, empty
  const std::string name = "train-images-idx3-ubyte";
  ASSERT_EQ(std::system(("gzip " + path("data/mnist/" + name)).c_str()), 0);
  const std::string whole = io::read_file(path("data/mnist/" + name + ".gz"));
  change(name + ".gz", [](std::string& bytes) { bytes.resize(bytes.size() / 2); });
  expect_bad(name + ".gz", "cut short");
  change(name + ".gz", [&](std::string& bytes) {
    bytes = whole;
    bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);  // within the CRC
  });
  expect_bad(name + ".gz", "corrupt");
  change(name + ".gz", [&](std::string& bytes) { bytes = "no gzip at all"; });
  expect_bad(name + ".gz", name);
}

TEST_F(BadData, PicturesOfAnotherSize) {
  write_mnist(14);
  expect_refused("train --data mnist --data-dir data --model lenet5 --output run", 2, "1x14x14");
}

TEST_F(BadData, OfflineSaysWhatToPutWhere) {
  for (const std::string data : {"mnist", "cifar10"}) {
    const std::string line = refused("train --data " + data + " --offline --output run", 3);
    EXPECT_PRED2(contains, line, path("cache/convoy/" + data + "/"));  // where
    EXPECT_PRED2(contains, line, "put the file from http");            // what
  }
}

// ---- checkpoints

// Works on copies of one trained run.
class BadCheckpoint : public BadInput {
 protected:
  static void SetUpTestSuite() {
    trained() = std::make_unique<io::TemporaryDirectory>();
    const ChildResult result =
        run_convoy(trained()->path(),
                   command(std::string("train --model linear --output run --checkpoint-every 5 ") + kSmall));
    ASSERT_EQ(result.status, 0) << result.err;
    ASSERT_EQ(testing::checkpoints_of(trained()->file("run")).size(), 2u);
  }
  static void TearDownTestSuite() { trained().reset(); }
  static std::unique_ptr<io::TemporaryDirectory>& trained() {
    static std::unique_ptr<io::TemporaryDirectory> directory;
    return directory;
  }

  void SetUp() override {
    write_digit("digit.png", 3);
    restore();
  }
  void restore() {
    fs::remove_all(path("run"));
    fs::copy(trained()->file("run"), path("run"), fs::copy_options::recursive);
  }
  std::string entry(const std::string& name) const { return path(kCheckpoint + ("/" + name)); }

  // All commands that read the checkpoint refuse it with this line.
  void expect_bad(const std::string& part, bool needed_without_training = true) {
    const std::string checkpoint = kCheckpoint;
    if (needed_without_training) {
      expect_refused("eval " + checkpoint, 3, part);
      expect_refused("predict " + checkpoint + " digit.png", 3, part);
    }
    expect_refused(std::string("train --model linear --output other --resume ") + kCheckpoint + " " + kSmall,
                   3, part);
  }

  static constexpr const char* kCheckpoint = "run/checkpoints/step-000000010";
};

TEST_F(BadCheckpoint, AWholeOneIsGood) {
  EXPECT_EQ(convoy(std::string("eval ") + kCheckpoint).status, 0);
  EXPECT_EQ(convoy(std::string("predict ") + kCheckpoint + " digit.png").status, 0);
  for (const std::string from : {"run", "run/checkpoints", kCheckpoint}) {
    const ChildResult result =
        convoy("train --model linear --train-size 640 --test-size 100 --epochs 2 --output to-" +
               from.substr(from.size() - 3) + " --resume " + from);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_PRED2(contains, result.err, "after step 10");
  }
}

TEST_F(BadCheckpoint, Weights) {
  const std::string file = entry("weights.safetensors");
  damage(file, [](std::string& bytes) { bytes.resize(bytes.size() - 1); });
  expect_bad("bytes instead of");
  restore();
  damage(file, [](std::string& bytes) { bytes += '\0'; });
  expect_bad("bytes instead of");
  restore();
  flip_bit(file, static_cast<std::size_t>(fs::file_size(file)) - 3);
  expect_bad("weights.safetensors: its checksum");
  restore();
  flip_bit(file, 20);
  expect_bad("weights.safetensors: its checksum");
  restore();
  fs::remove(file);
  expect_bad("weights.safetensors: the file is missing");
  fs::create_directory(file);
  expect_bad("weights.safetensors");
}

TEST_F(BadCheckpoint, OptimizerStateMattersToTrainingAlone) {
  flip_bit(entry("optimizer.safetensors"), 400);
  expect_bad("optimizer.safetensors: its checksum");
}

TEST_F(BadCheckpoint, Manifest) {
  const std::string file = entry("manifest.json");
  const std::string whole = io::read_file(file);
  for (const std::size_t kept : {std::size_t{0}, std::size_t{30}, whole.size() / 2, whole.size() - 1}) {
    damage(file, [&](std::string& bytes) { bytes.resize(kept); });
    expect_bad("manifest.json");
    restore();
  }
  flip_bit(file, whole.find("\"step\": 10") + 8);
  expect_bad("manifest.json: its checksum");
  restore();
  fs::remove(file);
  expect_bad("holds no complete checkpoint");
}

TEST_F(BadCheckpoint, NewerFormat) {
  damage(entry("manifest.json"), [](std::string& bytes) {
    const std::string now = "\"format\": 1";
    bytes.replace(bytes.find(now), now.size(), "\"format\": 2");
  });
  expect_bad("format 2 is newer");
  expect_refused("eval run", 3, "format 2 is newer");
  expect_refused(std::string("train --model linear --output run --resume auto ") + kSmall, 3,
                 "format 2 is newer");
}

TEST_F(BadCheckpoint, OfAnotherModelOrRule) {
  const std::string resume = std::string(" --output other --resume ") + kCheckpoint + " " + kSmall;
  expect_refused("train --model mlp" + resume, 3, "linear");
  expect_refused("train --model linear --optimizer adam" + resume, 3, "momentum, not adam");
  expect_refused("train --model linear --seed 2" + resume, 2, "--seed 1, not 2");
}

TEST_F(BadCheckpoint, DataOfAnotherShape) {
  directory_.write("data/cifar10/test_batch.bin", "");
  fs::resize_file(path("data/cifar10/test_batch.bin"), 30730000);  // black aeroplanes, no disk space
  expect_refused(std::string("eval --data cifar10 --data-dir data ") + kCheckpoint, 2, "3x32x32");
}

TEST_F(BadCheckpoint, PathsThatAreNone) {
  directory_.write("file", "text");
  fs::create_directory(path("empty"));
  for (const std::string what : {"nowhere", "file", "empty"}) {
    expect_refused("eval " + what, 3, what);
    expect_refused("predict " + what + " digit.png", 3, what);
    expect_refused(std::string("train --output other --resume ") + what + " " + kSmall, 3, what);
  }
}

TEST_F(BadCheckpoint, ADamagedNewestIsPassedOver) {
  flip_bit(entry("weights.safetensors"), 1000);
  const ChildResult evaluated = convoy("eval run");
  EXPECT_EQ(evaluated.status, 0);
  EXPECT_PRED2(contains, evaluated.err, "passing over a checkpoint");
  const ChildResult resumed =
      convoy(std::string("train --model linear --output run --resume auto ") + kSmall);
  EXPECT_EQ(resumed.status, 0);
  EXPECT_PRED2(contains, resumed.err, "after step 5");
  EXPECT_EQ(
      io::read_file(entry("weights.safetensors")),
      io::read_file(trained()->file(entry("weights.safetensors").substr(directory_.path().size() + 1))));
}

TEST_F(BadCheckpoint, WhereAllAreDamagedTrainingDoesNotBeginAnewUnasked) {
  for (const std::string& checkpoint : testing::checkpoints_of(path("run")))
    flip_bit(checkpoint + "/weights.safetensors", 1000);
  const auto before = testing::snapshot(path("run"));
  const ChildResult result = convoy(std::string("train --model linear --output run --resume auto ") + kSmall);
  EXPECT_EQ(result.status, 3);
  EXPECT_PRED2(contains, result.err, "convoy: run/checkpoints: none of its checkpoints is complete");
  EXPECT_EQ(testing::snapshot(path("run")), before);
}

TEST_F(BadCheckpoint, ADirectoryWithARunIsNotTakenUnasked) {
  expect_refused(std::string("train --model linear --output run ") + kSmall, 2, "--resume auto");
  // Nor by a run that begins where another one ended; going back within the same run is wanted.
  fs::copy(path("run"), path("mine"), fs::copy_options::recursive);
  expect_refused(std::string("train --model linear --output mine --resume ") + kCheckpoint + " " + kSmall, 2,
                 "--resume auto");
  EXPECT_EQ(convoy(std::string("train --model linear --output mine --resume "
                               "mine/checkpoints/step-000000005 ") +
                   kSmall)
                .status,
            0);
}

// ---- pictures

TEST_F(BadCheckpoint, PicturesThatAreNone) {
  const std::string png = io::read_file(path("digit.png"));
  directory_.write("text.png", "this is no picture\n");
  directory_.write("empty.png", "");
  directory_.write("cut.png", png.substr(0, png.size() / 2));
  std::string flipped = png;
  flipped[png.size() / 2] = static_cast<char>(flipped[png.size() / 2] ^ 16);
  directory_.write("flipped.png", flipped);
  directory_.write("cut.pgm", "P5 28 28 255\nabc");
  directory_.write("huge.pgm", "P5 999999999 999999999 255\nabc");
  directory_.write("cut.jpg", "\xff\xd8\xff\xe0");
  fs::create_directory(path("directory.png"));
  for (const std::string name : {"text.png", "empty.png", "cut.png", "flipped.png", "cut.pgm", "huge.pgm",
                                 "cut.jpg", "directory.png", "absent.png"})
    // A good picture before it does not make half an answer.
    expect_refused("predict run digit.png " + name, 3, name + ": ");
}

// ---- disks

TEST_F(BadInput, DirectoriesThatCannotBeWritten) {
  directory_.write("file", "text");
  for (const std::string output : {"/proc/self", "/proc/convoy", "file", "file/below", "/dev/null"})
    expect_refused("train --model linear --output " + output + " " + kSmall, 1,
                   output == "file/below" ? "file: " : output);
}

// ThreadSanitizer keeps its own memory in a file and dies of the limit.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CONVOY_RUNTIME_NEEDS_FILES
#endif
#endif
#ifndef CONVOY_RUNTIME_NEEDS_FILES
TEST_F(BadInput, ALimitOfTheSizeOfFiles) {
  testing::ChildSetup setup =
      testing::convoy_setup(directory_.path(), command(std::string("train --output run ") + kSmall));
  setup.file_limit_bytes = 100'000;  // less than the weights of LeNet-5
  EXPECT_PRED2(contains, testing::refusal(ChildProcess(setup).wait(), 1), "File too large");
  EXPECT_EQ(testing::leftovers(directory_.path()), std::vector<std::string>{});
  EXPECT_TRUE(testing::checkpoints_of(path("run")).empty());
  EXPECT_FALSE(fs::exists(path("run/checkpoints/latest")));
}
#endif

// A small disk of its own for its lifetime, where the system lets this process mount one.
class SmallDisk {
 public:
  SmallDisk(const std::string& place, const std::string& size) : place_(place) {
    fs::create_directories(place);
    mounted_ = ::mount("convoy-test", place.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(place_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string place_;
  bool mounted_ = false;
};

TEST_F(BadInput, AFullDiskKeepsTheLastGoodCheckpoint) {
  const std::string train =
      "train --output disk/run --epochs 5 --keep-last 5 --train-size 640 --test-size 100 --quiet";
  const SmallDisk disk(path("disk"), "1300k");  // two checkpoints of LeNet-5, not three
  testing::ChildSetup setup = testing::convoy_setup(directory_.path(), words(train));
  // Without the right to mount, the first file that does not fit stands for the full disk.
  if (!disk.mounted()) setup.file_limit_bytes = 100'000;
  const std::string line = testing::refusal(ChildProcess(setup).wait(), 1);
  EXPECT_PRED2(contains, line, disk.mounted() ? "No space left on device" : "File too large");
  EXPECT_EQ(testing::leftovers(path("disk")), std::vector<std::string>{});
  const auto kept = testing::checkpoints_of(path("disk/run"));
  ASSERT_EQ(kept.size(), disk.mounted() ? 2u : 0u);
  for (const std::string& checkpoint : kept)
    EXPECT_EQ(run_convoy(directory_.path(), {"eval", checkpoint}).status, 0) << checkpoint;
  if (disk.mounted()) {
    EXPECT_EQ(convoy("eval disk/run").status, 0);
  }
}

// ---- numbers that leave the finite

TEST_F(BadInput, NanLossKeepsTheLastGoodCheckpoint) {
  ASSERT_EQ(convoy(std::string("train --output run ") + kSmall).status, 0);
  const ChildResult before = convoy("eval run --json");
  const auto checkpoints = testing::checkpoints_of(path("run"));
  ASSERT_EQ(checkpoints.size(), 1u);
  const auto snapshot = testing::snapshot(path("run/checkpoints"));
  const ChildResult diverged = convoy(
      "train --output run --resume auto --epochs 3 --learning-rate 1e30 --train-size 640 --test-size 100 "
      "--quiet");
  EXPECT_EQ(diverged.status, 4);
  EXPECT_EQ(diverged.out, "");
  const std::string last = diverged.err.substr(diverged.err.rfind("convoy: "));
  EXPECT_PRED2(contains, last, "nan");
  EXPECT_PRED2(contains, last, "lower the");
  EXPECT_EQ(testing::snapshot(path("run/checkpoints")), snapshot);
  EXPECT_EQ(testing::leftovers(directory_.path()), std::vector<std::string>{});
  const ChildResult after = convoy("eval run --json");
  EXPECT_EQ(after.status, 0) << after.err;
  EXPECT_EQ(after.out, before.out);
}

TEST_F(BadInput, DivergenceFromTheStartLeavesNoCheckpoint) {
  const std::string line =
      testing::refusal(convoy(std::string("train --output run --learning-rate 1e30 ") + kSmall), 4);
  EXPECT_PRED2(contains, line, "step 2");
  EXPECT_TRUE(testing::checkpoints_of(path("run")).empty());
}

// ---- signals

class Signals : public BadInput {
 protected:
  static constexpr std::int64_t kStepsPerEpoch = 1000;  // of kSlow

  testing::ChildSetup slow_run(const std::string& more = "") const {
    return testing::convoy_setup(directory_.path(),
                                 command(std::string("train --output run ") + kSlow + " " + more));
  }
  void expect_interrupted_by(int signal) {
    ChildProcess child(slow_run("--json"));
    testing::wait_for_step(child, path("run"), 10);
    child.send(signal);
    const ChildResult result = child.wait();
    EXPECT_EQ(result.status, 75) << result.err;
    EXPECT_TRUE(io::parse_json(result.out, "stdout").find("interrupted")->as_bool());
    const auto checkpoints = testing::checkpoints_of(path("run"));
    ASSERT_EQ(checkpoints.size(), 1u);
    const std::int64_t step = testing::step_of(checkpoints[0]);
    EXPECT_GE(step, 10);
    EXPECT_LT(step, kStepsPerEpoch);  // in the middle of the first epoch
    EXPECT_EQ(io::parse_json(result.out, "stdout").find("steps")->as_int64(), step);
    EXPECT_EQ(testing::leftovers(directory_.path()), std::vector<std::string>{});
    EXPECT_EQ(run_convoy(directory_.path(), {"eval", "run"}).status, 0);
  }
  // A step of seconds is interrupted twice by `signal`.
  void expect_ended_at_once_by(int signal) {
    ChildProcess child(testing::convoy_setup(
        directory_.path(),
        words("train --output run --kernels *=reference --threads 1 --batch 2000 --train-size 20000 "
              "--test-size 20 --loader-workers 0")));
    child.wait_for_err("run directory run");
    ::usleep(100'000);  // into the first step
    child.send(signal);
    ::usleep(100'000);
    EXPECT_FALSE(child.has_ended());  // finishes the step
    child.send(signal);
    const ChildResult result = child.wait();
    EXPECT_EQ(result.status, 128 + signal) << result.err;
    EXPECT_TRUE(testing::checkpoints_of(path("run")).empty());
    EXPECT_TRUE(testing::metrics_of(path("run")).empty());  // not even the step was done
  }
};

TEST_F(Signals, InterruptSavesAndEnds) { expect_interrupted_by(SIGINT); }
TEST_F(Signals, TerminateSavesAndEnds) { expect_interrupted_by(SIGTERM); }
TEST_F(Signals, ASecondInterruptEndsAtOnce) { expect_ended_at_once_by(SIGINT); }
TEST_F(Signals, ASecondTerminateEndsAtOnce) { expect_ended_at_once_by(SIGTERM); }

TEST_F(Signals, AnInterruptedRunSaysHowToGoOn) {
  ChildProcess child(slow_run());
  testing::wait_for_step(child, path("run"), 10);
  child.send(SIGINT);
  EXPECT_PRED2(contains, child.wait().out,
               "convoy train --config run/config.toml --output run --resume auto");
}

TEST_F(Signals, User1SavesAndGoesOn) {
  ChildProcess child(slow_run());
  testing::wait_for_step(child, path("run"), 10);
  child.send(SIGUSR1);
  std::int64_t reported = 10;
  while (testing::checkpoints_of(path("run")).empty()) testing::wait_for_step(child, path("run"), ++reported);
  const auto first = testing::checkpoints_of(path("run"));
  ASSERT_EQ(first.size(), 1u);
  testing::wait_for_step(child, path("run"), testing::step_of(first[0]) + 10);  // it goes on
  EXPECT_EQ(run_convoy(directory_.path(), {"eval", first[0]}).status, 0);       // while others read it
  child.send(SIGINT);
  EXPECT_EQ(child.wait().status, 75);
  const auto all = testing::checkpoints_of(path("run"));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_GE(testing::step_of(all[1]), testing::step_of(all[0]) + 10);
}

// A handler's frame on the stack of a thread that computes would overwrite what oneDNN's kernels let the
// stack pointer point to, once in some fifty signals.
TEST_F(Signals, HundredsDoNotDisturbTheResult) {
  const std::string train = "train --train-size 6400 --epochs 1 --test-size 20 --quiet --output ";
  ASSERT_EQ(convoy(train + "calm").status, 0);
  ChildProcess child(testing::convoy_setup(directory_.path(), words(train + "disturbed")));
  testing::wait_for_step(child, path("disturbed"), 1);
  int sent = 0;
  for (; !child.has_ended(); ++sent) {
    child.send(SIGUSR1);
    ::usleep(1000);
  }
  const ChildResult result = child.wait();
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_GT(sent, 50);
  const std::string weights = "/checkpoints/step-000000100/weights.safetensors";
  EXPECT_TRUE(io::read_file(path("calm" + weights)) == io::read_file(path("disturbed" + weights)));
}

TEST_F(Signals, TwoRunsInOneDirectory) {
  ChildProcess first(slow_run());
  testing::wait_for_step(first, path("run"), 10);
  for (const std::string resume : {"auto", "never"}) {
    const std::string line =
        testing::refusal(convoy(std::string("train --output run --resume ") + resume + " " + kSmall), 2);
    EXPECT_PRED2(contains, line, "process " + std::to_string(first.pid()));
  }
  EXPECT_FALSE(first.has_ended());
  first.send(SIGINT);
  EXPECT_EQ(first.wait().status, 75);
  EXPECT_EQ(convoy("eval run").status, 0);
  std::set<std::int64_t> steps;
  for (const io::Json& row : testing::metrics_of(path("run")))
    EXPECT_TRUE(steps.insert(row.find("step")->as_int64()).second);
}

// ---- standard output that nobody reads

TEST_F(BadCheckpoint, BrokenPipes) {
  for (const std::string& arguments :
       {std::string("--help"), std::string("inspect lenet5"), std::string("doctor --json"),
        std::string("eval run"), std::string("predict run digit.png"),
        std::string("train --model linear --output piped --json ") + kSmall}) {
    testing::ChildSetup setup = testing::convoy_setup(directory_.path(), words(arguments));
    setup.broken_output = true;
    const std::string line = testing::refusal(ChildProcess(setup).wait(), 1);
    EXPECT_PRED2(contains, line, "standard output") << arguments;
  }
  EXPECT_EQ(convoy("eval piped").status, 0);  // the training itself is safe
}

}  // namespace
}  // namespace convoy
