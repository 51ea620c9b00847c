#include "convoy/train/manifest_file.h"

#include <fmt/core.h>

#include <cmath>
#include <span>
#include <string_view>

#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/json.h"
#include "convoy/io/sha256.h"

namespace convoy::train {
namespace {

using base::InputError;
using io::Json;

constexpr std::string_view kDamaged = "the checkpoint is damaged: use an older one, or train again";

// The checksum stands at the very end, so that it covers every byte before its own line.
constexpr std::string_view kSumKey = "  \"manifest_sha256\": \"";
constexpr std::string_view kSumEnd = "\"\n}\n";

std::string sum_line(std::string_view covered) {
  return fmt::format("{}{}{}", kSumKey, io::sha256_hex(std::as_bytes(std::span(covered))), kSumEnd);
}

Json texts_to_json(const std::map<std::string, std::string>& texts) {
  Json object = Json::object();
  for (const auto& [name, text] : texts) object.set(name, text);
  return object;
}

Json metrics_to_json(const std::map<std::string, double>& metrics) {
  Json object = Json::object();
  for (const auto& [name, value] : metrics)
    if (std::isfinite(value)) object.set(name, value);
  return object;
}

Json files_to_json(const FileRecords& files) {
  Json object = Json::object();
  for (const auto& [name, record] : files)
    object.set(name, Json::object({{"size_bytes", record.size_bytes}, {"sha256", record.sha256}}));
  return object;
}

StoredManifest from_json(const Json& json, const std::string& path) {
  StoredManifest stored;
  Manifest& manifest = stored.manifest;
  const std::int64_t format = io::require_int64(json, "format", path);
  if (format < 1 || format > kCheckpointFormat)
    throw InputError(path, fmt::format("there is no format {}; {}", format, kDamaged));
  manifest.format = static_cast<int>(format);
  manifest.step = io::require_int64(json, "step", path);
  manifest.seed = io::require_uint64(json, "seed", path);
  manifest.model_hash = io::require_string(json, "model_hash", path);
  manifest.rule = io::require_string(json, "rule", path);
  const Json& texts = io::require_object(json, "texts", path);
  for (const auto& member : texts.as_object())
    manifest.texts[member.first] = io::require_string(texts, member.first, path);
  const Json& metrics = io::require_object(json, "metrics", path);
  for (const auto& member : metrics.as_object())
    manifest.metrics[member.first] = io::require_double(metrics, member.first, path);
  const Json& files = io::require_object(json, "files", path);
  for (const auto& member : files.as_object()) {
    if (member.first.find('/') != std::string::npos || member.first.empty())
      throw InputError(path,
                       fmt::format("\"{}\" is no name of a file beside it; {}", member.first, kDamaged));
    const Json& record = io::require_object(files, member.first, path);
    stored.files[member.first] = {.size_bytes = io::require_int64(record, "size_bytes", path),
                                  .sha256 = io::require_string(record, "sha256", path)};
  }
  return stored;
}

}  // namespace

std::string print_manifest(const StoredManifest& stored) {
  const Manifest& manifest = stored.manifest;
  const Json json = Json::object({{"format", manifest.format},
                                  {"step", manifest.step},
                                  {"seed", manifest.seed},
                                  {"model_hash", manifest.model_hash},
                                  {"rule", manifest.rule},
                                  {"texts", texts_to_json(manifest.texts)},
                                  {"metrics", metrics_to_json(manifest.metrics)},
                                  {"files", files_to_json(stored.files)}});
  constexpr std::string_view kEnd = "\n}\n";
  std::string text = json.dump(2);
  CONVOY_CHECK(text.ends_with(kEnd), "a JSON object that ends in another way");
  text.replace(text.size() - kEnd.size(), kEnd.size(), ",\n");
  return text + sum_line(text);
}

void refuse_newer_format(const std::string& step_directory) {
  const std::string path = io::join_path(step_directory, kManifestFile);
  std::int64_t format = 0;
  try {
    format = io::require_int64(io::read_json(path), "format", path);
  } catch (const InputError&) {
    return;  // missing or damaged, which is for others to say
  }
  if (format > kCheckpointFormat)
    throw InputError(path, fmt::format("format {} is newer than {}, the newest that this version of convoy "
                                       "reads; use the version that wrote it",
                                       format, kCheckpointFormat));
}

StoredManifest read_manifest_file(const std::string& step_directory) {
  refuse_newer_format(step_directory);
  const std::string path = io::join_path(step_directory, kManifestFile);
  const std::string text = io::read_file(path);
  const std::size_t sum_at = text.rfind(kSumKey);
  if (sum_at == std::string::npos ||
      std::string_view(text).substr(sum_at) != sum_line(std::string_view(text).substr(0, sum_at)))
    throw InputError(path, fmt::format("its checksum does not fit; {}", kDamaged));
  return from_json(io::parse_json(text, path), path);
}

void verify_files(const std::string& step_directory, const FileRecords& files) {
  for (const auto& [name, record] : files) {
    const std::string path = io::join_path(step_directory, name);
    if (!io::file_exists(path)) throw InputError(path, fmt::format("the file is missing; {}", kDamaged));
    const std::int64_t size_bytes = io::open_file(path)->size_bytes();
    if (size_bytes != record.size_bytes)
      throw InputError(path,
                       fmt::format("{} bytes instead of {}; {}", size_bytes, record.size_bytes, kDamaged));
    if (io::sha256_file(path) != record.sha256)
      throw InputError(path, fmt::format("its checksum does not fit the manifest; {}", kDamaged));
  }
}

}  // namespace convoy::train
