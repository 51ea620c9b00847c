#include "convoy/train/checkpoint.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "convoy/base/error.h"
#include "convoy/base/log.h"
#include "convoy/base/rng.h"
#include "convoy/io/file.h"
#include "convoy/io/safetensors.h"
#include "convoy/io/sha256.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/train/manifest_file.h"

namespace convoy::train {
namespace {

namespace fs = std::filesystem;
using base::InputError;
using tensor::ParamRole;
using tensor::SegmentKind;

const std::vector<std::string> kSlots{"mean", "square_mean"};
const LoadConfig kFull{.model_hash = "0123456789abcdef", .rule = "adam", .slot_names = kSlots};
const LoadConfig kWeightsOnly{.model_hash = "0123456789abcdef", .rule = {}, .slot_names = {}};

tensor::ParamLayout small_net(std::int64_t outputs = 7) {
  tensor::ParamLayout layout;
  layout.append_replicated("fc.weight", {outputs, 5}, SegmentKind::parameter, ParamRole::weight);
  layout.append_replicated("norm.running_mean", {3}, SegmentKind::state, ParamRole::running_mean);
  layout.append_replicated("fc.bias", {outputs}, SegmentKind::parameter, ParamRole::bias);
  return layout;
}

void fill_segments(ParamStore& store, SegmentKind kind, std::span<float> arena, base::RandomStream& random) {
  for (const auto& segment : store.layout().segments)
    for (std::int64_t i = 0; i < segment.count && segment.kind == kind; ++i)
      arena[static_cast<std::size_t>(segment.offset + i)] = static_cast<float>(random.normal());
}

std::unique_ptr<ParamStore> random_store(std::uint64_t seed,
                                         const tensor::ParamLayout& layout = small_net()) {
  auto store = make_local_store({.layout = layout, .slot_count = 2});
  base::RandomStream random(seed, base::Purpose::test, 0, 0);
  fill_segments(*store, SegmentKind::parameter, store->parameters(), random);
  fill_segments(*store, SegmentKind::state, store->state(), random);
  for (int s = 0; s < 2; ++s) fill_segments(*store, SegmentKind::parameter, store->slot(s), random);
  return store;
}

std::vector<float> values(ParamStore& store) {
  std::vector<float> all(store.parameters().begin(), store.parameters().end());
  all.insert(all.end(), store.state().begin(), store.state().end());
  for (int s = 0; s < store.slot_count(); ++s)
    all.insert(all.end(), store.slot(s).begin(), store.slot(s).end());
  return all;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Manifest manifest_of(std::int64_t step) {
  return {.step = step,
          .seed = 0xfedcba9876543210,
          .model_hash = "0123456789abcdef",
          .rule = "adam",
          .texts = {{"model", "small_net v1\nfc"}, {"plan", "line 1\nline \"2\" \\ ü"}},
          .metrics = {{"loss", 0.1}, {"broken", std::nan("")}}};
}

// What is written to the log while this lives.
class CapturedLog {
 public:
  CapturedLog() {
    base::set_log_sink([this](base::LogLevel, const std::string& line) { text += line + "\n"; });
  }
  ~CapturedLog() { base::set_log_sink(nullptr); }
  std::string text;
};

struct Checkpoint : testing::Test {
  std::string save(std::int64_t step, int keep_last = 10) {
    return save_checkpoint(dir, manifest_of(step), *random_store(static_cast<std::uint64_t>(step)), kSlots,
                           keep_last);
  }
  // Loading into a store fails with InputError, whose line is returned, and leaves it as it was.
  std::string refusal(const std::string& path, const LoadConfig& config = kFull,
                      const tensor::ParamLayout& layout = small_net()) {
    const auto store = random_store(99, layout);
    const std::vector<float> before = values(*store);
    try {
      load_checkpoint(path, *store, config);
    } catch (const InputError& error) {
      EXPECT_TRUE(same_bits(values(*store), before));
      EXPECT_EQ(store->version(), 1U);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    ADD_FAILURE() << path << " was loaded";
    return {};
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  io::TemporaryDirectory temporary;
  std::string dir = temporary.file("checkpoints");
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(Checkpoint, ComesBackBitForBit) {
  const auto saved = random_store(1);
  saved->parameters()[0] = -0.0F;
  saved->parameters()[1] = 1e-42F;
  const std::string path = save_checkpoint(dir, manifest_of(1234), *saved, kSlots, 3);
  EXPECT_EQ(path, dir + "/step-000001234");
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-000001234"}));
  for (const std::string& from : {path, dir}) {
    const auto loaded = random_store(2);
    const Manifest manifest = load_checkpoint(from, *loaded, kFull);
    EXPECT_TRUE(same_bits(values(*loaded), values(*saved)));
    EXPECT_EQ(loaded->version(), 2U);
    EXPECT_EQ(manifest.step, 1234);
    EXPECT_EQ(manifest.seed, 0xfedcba9876543210);
    EXPECT_EQ(manifest.rule, "adam");
    EXPECT_EQ(manifest.texts, manifest_of(0).texts);
    EXPECT_EQ(manifest.metrics, (std::map<std::string, double>{{"loss", 0.1}}));
  }
}

TEST_F(Checkpoint, WeightsAloneLoadIntoAStoreWithoutSlots) {
  const auto saved = random_store(1);
  save_checkpoint(dir, manifest_of(5), *saved, kSlots, 3);
  const tensor::ParamLayout net = small_net();
  const auto loaded = make_local_store({.layout = net});
  load_checkpoint(dir, *loaded, kWeightsOnly);
  EXPECT_TRUE(
      std::equal(loaded->parameters().begin(), loaded->parameters().end(), saved->parameters().begin()));
  const auto with_slots = random_store(3);
  const std::vector<float> slot(with_slots->slot(0).begin(), with_slots->slot(0).end());
  load_checkpoint(dir, *with_slots, kWeightsOnly);
  EXPECT_TRUE(std::equal(slot.begin(), slot.end(), with_slots->slot(0).begin()));
}

// As another program reads it: docs/formats.md.
TEST_F(Checkpoint, FilesAreWhatTheFormatSays) {
  const auto saved = random_store(1);
  const std::string path = save_checkpoint(dir, manifest_of(7), *saved, kSlots, 3);
  const io::SafetensorsReader weights(path + "/weights.safetensors");
  ASSERT_EQ(weights.tensors().size(), 3U);
  EXPECT_EQ(weights.tensors()[0].name, "fc.weight");
  EXPECT_EQ(weights.tensors()[0].shape, tensor::Shape({7, 5}));
  EXPECT_EQ(weights.tensors()[1].name, "fc.bias");
  EXPECT_EQ(weights.tensors()[2].name, "norm.running_mean");
  EXPECT_EQ(weights.metadata().at("convoy.step"), "7");
  EXPECT_EQ(weights.read(weights.tensors()[0]).as<float>()[34], saved->parameters()[34]);
  const io::SafetensorsReader optimizer(path + "/optimizer.safetensors");
  ASSERT_EQ(optimizer.tensors().size(), 4U);
  EXPECT_NE(optimizer.find("mean/fc.weight"), nullptr);
  EXPECT_NE(optimizer.find("square_mean/fc.bias"), nullptr);
  EXPECT_EQ(io::read_file(dir + "/latest"), "step-000000007\n");
  const std::string manifest = io::read_file(path + "/manifest.json");
  const std::size_t sum_at = manifest.rfind("  \"manifest_sha256\": \"");
  ASSERT_NE(sum_at, std::string::npos);
  const std::string covered = manifest.substr(0, sum_at);
  EXPECT_EQ(manifest, covered + "  \"manifest_sha256\": \"" +
                          io::sha256_hex(std::as_bytes(std::span(covered))) + "\"\n}\n");
}

TEST_F(Checkpoint, EveryFlippedBitOfTheManifestIsSeen) {
  const std::string path = save(1) + "/manifest.json";
  const std::string sound = io::read_file(path);
  const CapturedLog log;
  for (std::size_t at = 0; at < sound.size(); at += 1) {
    std::string altered = sound;
    altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 8)));
    std::ofstream(path, std::ios::binary) << altered;
    EXPECT_THROW(read_manifest(path.substr(0, path.rfind('/'))), InputError) << at;
  }
}

TEST_F(Checkpoint, EveryCutOfTheManifestIsSeen) {
  const std::string path = save(1) + "/manifest.json";
  const std::string sound = io::read_file(path);
  for (std::size_t size = 0; size < sound.size(); size += 7) {
    std::ofstream(path, std::ios::binary) << sound.substr(0, size);
    EXPECT_HAS(refusal(dir + "/step-000000001"), "manifest.json");
  }
  std::ofstream(path, std::ios::binary) << sound << " ";
  EXPECT_HAS(refusal(dir + "/step-000000001"), "its checksum does not fit");
}

TEST_F(Checkpoint, AlteredCutAndMissingTensorFilesAreNamed) {
  for (const std::string name : {"weights.safetensors", "optimizer.safetensors"}) {
    const std::string step = save(1), path = step + "/" + name;
    const std::string sound = io::read_file(path);
    for (const std::size_t at : {std::size_t{0}, std::size_t{9}, sound.size() / 2, sound.size() - 1}) {
      std::string altered = sound;
      altered[at] = static_cast<char>(altered[at] ^ 4);
      std::ofstream(path, std::ios::binary) << altered;
      EXPECT_HAS(refusal(step), path + ": its checksum does not fit the manifest; the checkpoint is damaged");
    }
    std::ofstream(path, std::ios::binary) << sound.substr(0, sound.size() - 1);
    EXPECT_HAS(refusal(step), path + ": " + std::to_string(sound.size() - 1) + " bytes instead of");
    fs::remove(path);
    EXPECT_HAS(refusal(step), path + ": the file is missing");
  }
}

TEST_F(Checkpoint, AnotherModelOrRuleIsRefusedWithWhatToDo) {
  const std::string step = save(1);
  LoadConfig other = kFull;
  other.model_hash = "ffffffffffffffff";
  EXPECT_EQ(refusal(step, other),
            step +
                ": was saved from the model \"small_net v1\" (hash 0123456789abcdef), this one's hash is "
                "ffffffffffffffff; choose that model, or another checkpoint");
  other = kFull;
  other.rule = "sgd";
  EXPECT_HAS(refusal(step, other), "was trained with the update rule adam, not sgd; go on with that rule");
  other = kFull;
  other.model_hash.clear();
  EXPECT_HAS(refusal(step, other, small_net(8)), "fc.weight is f32 7x5, this model's is f32 8x5");
  tensor::ParamLayout more = small_net();
  more.append_replicated("extra", {1}, SegmentKind::parameter, ParamRole::bias);
  EXPECT_HAS(refusal(step, other, more), "lacks the tensor extra");
  tensor::ParamLayout fewer;
  fewer.append_replicated("fc.weight", {7, 5}, SegmentKind::parameter, ParamRole::weight);
  EXPECT_HAS(refusal(step, other, fewer), "has a tensor fc.bias that this model lacks");
}

TEST_F(Checkpoint, ANewerFormatIsNeverPassedOver) {
  save(1);
  const std::string step = save(2), path = step + "/manifest.json";
  std::string text = io::read_file(path);
  text.replace(text.find("\"format\": 1"), 11, "\"format\": 2");
  std::ofstream(path, std::ios::binary) << text;
  EXPECT_HAS(refusal(step), "format 2 is newer than 1, the newest that this version of convoy reads");
  EXPECT_HAS(refusal(dir), "format 2 is newer");
  EXPECT_THROW(find_latest(dir), InputError);
}

TEST_F(Checkpoint, NothingThereIsSaid) {
  EXPECT_FALSE(find_latest(dir).has_value());
  EXPECT_HAS(refusal(dir), dir + ": holds no complete checkpoint; give a step-");
  EXPECT_THROW(read_manifest(dir), InputError);
  fs::create_directories(dir + "/step-1");  // not a name of ours
  fs::create_directories(dir + "/step-12x");
  EXPECT_FALSE(find_latest(dir).has_value());
  fs::create_directories(dir + "/step-000000001");  // ours, but empty
  const CapturedLog log;
  EXPECT_FALSE(find_latest(dir).has_value());
  EXPECT_HAS(log.text, "passing over a checkpoint: " + dir + "/step-000000001/manifest.json");
}

TEST_F(Checkpoint, OnlyTheLastAreKept) {
  for (const std::int64_t step : {1, 2, 3, 10}) save(step, 3);
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"latest", "step-000000002", "step-000000003", "step-000000010"}));
  save(4, 2);  // went back and on from there: the new one stays, whatever its number
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-000000004", "step-000000010"}));
  EXPECT_EQ(find_latest(dir), dir + "/step-000000004");
  save(5, 1);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-000000005"}));
}

TEST_F(Checkpoint, TheSameStepIsReplaced) {
  save_checkpoint(dir, manifest_of(3), *random_store(1), kSlots, 2);
  const auto second = random_store(2);
  save_checkpoint(dir, manifest_of(3), *second, kSlots, 2);
  const auto loaded = random_store(3);
  load_checkpoint(dir, *loaded, kFull);
  EXPECT_TRUE(same_bits(values(*loaded), values(*second)));
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-000000003"}));
}

TEST_F(Checkpoint, ADamagedLatestFallsBackToTheNextWithAWarning) {
  save(1);
  save(2);
  save(3);
  std::ofstream(dir + "/step-000000003/weights.safetensors", std::ios::binary) << "short";
  CapturedLog log;
  EXPECT_EQ(find_latest(dir), dir + "/step-000000002");
  EXPECT_HAS(log.text, "passing over a checkpoint: " + dir + "/step-000000003/weights.safetensors");
  fs::remove_all(dir + "/step-000000003");
  log.text.clear();
  EXPECT_EQ(find_latest(dir), dir + "/step-000000002");
  EXPECT_HAS(log.text, "latest: points to no checkpoint");
  EXPECT_EQ(read_manifest(dir).step, 2);
  std::ofstream(dir + "/latest") << "../../etc";
  EXPECT_EQ(find_latest(dir), dir + "/step-000000002");
  fs::remove(dir + "/latest");
  EXPECT_EQ(find_latest(dir), dir + "/step-000000002");
}

// A store that fails while the checkpoint is half written.
class FailingStore final : public ParamStore {
 public:
  FailingStore(ParamStore& store, std::function<void()> fail) : store_(store), fail_(std::move(fail)) {}
  const tensor::ParamLayout& layout() const override { return store_.layout(); }
  const SegmentCodec* codec() const override { return store_.codec(); }
  std::uint64_t version() const override { return store_.version(); }
  optim::ParamSource& source() override { return store_.source(); }
  optim::GradientSink& gradient_sink() override { return store_.gradient_sink(); }
  optim::StateSink& state_sink() override { return store_.state_sink(); }
  std::span<float> parameters() override { return store_.parameters(); }
  std::span<float> gradients() override { return store_.gradients(); }
  std::span<float> state() override { return store_.state(); }
  int slot_count() const override { return store_.slot_count(); }
  std::span<float> slot(int index) override {
    if (index == 1) fail_();
    return store_.slot(index);
  }
  void commit() override { store_.commit(); }
  Memory memory_bytes() const override { return store_.memory_bytes(); }

 private:
  ParamStore& store_;
  std::function<void()> fail_;
};

TEST_F(Checkpoint, AnExceptionInTheMiddleLeavesTheOldOneAndNothingElse) {
  save(1);
  const auto store = random_store(2);
  FailingStore failing(*store, [] { throw std::runtime_error("torn"); });
  EXPECT_THROW(save_checkpoint(dir, manifest_of(2), failing, kSlots, 3), std::runtime_error);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-000000001"}));
  EXPECT_EQ(read_manifest(dir).step, 1);
}

TEST_F(Checkpoint, WhatAKilledProcessLeavesIsIgnoredAndThenRemoved) {
  save(1);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = random_store(2);
    FailingStore failing(*store, [] { ::kill(::getpid(), SIGKILL); });
    save_checkpoint(dir, manifest_of(2), failing, kSlots, 3);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(entries().size(), 3U) << "the child left nothing half-written";
  EXPECT_EQ(read_manifest(dir).step, 1);
  save(3);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-000000001", "step-000000003"}));
}

// RLIMIT_FSIZE stands for a full disk: writes beyond it fail with EFBIG once SIGXFSZ is ignored.
TEST_F(Checkpoint, AFullDiskLeavesTheOldOneAndNothingElse) {
  save(1);
  const auto old_action = ::signal(SIGXFSZ, SIG_IGN);
  struct ::rlimit limit {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const struct ::rlimit small { 300, limit.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string line;
  int code = 0;
  try {
    save(2);
  } catch (const base::FileError& error) {
    line = error.what();
    code = error.error_number();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  ::signal(SIGXFSZ, old_action);
  EXPECT_EQ(code, EFBIG);
  EXPECT_HAS(line, "weights.safetensors: cannot write");
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest", "step-000000001"}));
  const auto loaded = random_store(5);
  EXPECT_EQ(load_checkpoint(dir, *loaded, kFull).step, 1);
}

TEST_F(Checkpoint, APlaceThatCannotBeWrittenIsAFileError) {
  EXPECT_THROW(save_checkpoint("/proc/convoy-test", manifest_of(1), *random_store(1), kSlots, 3),
               base::FileError);
  const std::string file = temporary.write("file", "");
  EXPECT_THROW(save_checkpoint(file, manifest_of(1), *random_store(1), kSlots, 3), base::FileError);
  if (::geteuid() == 0) return;  // root may write into a read-only directory
  fs::create_directories(dir);
  ASSERT_EQ(::chmod(dir.c_str(), 0555), 0);
  EXPECT_THROW(save(1), base::FileError);
  ::chmod(dir.c_str(), 0755);
}

// Stores a matrix transposed and padded to `count`, as a blocked layout might.
class TransposingCodec final : public SegmentCodec {
 public:
  void to_plain(const tensor::Segment& segment, std::span<const float> stored,
                std::span<float> plain) const override {
    for_each(segment, [&](std::size_t p, std::size_t s) { plain[p] = stored[s]; });
  }
  void from_plain(const tensor::Segment& segment, std::span<const float> plain,
                  std::span<float> stored) const override {
    std::fill(stored.begin(), stored.end(), 0.0f);
    for_each(segment, [&](std::size_t p, std::size_t s) { stored[s] = plain[p]; });
  }

 private:
  template <class Visit>
  static void for_each(const tensor::Segment& segment, const Visit& visit) {
    const auto rows = static_cast<std::size_t>(segment.global_shape[0]);
    const auto columns = static_cast<std::size_t>(segment.global_shape[1]);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c) visit(r * columns + c, c * rows + r);
  }
};

tensor::ParamLayout transposed_layout() {
  tensor::ParamLayout layout;
  tensor::Segment segment{.name = "fc.weight",
                          .global_shape = {2, 3},
                          .slice = {{0, 0}, {2, 3}},
                          .replica_group = {0},
                          .layout_tag = "ba",
                          .count = 10};
  layout.append(segment);
  return layout;
}

TEST_F(Checkpoint, FilesArePlainWhateverTheStorage) {
  const tensor::ParamLayout blocked = transposed_layout();
  const auto codec = std::make_shared<TransposingCodec>();
  const auto store = make_local_store({.layout = blocked, .codec = codec});
  const std::vector<float> stored = {1, 4, 2, 5, 3, 6};  // of {{1, 2, 3}, {4, 5, 6}}
  std::copy(stored.begin(), stored.end(), store->parameters().begin());
  save_checkpoint(dir, {.step = 1, .model_hash = "0", .rule = "sgd"}, *store, {}, 1);

  tensor::ParamLayout plain;
  plain.append_replicated("fc.weight", {2, 3}, SegmentKind::parameter, tensor::ParamRole::weight);
  const auto reader = make_local_store({.layout = plain});
  load_checkpoint(dir, *reader, {});
  EXPECT_EQ(std::vector<float>(reader->parameters().begin(), reader->parameters().begin() + 6),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));

  const auto again = make_local_store({.layout = blocked, .codec = codec});
  load_checkpoint(dir, *again, {});
  EXPECT_TRUE(std::equal(stored.begin(), stored.end(), again->parameters().begin()));
}

}  // namespace
}  // namespace convoy::train
