// Counter, Gauge and Histogram: handles to time series, fetched once and then used without any
// lookup or allocation.
//
// A handle is a pointer: copy it freely, keep it no longer than the Metrics it came from. A default
// handle records nothing, so that code under test needs no Metrics. Thread-safe.
#pragma once

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace fovea {

class Counter {
 public:
  Counter() = default;
  explicit Counter(prometheus::Counter* series) : series_(series) {}
  // `by` >= 0.
  void Add(double by = 1) const;

 private:
  prometheus::Counter* series_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  explicit Gauge(prometheus::Gauge* series) : series_(series) {}
  void Set(double value) const;
  void Add(double by) const;

 private:
  prometheus::Gauge* series_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  explicit Histogram(prometheus::Histogram* series) : series_(series) {}
  void Observe(double value) const;

 private:
  prometheus::Histogram* series_ = nullptr;
};

}  // namespace fovea
