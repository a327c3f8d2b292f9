// The `fovea` command as a function.
#pragma once

#include <string>
#include <vector>

#include "client/session.h"

namespace fovea::cli {

// Runs one command line (without the program's name) and returns its exit code. Reads FOVEA_SERVER.
int RunFovea(const std::vector<std::string>& arguments, Io* io);

}  // namespace fovea::cli
