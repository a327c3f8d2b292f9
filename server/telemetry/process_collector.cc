#include "server/telemetry/process_collector.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "prometheus/metric_family.h"

namespace fovea {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void Append(std::vector<MetricFamily>& families, const char* name, const char* help,
            MetricType type, double value) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(metric);
  families.push_back(std::move(family));
}

// Seconds since the epoch at which the machine started.
std::optional<double> BootTime() {
  for (absl::string_view line : absl::StrSplit(ReadAll("/proc/stat"), '\n')) {
    double seconds = 0;
    if (absl::ConsumePrefix(&line, "btime ") && absl::SimpleAtod(line, &seconds)) return seconds;
  }
  return std::nullopt;
}

class ProcessCollector : public prometheus::Collectable {
 public:
  ProcessCollector() : boot_time_(BootTime()) {}

  std::vector<MetricFamily> Collect() const override {
    std::vector<MetricFamily> families;
    AppendStat(families);
    AppendFiles(families);
    return families;
  }

 private:
  // proc(5): the fields of /proc/self/stat after the command's closing parenthesis, the first of
  // which is number 3.
  void AppendStat(std::vector<MetricFamily>& families) const {
    const std::string stat = ReadAll("/proc/self/stat");
    const size_t end = stat.rfind(')');
    if (end == std::string::npos) return;
    const std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 2), ' ');
    const auto field = [&](size_t number) {
      double value = 0;
      if (number - 3 < fields.size() && absl::SimpleAtod(fields[number - 3], &value)) return value;
      return 0.0;
    };
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
    Append(families, "process_cpu_seconds_total", "User and system CPU time spent, in seconds.",
           MetricType::Counter, (field(14) + field(15)) / ticks);
    Append(families, "process_threads", "Threads of the process.", MetricType::Gauge, field(20));
    Append(families, "process_virtual_memory_bytes", "Virtual memory size.", MetricType::Gauge,
           field(23));
    Append(families, "process_resident_memory_bytes", "Resident memory size.", MetricType::Gauge,
           field(24) * page);
    if (boot_time_.has_value()) {
      Append(families, "process_start_time_seconds", "Start of the process since the epoch.",
             MetricType::Gauge, *boot_time_ + field(22) / ticks);
    }
  }

  static void AppendFiles(std::vector<MetricFamily>& families) {
    std::error_code error;
    std::filesystem::directory_iterator open("/proc/self/fd", error);
    if (!error) {
      Append(families, "process_open_fds", "Open file descriptors.", MetricType::Gauge,
             static_cast<double>(std::distance(begin(open), end(open))));
    }
    rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
      Append(families, "process_max_fds", "Most file descriptors that may be open.",
             MetricType::Gauge, static_cast<double>(limit.rlim_cur));
    }
  }

  const std::optional<double> boot_time_;
};

}  // namespace

std::shared_ptr<prometheus::Collectable> MakeProcessCollector() {
  return std::make_shared<ProcessCollector>();
}

}  // namespace fovea
