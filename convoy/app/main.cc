#include <unistd.h>

#include <cstdlib>

#include "convoy/app/app.h"

namespace {

// libgomp reads its settings when it is loaded, before main. Its default spins for milliseconds at the end of
// each parallel region, which costs a factor of ten as soon as another program wants the same processors; a
// thousand rounds cost nothing where nobody does (docs/algorithms.md, "Spinning"). So the program starts
// itself once more with the setting in its environment, unless the user has chosen.
void limit_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (::setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/1) == 0) ::execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  limit_spinning(argv);
  return convoy::app::main(argc, argv);
}
