// The texts of --help and --version.
#pragma once

#include <string>

#include "convoy/app/commands.h"

namespace convoy::app {

std::string program_help();
std::string command_help(const Command& command);
std::string version_text();  // "convoy 0.1.0"

}  // namespace convoy::app
