// ScopedWidth: how many OpenMP threads this thread's parallel regions use, for a scope.
//
// The width is a property of the calling thread, not of the process: two executors on two threads
// may have different widths. oneDNN reads it when a primitive is created and again when it runs,
// so both happen under the same width.
#pragma once

namespace fovea {

class ScopedWidth {
 public:
  // Sets the width of the calling thread (at least 1).
  explicit ScopedWidth(int width);
  // Restores the width from before; on the same thread.
  ~ScopedWidth();
  ScopedWidth(const ScopedWidth&) = delete;
  ScopedWidth& operator=(const ScopedWidth&) = delete;

  // The width of the calling thread.
  static int Current();

 private:
  int previous_;
};

}  // namespace fovea
