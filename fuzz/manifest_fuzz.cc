// Any bytes as a checkpoint's manifest: as they are, and with a checksum that fits, so that what lies behind
// it is reached. An accepted manifest prints a text that gives the same one; its texts are read as a run's.
#include "convoy/train/manifest_file.h"

#include <fstream>

#include "convoy/base/error.h"
#include "convoy/io/sha256.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/run/checkpoint_texts.h"
#include "fuzz/fuzz_input.h"

namespace {

// Unlike io's, without a sync: that would be most of the time.
void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void check_manifest(const std::string& directory, const std::string& text) {
  const std::string path = convoy::io::join_path(directory, convoy::train::kManifestFile);
  write(path, text);
  try {
    const convoy::train::StoredManifest stored = convoy::train::read_manifest_file(directory);
    const std::string printed = convoy::train::print_manifest(stored);
    write(path, printed);
    CONVOY_CHECK(convoy::train::print_manifest(convoy::train::read_manifest_file(directory)) == printed,
                 text);
    convoy::train::verify_files(directory, {});
    convoy::run::from_texts(stored.manifest, directory);
  } catch (const convoy::base::InputError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const convoy::io::TemporaryDirectory directory;  // one for all inputs
  const std::string text(convoy::fuzz::as_text(data, size));
  check_manifest(directory.path(), text);
  const std::string covered = text.substr(0, text.rfind("  \"manifest_sha256\": \""));
  const std::string sum = convoy::io::sha256_hex(std::as_bytes(std::span(covered)));
  check_manifest(directory.path(), covered + "  \"manifest_sha256\": \"" + sum + "\"\n}\n");
  return 0;
}
