// Writes and finds checkpoints. checkpoint_load.cc reads them.
#include "convoy/train/checkpoint.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string_view>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/base/log.h"
#include "convoy/io/atomic_file.h"
#include "convoy/io/file.h"
#include "convoy/io/safetensors.h"
#include "convoy/train/manifest_file.h"

namespace convoy::train {
namespace {

namespace fs = std::filesystem;
using base::InputError;
using base::LogLevel;
using tensor::SegmentKind;

constexpr std::string_view kStepPrefix = "step-";
constexpr const char* kLatestFile = "latest";

std::string step_name(std::int64_t step) { return fmt::format("{}{:09}", kStepPrefix, step); }

// The step in "step-000001234", or none for any other name.
std::optional<std::int64_t> parse_step_name(std::string_view name) {
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  const std::string_view digits = name.substr(kStepPrefix.size());
  std::int64_t step = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || end != digits.data() + digits.size() || step_name(step) != name)
    return std::nullopt;
  return step;
}

// The names of DIR's step directories, highest step first; empty where DIR does not exist.
std::vector<std::string> list_steps(const std::string& dir) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error))
    if (const auto step = parse_step_name(it->path().filename().string())) steps.push_back(*step);
  if (error && error.value() != ENOENT)
    throw InputError(dir, fmt::format("cannot list the directory: {}", error.message()));
  std::sort(steps.rbegin(), steps.rend());
  std::vector<std::string> names;
  for (const std::int64_t step : steps) names.push_back(step_name(step));
  return names;
}

// The segments of one kind of one arena, as one file's tensors.
struct Group {
  SegmentKind kind;
  std::span<const float> arena;
  std::string prefix;  // of the tensors' names
};

// Calls visit(group, segment) in the order of the file.
template <class Visit>
void for_each_segment(const tensor::ParamLayout& layout, const std::vector<Group>& groups,
                      const Visit& visit) {
  for (const Group& group : groups)
    for (const tensor::Segment& segment : layout.segments)
      if (segment.kind == group.kind) visit(group, segment);
}

// Writes segments in their plain layout, one at a time, so that translating needs memory for the largest
// only.
FileRecord write_tensors(const std::string& path, const ParamStore& store, const std::vector<Group>& groups,
                         const Manifest& manifest) {
  std::vector<io::TensorSpec> specs;
  for_each_segment(store.layout(), groups, [&](const Group& group, const tensor::Segment& segment) {
    CONVOY_CHECK(segment.slice.extent == segment.global_shape.sizes(), segment.name, " is sharded");
    specs.push_back({group.prefix + segment.name, tensor::DType::f32, segment.global_shape});
  });
  io::SafetensorsWriter writer(path, std::move(specs),
                               {{"convoy.format", std::to_string(manifest.format)},
                                {"convoy.step", std::to_string(manifest.step)},
                                {"convoy.model_hash", manifest.model_hash}});
  std::vector<float> plain;
  for_each_segment(store.layout(), groups, [&](const Group& group, const tensor::Segment& segment) {
    std::span<const float> elements = group.arena.subspan(static_cast<std::size_t>(segment.offset),
                                                          static_cast<std::size_t>(segment.count));
    if (segment.layout_tag != "plain") {
      plain.resize(static_cast<std::size_t>(segment.global_shape.count()));
      store.codec()->to_plain(segment, elements, plain);
      elements = plain;
    }
    writer.write({elements.data(), tensor::DType::f32, segment.global_shape});
  });
  const std::string sum = writer.commit();
  return {.size_bytes = io::open_file(path)->size_bytes(), .sha256 = sum};
}

FileRecords write_files(const std::string& into, const Manifest& manifest, ParamStore& store,
                        const std::vector<std::string>& slot_names) {
  FileRecords files;
  const std::vector<Group> weights = {{SegmentKind::parameter, store.parameters(), ""},
                                      {SegmentKind::state, store.state(), ""}};
  files[kWeightsFile] = write_tensors(io::join_path(into, kWeightsFile), store, weights, manifest);
  if (slot_names.empty()) return files;
  std::vector<Group> slots;
  for (std::size_t k = 0; k < slot_names.size(); ++k)
    slots.push_back({SegmentKind::parameter, store.slot(static_cast<int>(k)), slot_names[k] + "/"});
  files[kOptimizerFile] = write_tensors(io::join_path(into, kOptimizerFile), store, slots, manifest);
  return files;
}

// Removes a checkpoint so that a crash in the middle leaves nothing under its name. The new checkpoint is
// safe by now, so failure is no more than a warning.
void remove_checkpoint(const std::string& dir, const std::string& name) {
  const std::string path = io::join_path(dir, name);
  const std::string doomed = io::join_path(dir, fmt::format(".{}.tmp-{}-0", name, ::getpid()));
  std::error_code error;
  fs::rename(path, doomed, error);
  if (!error) fs::remove_all(doomed, error);
  if (error)
    base::log(LogLevel::warning,
              fmt::format("{}: cannot remove this old checkpoint: {}", path, error.message()));
}

void remove_old(const std::string& dir, const std::string& newest, int keep_last) {
  int kept = 1;
  for (const std::string& name : list_steps(dir)) {
    if (name == newest) continue;
    if (kept < keep_last)
      ++kept;
    else
      remove_checkpoint(dir, name);
  }
}

// The name in DIR/latest, or none where there is no such file or it names nothing that could be there.
std::optional<std::string> read_latest_pointer(const std::string& dir) {
  const std::string path = io::join_path(dir, kLatestFile);
  if (!io::file_exists(path)) return std::nullopt;
  std::string name = io::read_file(path);
  while (!name.empty() && (name.back() == '\n' || name.back() == '\r')) name.pop_back();
  std::error_code error;
  if (parse_step_name(name) && fs::is_directory(io::join_path(dir, name), error)) return name;
  base::log(LogLevel::warning, fmt::format("{}: points to no checkpoint; looking at all of them", path));
  return std::nullopt;
}

bool is_complete(const std::string& step_directory) {
  refuse_newer_format(step_directory);
  try {
    verify_files(step_directory, read_manifest_file(step_directory).files);
    return true;
  } catch (const InputError& error) {
    base::log(LogLevel::warning, fmt::format("passing over a checkpoint: {}", error.what()));
    return false;
  }
}

}  // namespace

std::string save_checkpoint(const std::string& dir, const Manifest& manifest, ParamStore& store,
                            const std::vector<std::string>& slot_names, int keep_last) {
  CONVOY_CHECK(keep_last >= 1, "keep_last = ", keep_last);
  CONVOY_CHECK(manifest.format == kCheckpointFormat && manifest.step >= 0, "format ", manifest.format,
               ", step ", manifest.step);
  CONVOY_CHECK(static_cast<int>(slot_names.size()) == store.slot_count(), slot_names.size(),
               " slot names for ", store.slot_count());
  io::make_directories(dir);
  io::remove_abandoned_temporaries(dir);
  const std::string name = step_name(manifest.step);
  std::string path = io::join_path(dir, name);
  io::AtomicDirectory directory(path);
  const StoredManifest stored{manifest, write_files(directory.path(), manifest, store, slot_names)};
  io::write_file_atomically(io::join_path(directory.path(), kManifestFile), print_manifest(stored));
  directory.commit();
  io::write_file_atomically(io::join_path(dir, kLatestFile), name + "\n");
  remove_old(dir, name, keep_last);
  return path;
}

std::optional<std::string> find_latest(const std::string& dir) {
  const std::optional<std::string> pointed = read_latest_pointer(dir);
  if (pointed && is_complete(io::join_path(dir, *pointed))) return io::join_path(dir, *pointed);
  for (const std::string& name : list_steps(dir))
    if (name != pointed && is_complete(io::join_path(dir, name))) return io::join_path(dir, name);
  return std::nullopt;
}

}  // namespace convoy::train
