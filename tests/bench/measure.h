// What the benchmarks share: the clock, the median, and the lines they print.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace fovea::bench {

inline void Print(const std::string& name, double value) {
  std::printf("%s=%.4g\n", name.c_str(), value);
  std::fflush(stdout);
}

inline double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Seconds of a clock that never goes back.
inline double Now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

}  // namespace fovea::bench
