#include "convoy/base/error.h"

#include <cstring>

namespace convoy::base {

FileError::FileError(const std::string& file, const std::string& operation, int error_number)
    : Error(ExitCode::failure, file + ": cannot " + operation + ": " + std::strerror(error_number)),
      file_(file),
      error_number_(error_number) {}

PeerError::PeerError(int rank, int peer, const std::string& operation, const std::string& problem)
    : Error(ExitCode::peer_lost, "rank " + std::to_string(rank) + ": " + operation + " with rank " +
                                     std::to_string(peer) + ": " + problem),
      rank_(rank),
      peer_(peer) {}

}  // namespace convoy::base
