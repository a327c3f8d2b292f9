// fovea predict MODEL FILES…
//
// Files go out in requests of several images, a few requests at a time, so that the server can
// batch. A request with a bad image is repeated image by image: the others get their answer.
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/commands.h"
#include "client/describe.h"
#include "client/json.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

// Well below gRPC's 4 MiB for a message; a larger image travels alone.
constexpr size_t kMostRequestBytes = 3 << 20;

struct PredictOptions {
  std::string model;
  std::vector<std::string> files;
  std::string version;
  std::optional<uint32_t> top_k;
  std::optional<float> threshold;
  size_t batch = 32;
  size_t parallel = 2;
};

// Files that travel together, and what came back.
struct Chunk {
  std::vector<std::string> files;
  v1::PredictRequest request;
  absl::StatusOr<v1::PredictResponse> response = absl::UnknownError("not sent");
};

v1::PredictRequest EmptyRequest(const PredictOptions& options) {
  v1::PredictRequest request;
  request.set_model(options.model);
  SetVersion(options.version, &request);
  if (options.top_k.has_value()) request.set_top_k(*options.top_k);
  if (options.threshold.has_value()) request.set_threshold(*options.threshold);
  return request;
}

absl::StatusOr<std::vector<Chunk>> ReadChunks(const PredictOptions& options) {
  std::vector<Chunk> chunks;
  size_t bytes = 0;
  for (const std::string& file : options.files) {
    ASSIGN_OR_RETURN(std::string image, FileSystem::Real()->Read(file));
    if (chunks.empty() || chunks.back().files.size() >= options.batch ||
        bytes + image.size() > kMostRequestBytes) {
      chunks.push_back({.files = {}, .request = EmptyRequest(options)});
      bytes = 0;
    }
    bytes += image.size();
    chunks.back().files.push_back(file);
    chunks.back().request.add_images()->set_encoded(std::move(image));
  }
  return chunks;
}

void SendAll(std::vector<Chunk>* chunks, size_t parallel, Client* client) {
  std::atomic<size_t> next = 0;
  const auto send = [&] {
    for (size_t i = next++; i < chunks->size(); i = next++) {
      (*chunks)[i].response = client->Predict((*chunks)[i].request);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(parallel, chunks->size()); ++i) threads.emplace_back(send);
  send();
  for (std::thread& thread : threads) thread.join();
}

// One chunk for each image of a refused one.
std::vector<Chunk> SplitUp(const Chunk& chunk, const PredictOptions& options) {
  std::vector<Chunk> singles;
  for (size_t i = 0; i < chunk.files.size(); ++i) {
    Chunk single{.files = {chunk.files[i]}, .request = EmptyRequest(options)};
    *single.request.add_images() = chunk.request.images(static_cast<int>(i));
    singles.push_back(std::move(single));
  }
  return singles;
}

void PrintResponse(const Chunk& chunk, bool marks, Session& session) {
  for (int i = 0; i < chunk.response->predictions_size(); ++i) {
    const v1::Prediction& prediction = chunk.response->predictions(i);
    const std::string& file = chunk.files[static_cast<size_t>(i)];
    session.out() << (session.json() ? ToJsonLine("file", file, prediction)
                                     : DescribePrediction(file, prediction, marks));
  }
  session.out().flush();
}

// Prints answers in the order of the files; errors name theirs. Returns the first error.
absl::Status PrintAll(std::vector<Chunk>* chunks, const PredictOptions& options, bool marks,
                      Session& session) {
  absl::Status first;
  for (Chunk& chunk : *chunks) {
    if (chunk.response.ok()) {
      PrintResponse(chunk, marks, session);
      continue;
    }
    const absl::Status& status = chunk.response.status();
    if (absl::IsInvalidArgument(status) && chunk.files.size() > 1) {
      std::vector<Chunk> singles = SplitUp(chunk, options);
      SendAll(&singles, options.parallel, &session.client());
      first.Update(PrintAll(&singles, options, marks, session));
      continue;
    }
    if (!absl::IsInvalidArgument(status)) return status;  // the others would fail alike
    session.io().err << chunk.files.front() << ": " << DescribeError(status) << "\n";
    first.Update(status);
  }
  return first;
}

absl::StatusOr<int> Predict(const PredictOptions& options, Session& session) {
  absl::StatusOr<std::vector<Chunk>> chunks = ReadChunks(options);
  if (!chunks.ok()) return UsageError(chunks.status());
  ASSIGN_OR_RETURN(const v1::Model model,
                   session.client().GetModel(options.model, options.version));
  const absl::Time start = absl::Now();
  SendAll(&*chunks, options.parallel, &session.client());
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const bool marks = model.task() == v1::TASK_MULTI_LABEL || model.task() == v1::TASK_BINARY;
  const absl::Status status = PrintAll(&*chunks, options, marks, session);
  if (absl::IsInvalidArgument(status)) return kExitRefused;  // told image by image
  RETURN_IF_ERROR(status);
  if (options.files.size() > 1 && !session.json()) {
    session.io().err << absl::StrFormat("%d images in %.2f s, %.1f images/s\n",
                                        options.files.size(), seconds,
                                        static_cast<double>(options.files.size()) / seconds);
  }
  return kExitOk;
}

}  // namespace

void AddPredict(CLI::App* app, Action* action) {
  CLI::App* predict = app->add_subcommand("predict", "Classify image files");
  const auto options = std::make_shared<PredictOptions>();
  predict->add_option("MODEL", options->model, "Name of the model")->required();
  predict->add_option("FILES", options->files, "JPEG, PNG, WebP or BMP files")->required();
  predict->add_option("--version", options->version,
                      "Version of the model, or an alias; default: the newest");
  predict->add_option("--top-k", options->top_k, "Only the most probable labels; default: all");
  predict->add_option("--threshold", options->threshold,
                      "Multi-label: from which probability on a label applies");
  predict->add_option("--batch", options->batch, "Most images a request")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  predict->add_option("--parallel", options->parallel, "Requests at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  predict->callback(
      [=] { *action = [=](Session& session) { return Predict(*options, session); }; });
}

}  // namespace fovea::cli
