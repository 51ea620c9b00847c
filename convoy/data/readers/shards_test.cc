// Packing pictures into shards, and reading them back.
#include "convoy/data/readers/shards.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "convoy/base/error.h"
#include "convoy/data/image.h"
#include "convoy/data/readers/folder.h"
#include "convoy/data/shard_pack.h"
#include "convoy/data/tar_format.h"
#include "convoy/io/file.h"
#include "convoy/io/temporary_directory.h"

namespace convoy::data {
namespace {

namespace fs = std::filesystem;

template <class Action>
std::string problem_of(Action&& action) {
  try {
    action();
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "(no problem)";
}

class Shards : public testing::Test {
 protected:
  static constexpr int kPerClass = 12;

  // DIR/photos/{train,val}/{cat,dog,eel}/N.ppm, each of one grey value.
  void SetUp() override {
    int value = 0;
    for (const char* part : {"train", "val"})
      for (const char* name : {"cat", "dog", "eel"}) {
        fs::create_directories(directory_.file(base::str("photos/", part, "/", name)));
        for (int i = 0; i < (part[0] == 't' ? kPerClass : 2); ++i) {
          const Image image{.channels = 1,
                            .height = 5,
                            .width = 7,
                            .pixels = std::vector<std::uint8_t>(35, static_cast<std::uint8_t>(value += 3))};
          directory_.write(base::str("photos/", part, "/", name, "/", i, ".x.ppm"), encode_pnm(image));
        }
      }
  }

  PackResult pack(const std::string& output, std::int64_t shard_bytes = 6000) const {
    return pack_shards(find_folder_parts(directory_.file("photos")),
                       {.output = directory_.file(output), .shard_bytes = shard_bytes}, {});
  }
  std::unique_ptr<Dataset> open(const std::string& name, DatasetRequest request = {}) const {
    request.image_size = 4;
    return open_dataset(name, request);
  }
  std::string problem(const std::string& name) const {
    std::string text = problem_of([&] {
      const auto set = open("shards:" + directory_.file(name));
      read_all(*set);
    });
    for (std::size_t at; (at = text.find(directory_.path())) != std::string::npos;)
      text.replace(at, directory_.path().size(), "DIR");
    return text;
  }

  using Example = std::pair<std::int32_t, std::uint8_t>;
  static std::vector<Example> read_all(const Dataset& set) {
    std::vector<Example> all;
    std::vector<std::uint8_t> pixels(48);
    for (std::int64_t i = 0; i < set.info().size; ++i) {
      const std::int32_t label = set.read(i, pixels);
      all.emplace_back(label, pixels[0]);
    }
    return all;
  }

  void change(const std::string& name, const std::function<void(std::string&)>& how) const {
    std::string bytes = io::read_file(directory_.file(name));
    how(bytes);
    directory_.write(name, bytes);
  }

  io::TemporaryDirectory directory_;
};

// An example has the same index in shards as in the folder they were made of, in every part and fold: so a
// run on the one is the run on the other, bit by bit.
TEST_F(Shards, HoldTheFoldersExamplesInItsOrder) {
  const PackResult result = pack("packed");
  ASSERT_EQ(result.parts.size(), 2u);
  EXPECT_EQ(result.parts[0].name, "train");
  EXPECT_EQ(result.parts[0].pictures, 3 * kPerClass);
  EXPECT_GT(result.parts[0].shards, 5);
  EXPECT_EQ(result.parts[1].name, "val");
  const std::string folder = "folder:" + directory_.file("photos"),
                    shards = "shards:" + directory_.file("packed");
  for (const DatasetRequest& request : std::vector<DatasetRequest>{
           {}, {.split = Split::test}, {.fold = {2, 3}}, {.split = Split::test, .fold = {2, 3}}}) {
    const auto a = open(folder, request), b = open(shards, request);
    EXPECT_EQ(a->info().class_names, b->info().class_names);
    EXPECT_EQ(read_all(*a), read_all(*b));
  }
  EXPECT_EQ(describe_dataset(shards, {}).classes, 3);
}

// Whoever reads a shard from front to back meets pictures with their classes, and all classes soon.
TEST_F(Shards, AreWhatOtherReadersExpect) {
  pack("packed", 1 << 20);
  std::vector<TarEntry> entries;
  const auto file = io::open_file(directory_.file("packed/train-000000.tar"));
  scan_tar(*file, [&](const TarEntry& entry) { entries.push_back(entry); });
  ASSERT_EQ(entries.size(), 6u * kPerClass);
  std::set<std::string> keys;
  const std::map<std::string, char> classes{{"cat", '0'}, {"dog", '1'}, {"eel", '2'}};
  std::set<std::string> first_classes;
  for (std::size_t i = 0; i < entries.size(); i += 2) {
    const std::string key = entries[i].name.substr(0, entries[i].name.find('.'));
    EXPECT_TRUE(keys.insert(key).second) << key;
    EXPECT_EQ(entries[i].name, key + ".ppm");
    EXPECT_EQ(entries[i + 1].name, key + ".cls");
    char label = ' ';
    ASSERT_EQ(entries[i + 1].size_bytes, 1);
    file->read_at(entries[i + 1].offset_bytes, std::as_writable_bytes(std::span(&label, 1)));
    const std::string class_name = key.substr(0, key.find('/'));
    EXPECT_EQ(label, classes.at(class_name)) << key;
    if (i < 20) first_classes.insert(class_name);
  }
  EXPECT_EQ(first_classes.size(), 3u);
}

TEST_F(Shards, WithoutAnIndexHoldTheSameExamples) {
  pack("packed");
  const auto indexed = open("shards:" + directory_.file("packed"));
  const std::vector<Example> expected = read_all(*indexed);
  for (const char* name : {"train", "val"}) fs::remove(directory_.file(base::str("packed/", name, ".index")));
  const auto plain = open("shards:" + directory_.file("packed"));
  EXPECT_EQ(plain->info().class_names, (std::vector<std::string>{"0", "1", "2"}));
  const std::vector<Example> found = read_all(*plain);
  EXPECT_EQ(std::multiset<Example>(found.begin(), found.end()),
            std::multiset<Example>(expected.begin(), expected.end()));
  const auto two = open("shards:" + directory_.file("packed/train-{000000..000001}.tar"), {.test_share = 0});
  const auto star = open("shards:" + directory_.file("packed/train-00000[01].tar"), {.test_share = 0});
  EXPECT_EQ(read_all(*two), read_all(*star));
  EXPECT_THROW(open("shards:" + directory_.file("packed/train-{5..3}.tar")), base::UsageError);
  EXPECT_EQ(problem("packed/none-*.tar"), "DIR/packed/none-*.tar: no such shard");
}

TEST_F(Shards, KeysThatWouldBeAlikeAreNumbered) {
  const std::string bytes = io::read_file(directory_.file("photos/train/cat/0.x.ppm"));
  directory_.write("photos/train/cat/0_x.ppm", bytes);
  directory_.write("photos/train/cat/0.x.pnm", bytes);
  pack("packed");
  fs::remove(directory_.file("packed/train.index"));
  EXPECT_EQ(open("shards:" + directory_.file("packed"))->info().size, 3 * kPerClass + 2);
}

TEST_F(Shards, ExistingOutputIsRefusedAndAStopLeavesNothing) {
  fs::create_directory(directory_.file("there"));
  EXPECT_THROW(pack("there"), base::UsageError);
  int calls = 0;
  const PackResult result =
      pack_shards(find_folder_parts(directory_.file("photos")), {.output = directory_.file("packed")},
                  [&](const PackProgress& progress) {
                    EXPECT_EQ(progress.done, ++calls);
                    EXPECT_EQ(progress.total, 3 * kPerClass + 6);
                    return calls < 5;
                  });
  EXPECT_FALSE(result.complete);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()), 2);
}

TEST_F(Shards, DamageIsNamed) {
  pack("packed");
  const std::string shard = io::read_file(directory_.file("packed/train-000001.tar"));
  change("packed/train-000001.tar", [](std::string& bytes) { bytes.resize(bytes.size() - 512); });
  EXPECT_EQ(problem("packed"), base::str("DIR/packed/train-000001.tar: cut short: ", shard.size() - 512,
                                         " bytes, ", shard.size(), " by its index; copy or pack it again"));
  directory_.write("packed/train-000001.tar", shard);
  EXPECT_EQ(problem("packed"), "(no problem)");
  change("packed/train-000001.tar",
         [](std::string& bytes) { bytes[520] = static_cast<char>(bytes[520] ^ 1); });
  EXPECT_NE(problem("packed").find("DIR/packed/train-000001.tar: "), std::string::npos);
  EXPECT_NE(problem("packed").find(".ppm: its bytes are not those that were packed: the checksum differs"),
            std::string::npos);
  fs::remove(directory_.file("packed/train-000001.tar"));
  EXPECT_EQ(problem("packed"), "DIR/packed/train-000001.tar: no such file");
}

TEST_F(Shards, DamagedPlainShardsAreNamed) {
  pack("packed");
  fs::remove(directory_.file("packed/train.index"));
  fs::remove(directory_.file("packed/val.index"));
  const std::string shard = io::read_file(directory_.file("packed/train-000000.tar"));
  change("packed/train-000000.tar", [](std::string& bytes) { bytes.resize(1024); });
  EXPECT_EQ(problem("packed").substr(0, 44), "DIR/packed/train-000000.tar: cut short: the ");
  change("packed/train-000000.tar",
         [&](std::string& bytes) { bytes = shard.substr(0, 1024) + std::string(1024, '\0'); });
  EXPECT_NE(problem("packed").find(" has no class: no "), std::string::npos);
  change("packed/train-000000.tar", [&](std::string& bytes) {
    bytes = shard;
    bytes[1024 + 512] = 'x';
  });
  EXPECT_NE(problem("packed").find("holds no class number from 0 to 65535"), std::string::npos);
}

// Every byte of an index matters: no flipped bit goes unnoticed.
TEST_F(Shards, DamagedIndexesAreRefused) {
  pack("packed");
  const std::string good = io::read_file(directory_.file("packed/val.index"));
  const auto read = [](const std::string& bytes) {
    const ShardIndex index(io::make_memory_file(std::as_bytes(std::span(bytes)), "i"));
    for (std::int64_t i = 0; i < index.summary().count(); ++i) index.record(i);
    return index.summary();
  };
  const ShardSummary summary = read(good);
  EXPECT_EQ(summary.count(), 6);
  for (std::size_t bytes = 0; bytes < good.size(); bytes += 3)
    EXPECT_NE(problem_of([&] { read(good.substr(0, bytes)); }), "(no problem)") << bytes;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const std::string problem = problem_of([&] { EXPECT_NE(read(damaged), summary) << i; });
    // Names and checksums of the header are compared with the shards when these are opened or checked.
    if (problem == "(no problem)") {
      EXPECT_LT(i, good.size() - 6 * 24) << i;
    }
  }
  EXPECT_NE(problem_of([&] { read(good + "x"); }).find("too long"), std::string::npos);
  std::string outside = good;
  const std::size_t at = outside.find("val-000000.tar");
  outside.replace(at, 3, "../");
  EXPECT_NE(problem_of([&] { read(outside); }).find("a shard cannot be called"), std::string::npos);
}

TEST(RealPictures, FlowersInShardsAreTheFolders) {
  const char* root = std::getenv("CONVOY_DATA_DIR");
  if (root == nullptr || *root == '\0') GTEST_SKIP() << "CONVOY_DATA_DIR is not set";
  const io::TemporaryDirectory directory;
  const std::string folder = std::string(root) + "/flowers5";
  const PackResult result = pack_shards(find_folder_parts(folder),
                                        {.output = directory.file("flowers"), .shard_bytes = 4 << 20}, {});
  ASSERT_TRUE(result.complete);
  EXPECT_EQ(result.parts[0].pictures, 500);
  EXPECT_EQ(result.parts[1].pictures, 100);
  const auto a = open_dataset("folder:" + folder, {.image_size = 48, .fold = {3, 5}});
  const auto b = open_dataset("shards:" + directory.file("flowers"), {.image_size = 48, .fold = {3, 5}});
  std::vector<std::uint8_t> x(3 * 48 * 48), y(x.size());
  for (std::int64_t i = 0; i < 480; i += 7) {
    base::RandomStream p(1, base::Purpose::test, 0, 5), q(1, base::Purpose::test, 0, 5);
    EXPECT_EQ(a->read_crop(i, {}, p, x), b->read_crop(i, {}, q, y));
    EXPECT_EQ(x, y) << i;
  }
}

// Its pictures are the benchmark's, compressed: /index/ is the place in the canonical order.
TEST(RealPictures, Cifar10AsAFolder) {
  const char* root = std::getenv("CONVOY_DATA_DIR");
  if (root == nullptr || *root == '\0') GTEST_SKIP() << "CONVOY_DATA_DIR is not set";
  const std::string archive = std::string(root) + "/cifar10/cifar10-jpeg-60000.tar.xz";
  if (!io::file_exists(archive)) GTEST_SKIP() << "no " << archive;
  const io::TemporaryDirectory directory;
  const std::string command = "tar -C '" + directory.path() + "' -xf '" + archive +
                              "' --wildcards '*/*/0000[0-9].jpg' '*/*/0001?.jpg'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::string inner = directory.path();
  if (!fs::exists(inner + "/train")) inner = fs::directory_iterator(inner)->path();
  // The first twenty of the test part have eight classes only.
  fs::remove_all(inner + "/test");
  const auto set = open_dataset("folder:" + inner, {.image_size = 32, .test_share = 0.1});
  EXPECT_GE(set->info().class_names.size(), 7u);
  const auto lossless = open_dataset("cifar10", {.data_dir = root});
  const auto store = open_folder_store(inner + "/train");
  std::string bytes;
  std::vector<std::uint8_t> exact(3072);
  double error = 0;
  for (std::int64_t i = 0; i < picture_count(*store); ++i) {
    const std::string path = store->read(i, bytes);
    const Image image = load_image(path);
    ASSERT_EQ(image.pixels.size(), 3072u);
    const std::int32_t label = lossless->read(std::atoi(io::base_name(path).c_str()), exact);
    EXPECT_NE(path.find("/" + lossless->info().class_names[static_cast<std::size_t>(label)] + "/"),
              std::string::npos)
        << path;
    for (std::size_t k = 0; k < exact.size(); ++k) error += std::abs(int{exact[k]} - int{image.pixels[k]});
  }
  EXPECT_LT(error / 3072 / static_cast<double>(picture_count(*store)), 1) << "grey levels a value";
}

}  // namespace
}  // namespace convoy::data
