// Training that begins with a version in the repository, through a real server.
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/model/format.h"
#include "core/nets/freeze.h"
#include "gmock/gmock.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class FineTuneTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    ImportTiny();
    grpc::Status status;
    Train(TinyTraining(6), &status);
    ASSERT_EQ(Text(status), "OK");
  }

  // Pictures like those of "tiny" under other names, west twice as often as east.
  void ImportCompass() {
    ASSERT_EQ(Text(Create("compass")), "OK");
    std::vector<v1::ImportItem> items;
    for (int i = 0; i < 30; ++i) {
      for (int label : {0, 1}) {
        items.push_back(Item(label, i));
        items.back().mutable_labels()->set_names(0, label == 0 ? "west" : "east");
      }
      v1::ImportItem item = Item(0, 100 + i);
      item.mutable_labels()->set_names(0, "west");
      items.push_back(std::move(item));
    }
    v1::ImportHeader header;
    header.set_dataset("compass");
    v1::ImportSummary summary;
    ASSERT_EQ(Text(Import(header, items, &summary)), "OK");
  }

  // A training of "compass" that begins with "tiny".
  static v1::TrainRequest Tuning(int epochs) {
    v1::TrainRequest request = TinyTraining(epochs, "compass");
    request.mutable_config()->clear_mlp();  // tiny's
    request.mutable_config()->mutable_fine_tune()->set_model("tiny");
    return request;
  }

  Model ReadVersion(const std::string& model, int version) {
    auto read = ReadModel(FileSystem::Real(),
                          folder_.File(absl::StrCat("data/models/", model, "/", version)));
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *std::move(read) : Model();
  }

  std::string TrainText(const v1::TrainRequest& request) {
    grpc::Status status;
    Train(request, &status);
    return Text(status);
  }
};

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

TEST_F(FineTuneTest, KeepsTheFrozenBodyAndLearnsANewHead) {
  ImportCompass();
  v1::TrainRequest request = Tuning(6);
  const Model start = ReadVersion("tiny", 1);
  // All but the last layer.
  std::vector<std::string> body;
  for (const v1::Layer& layer : start.manifest.layers()) {
    if (layer.parameters() > 0) body.push_back(layer.name());
  }
  ASSERT_GE(body.size(), 2);
  const std::string head = body.back();
  body.pop_back();
  for (const std::string& layer : body) {
    request.mutable_config()->mutable_fine_tune()->add_freeze(layer);
  }
  grpc::Status status;
  const std::vector<v1::JobEvent> events = Train(request, &status);
  ASSERT_EQ(Text(status), "OK");
  std::string note;
  v1::Measures measures;
  for (const v1::JobEvent& event : events) {
    if (event.has_note()) note = event.note().text();
    if (event.has_published()) measures = event.published().measures();
  }
  EXPECT_THAT(note, HasSubstr("begins with the weights of model \"tiny\" version 1"));
  EXPECT_GE(measures.single_label().accuracy(), 0.9);

  const Model tuned = ReadVersion("compass", 1);
  EXPECT_EQ(tuned.manifest.training().config().fine_tune().version(), 1);
  EXPECT_EQ(tuned.manifest.labels_size(), 2);
  EXPECT_EQ(tuned.values.size(), start.values.size());
  for (const auto& [name, value] : tuned.values) {
    EXPECT_EQ(SameBits(value, start.values.at(name)), !IsUnder(name, head)) << name;
  }
  EXPECT_FALSE(FileSystem::Real()->Exists(folder_.File("data/jobs/.staging")));
}

TEST_F(FineTuneTest, DoesNotMindThatTheVersionIsDeletedWhileItWaits) {
  ImportCompass();
  // Occupies the trainer.
  const auto first_context = Context();
  const auto first = classifier_->Train(first_context.get(), TinyTraining(100'000));
  v1::JobEvent event;
  ASSERT_TRUE(first->Read(&event));
  const std::string busy = event.job_id();

  const auto context = Context();
  const auto waiting = classifier_->Train(context.get(), Tuning(2));
  ASSERT_TRUE(waiting->Read(&event));
  ASSERT_EQ(event.state_change().state(), v1::JOB_STATE_PENDING);
  const std::string tuning = event.job_id();

  v1::DeleteModelRequest request;
  request.set_name("tiny");
  google::protobuf::Empty empty;
  ASSERT_EQ(Text(models_->Delete(Context().get(), request, &empty)), "OK");
  Cancel(busy);
  grpc::Status status;
  ReadAll(*waiting, &status);
  EXPECT_EQ(Text(status), "OK");
  const v1::Job job = GetJob(tuning);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
}

TEST_F(FineTuneTest, SaysWhatIsWrongBeforeAnythingStarts) {
  ImportCompass();
  v1::TrainRequest request = Tuning(1);
  v1::FineTune& tune = *request.mutable_config()->mutable_fine_tune();
  tune.set_model("nothing");
  EXPECT_THAT(TrainText(request), StartsWith("NOT_FOUND: no model \"nothing\""));
  tune.set_model("tiny");
  tune.set_version(7);
  EXPECT_THAT(TrainText(request), HasSubstr("model \"tiny\" has no version 7, only 1"));
  tune.clear_model();
  EXPECT_THAT(TrainText(request),
              StartsWith("INVALID_ARGUMENT: config.fine_tune.model: found none"));
  tune.set_model("tiny");
  tune.clear_version();
  tune.add_freeze("layer9");
  EXPECT_THAT(TrainText(request),
              HasSubstr("config.fine_tune.freeze[0]: found no layer below \"layer9\", expected"));
  tune.clear_freeze();
  request.mutable_config()->set_net("lenet");
  EXPECT_THAT(TrainText(request),
              HasSubstr("config.architecture: found net: \"lenet\", expected mlp { hidden: 4 }"));
  v1::ListJobsResponse jobs;
  ASSERT_EQ(Text(jobs_->List(Context().get(), {}, &jobs)), "OK");
  EXPECT_EQ(jobs.jobs_size(), 1);
}

}  // namespace
}  // namespace fovea
