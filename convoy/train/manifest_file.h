// The manifest of a checkpoint as a file: docs/formats.md, "Checkpoint".
#pragma once

#include <map>
#include <string>

#include "convoy/train/checkpoint.h"

namespace convoy::train {

inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kWeightsFile = "weights.safetensors";
inline constexpr const char* kOptimizerFile = "optimizer.safetensors";

// What the manifest says of another file of the checkpoint.
struct FileRecord {
  std::int64_t size_bytes = 0;
  std::string sha256;  // 64 hex digits
};
using FileRecords = std::map<std::string, FileRecord>;

struct StoredManifest {
  Manifest manifest;
  FileRecords files;
};

// The manifest's text, with its own checksum as the last member.
std::string print_manifest(const StoredManifest& stored);
// Throws InputError where STEP_DIRECTORY/manifest.json claims a newer format, be the rest readable or not.
void refuse_newer_format(const std::string& step_directory);
// Reads STEP_DIRECTORY/manifest.json. Throws InputError if it is missing, cut, altered or of a newer format.
StoredManifest read_manifest_file(const std::string& step_directory);
// Compares every file that the manifest lists with its size and checksum. Throws InputError.
void verify_files(const std::string& step_directory, const FileRecords& files);

}  // namespace convoy::train
