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

// Gives the calling thread and each OpenMP thread that helps it, at its width, a core of its own.
// For a thread that runs now and then: after a pause the kernel wakes a helper on the core of who
// wakes it, and for milliseconds the two share that core (MobileNetV2 on two cores after 100 ms: 14
// ms instead of 4). Only where the process has exactly as many cores as the width: of more it would
// choose the same ones as its neighbours. True when it did.
bool SpreadThreads();

}  // namespace fovea
