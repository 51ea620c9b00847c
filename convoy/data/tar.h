// Taking files out of a tar archive.
#pragma once

#include <string>
#include <vector>

#include "convoy/io/archive.h"
#include "convoy/io/file.h"

namespace convoy::data {

// Writes the regular files of a (compressed) ustar archive whose base names are in `wanted` into `directory`,
// each atomically and under its base name, whatever folder the archive puts it in. Reads the archive
// once, front to back. Throws InputError for a bad archive and for wanted files that are not in it, FileError
// where a file cannot be written.
void extract_tar(const io::RandomAccessFile& archive, io::Compression compression,
                 const std::vector<std::string>& wanted, const std::string& directory);

}  // namespace convoy::data
