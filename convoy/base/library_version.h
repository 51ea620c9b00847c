// Which version of a third-party library a program was built with and runs with.
#pragma once

#include <string>

namespace convoy::base {

struct LibraryVersion {
  std::string name;
  std::string compiled;  // of the headers; empty where they do not say
  std::string loaded;    // of the shared library in use; empty where it does not say
};

}  // namespace convoy::base
