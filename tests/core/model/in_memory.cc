// These tests sync hundreds of files; where there is a file system in memory, they use it, which
// takes 0.2 s instead of 10 s and more. TEST_TMPDIR, when set, is respected.

#include <stdlib.h>
#include <unistd.h>

namespace {

[[maybe_unused]] const bool in_memory =
    access("/dev/shm", W_OK) == 0 && setenv("TEST_TMPDIR", "/dev/shm", /*overwrite=*/0) == 0;

}  // namespace
