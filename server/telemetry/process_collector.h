// The process' own numbers, under the names that Prometheus' client libraries share.
#pragma once

#include <memory>

#include "prometheus/collectable.h"

namespace fovea {

// process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
// process_open_fds, process_max_fds, process_threads and process_start_time_seconds, read from
// /proc at each scrape. What cannot be read is left out.
std::shared_ptr<prometheus::Collectable> MakeProcessCollector();

}  // namespace fovea
