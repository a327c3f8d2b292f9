#include "tests/e2e/server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/base/check.h"
#include "core/data/decode.h"

namespace fovea {

std::string TinyPng(int label, int variant) {
  Image image{8, 8, 1, std::vector<uint8_t>(64)};
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const bool bright = (x < 4) == (label == 0);
      image.pixels[y * 8 + x] = static_cast<uint8_t>((bright ? 200 : 20) + (x + y) % 3);
    }
  }
  image.pixels[0] = static_cast<uint8_t>(image.pixels[0] + variant % 16);
  image.pixels[63] = static_cast<uint8_t>(image.pixels[63] + variant / 16);
  return EncodePng(image).value();
}

std::string GreyPng(int width, int height, const std::string& pixels) {
  return EncodePng({width, height, 1, {pixels.begin(), pixels.end()}}).value();
}

std::unique_ptr<grpc::ClientContext> Context(absl::Duration timeout) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return context;
}

void ServerTest::StartServer() {
  auto app = App::Start(MakeConfig());
  ASSERT_TRUE(app.ok()) << app.status();
  app_ = *std::move(app);
  channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", app_->grpc_port()),
                                 grpc::InsecureChannelCredentials());
  classifier_ = v1::Classifier::NewStub(channel_);
  datasets_ = v1::Datasets::NewStub(channel_);
  jobs_ = v1::Jobs::NewStub(channel_);
  models_ = v1::Models::NewStub(channel_);
}

Config ServerTest::MakeConfig() const {
  Config config;
  config.data_dir = folder_.File("data");
  config.listen = "127.0.0.1:0";
  config.metrics = "127.0.0.1:0";
  config.trainer = FOVEA_TRAINER;
  config.backend = "reference";
  config.threads = 2;
  config.idle_trainer = false;  // a busy machine would never let it run
  config.log_level = "warning";
  return config;
}

grpc::Status ServerTest::Create(const std::string& name, v1::Task task) {
  v1::CreateDatasetRequest request;
  request.set_name(name);
  request.set_task(task);
  v1::Dataset dataset;
  return datasets_->Create(Context().get(), request, &dataset);
}

v1::ImportItem ServerTest::Item(int label, int variant) {
  v1::ImportItem item;
  item.set_image(TinyPng(label, variant));
  item.mutable_labels()->add_names(label == 0 ? "left" : "right");
  item.set_name(absl::StrCat(label, "-", variant, ".png"));
  return item;
}

grpc::Status ServerTest::Import(const v1::ImportHeader& header,
                                const std::vector<v1::ImportItem>& items,
                                v1::ImportSummary* summary) {
  const auto context = Context();
  const auto writer = datasets_->Import(context.get(), summary);
  v1::ImportRequest request;
  *request.mutable_header() = header;
  bool open = writer->Write(request);
  for (size_t i = 0; open && i < items.size(); ++i) {
    *request.mutable_item() = items[i];
    open = writer->Write(request);
  }
  writer->WritesDone();
  return writer->Finish();
}

void ServerTest::ImportTiny(const std::string& name, int per_label) {
  ASSERT_EQ(Text(Create(name)), "OK");
  std::vector<v1::ImportItem> items;
  for (int i = 0; i < per_label; ++i) {
    items.push_back(Item(0, i));
    items.push_back(Item(1, i));
  }
  v1::ImportHeader header;
  header.set_dataset(name);
  v1::ImportSummary summary;
  ASSERT_EQ(Text(Import(header, items, &summary)), "OK");
  ASSERT_EQ(summary.imported(), items.size()) << summary.DebugString();
}

v1::TrainRequest ServerTest::TinyTraining(int epochs, const std::string& dataset) {
  v1::TrainRequest request;
  request.set_dataset(dataset);
  v1::TrainingConfig* config = request.mutable_config();
  config->mutable_mlp()->add_hidden(4);
  config->set_batch_size(8);
  config->set_epochs(epochs);
  config->set_backend(v1::BACKEND_REFERENCE);
  config->set_width(1);
  config->mutable_augmentation()->set_pad_and_crop_pixels(0);
  return request;
}

std::vector<v1::JobEvent> ServerTest::ReadAll(grpc::ClientReader<v1::JobEvent>& reader,
                                              grpc::Status* status) {
  std::vector<v1::JobEvent> events;
  v1::JobEvent event;
  while (reader.Read(&event)) events.push_back(event);
  *status = reader.Finish();
  return events;
}

std::vector<v1::JobEvent> ServerTest::Train(const v1::TrainRequest& request, grpc::Status* status) {
  const auto context = Context();
  return ReadAll(*classifier_->Train(context.get(), request), status);
}

std::vector<v1::JobEvent> ServerTest::Watch(const std::string& id, uint64_t after,
                                            grpc::Status* status) {
  v1::WatchJobRequest request;
  request.set_id(id);
  request.set_after_event(after);
  const auto context = Context();
  return ReadAll(*jobs_->Watch(context.get(), request), status);
}

v1::Job ServerTest::GetJob(const std::string& id) {
  v1::GetJobRequest request;
  request.set_id(id);
  v1::Job job;
  EXPECT_EQ(Text(jobs_->Get(Context().get(), request, &job)), "OK");
  return job;
}

void ServerTest::Cancel(const std::string& id) {
  v1::CancelJobRequest request;
  request.set_id(id);
  v1::Job job;
  EXPECT_EQ(Text(jobs_->Cancel(Context().get(), request, &job)), "OK");
}

double ServerTest::Metric(const std::string& series) {
  const std::string page = HttpGet(app_->metrics_port(), "/metrics");
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    double value = 0;
    if (absl::ConsumePrefix(&line, series + " ") && absl::SimpleAtod(line, &value)) return value;
  }
  return -1;
}

std::string Text(const grpc::Status& status) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  if (status.ok()) return "OK";
  return absl::StrCat(kNames[status.error_code()], ": ", status.error_message());
}

std::vector<int> Children(const std::string& name) {
  std::vector<int> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream file(entry.path() / "stat");
    const std::string stat(std::istreambuf_iterator<char>(file), {});
    const size_t close = stat.rfind(')');
    if (close == std::string::npos) continue;
    const std::vector<std::string> fields = absl::StrSplit(stat.substr(close + 2), ' ');
    int parent = 0;
    if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &parent) || parent != getpid()) continue;
    const auto program = std::filesystem::read_symlink(entry.path() / "exe", error);
    if (program.filename() == name) children.push_back(pid);
  }
  return children;
}

std::string HttpGet(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) answer.append(buffer, n);
  close(fd);
  return answer;
}

}  // namespace fovea
