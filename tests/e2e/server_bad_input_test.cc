// What is wrong gets the right code and a message with what was found and expected; the server
// keeps serving.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/base/random.h"
#include "core/data/decode.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// 99 x 100 pixels that do not compress: about 30,000 bytes.
std::string NoisyPng() {
  Image image{99, 100, 3, std::vector<uint8_t>(99 * 100 * 3)};
  Random random(1);
  for (uint8_t& byte : image.pixels) byte = static_cast<uint8_t>(random.Below(256));
  return EncodePng(image).value();
}

class BadInputTest : public ServerTest {
 protected:
  Config MakeConfig() const override {
    Config config = ServerTest::MakeConfig();
    config.data_root = folder_.File("root");
    config.limits.max_images = 4;
    config.limits.decode.max_pixels = 10'000;
    config.limits.decode.max_bytes = 20'000;
    return config;
  }
  void SetUp() override {
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(folder_.File("root")).ok());
    ServerTest::SetUp();
  }

  std::string TrainText(const v1::TrainRequest& request) {
    grpc::Status status;
    Train(request, &status);
    return Text(status);
  }
  std::string PredictText(const v1::PredictRequest& request) {
    v1::PredictResponse response;
    return Text(classifier_->Predict(Context().get(), request, &response));
  }
  std::string ImportPathText(const v1::ImportPathRequest& request) {
    v1::ImportSummary summary;
    return Text(datasets_->ImportPath(Context().get(), request, &summary));
  }
};

TEST_F(BadInputTest, PredictSaysWhichImageAndWhy) {
  ImportTiny();
  grpc::Status status;
  Train(TinyTraining(1), &status);
  ASSERT_EQ(Text(status), "OK");
  const std::string good = TinyPng(0, 1);
  // A header that announces 40000 x 40000 pixels.
  std::string bomb = good;
  bomb.replace(16, 8, std::string("\x00\x00\x9c\x40\x00\x00\x9c\x40", 8));
  const struct {
    std::function<void(v1::PredictRequest&)> change;
    const char* answer;
  } kCases[] = {
      {[](auto& r) { r.clear_model(); }, "INVALID_ARGUMENT: model: found none"},
      {[](auto& r) { r.set_model("other"); }, "NOT_FOUND: "},
      {[](auto& r) { r.set_model("../etc"); }, "INVALID_ARGUMENT: "},
      {[](auto& r) { r.set_version(9); }, "NOT_FOUND: "},
      {[](auto& r) { r.clear_images(); }, "INVALID_ARGUMENT: images: found 0, expected 1 to 4"},
      {[&](auto& r) {
         for (int i = 0; i < 4; ++i) r.add_images()->set_encoded(good);
       },
       "INVALID_ARGUMENT: images: found 5, expected 1 to 4"},
      {[](auto& r) { r.set_top_k(0); }, "INVALID_ARGUMENT: top_k: found 0"},
      {[](auto& r) { r.set_threshold(0.5); }, "INVALID_ARGUMENT: threshold: "},
      {[](auto& r) { r.set_threshold(2); }, "INVALID_ARGUMENT: threshold: found 2"},
      {[](auto& r) { r.set_priority(static_cast<v1::Priority>(7)); },
       "INVALID_ARGUMENT: priority: found 7, expected 0 to 3"},
      {[](auto& r) { r.add_images(); }, "INVALID_ARGUMENT: images[1].encoded: found no bytes"},
      {[](auto& r) { r.add_images()->set_encoded("GIF89a"); },
       "INVALID_ARGUMENT: images[1].encoded: "},
      {[&](auto& r) { r.add_images()->set_encoded(good.substr(0, good.size() / 2)); },
       "INVALID_ARGUMENT: images[1].encoded: "},
      {[&](auto& r) { r.add_images()->set_encoded(bomb); },
       "INVALID_ARGUMENT: images[1].encoded: "},
      {[](auto& r) { r.add_images()->set_encoded(NoisyPng()); },
       "INVALID_ARGUMENT: images[1].encoded: "},
      {[](auto& r) {
         v1::RawImage* raw = r.add_images()->mutable_raw();
         raw->set_width(2);
         raw->set_height(2);
         raw->set_channels(2);
       },
       "INVALID_ARGUMENT: images[1].raw.channels: found 2, expected 1 (grey) or 3 (RGB)"},
      {[](auto& r) {
         v1::RawImage* raw = r.add_images()->mutable_raw();
         raw->set_width(2);
         raw->set_height(2);
         raw->set_channels(1);
         raw->set_pixels("abc");
       },
       "INVALID_ARGUMENT: images[1].raw.pixels: found 3 bytes, expected 4"},
      {[](auto& r) {
         v1::RawImage* raw = r.add_images()->mutable_raw();
         raw->set_width(0xffffffff);
         raw->set_height(0xffffffff);
         raw->set_channels(3);
       },
       "INVALID_ARGUMENT: images[1].raw: found 4294967295x4294967295 pixels"},
  };
  for (const auto& each : kCases) {
    v1::PredictRequest request;
    request.set_model("tiny");
    request.add_images()->set_encoded(good);
    each.change(request);
    EXPECT_THAT(PredictText(request), StartsWith(each.answer));
  }
  v1::PredictRequest request;
  request.set_model("tiny");
  request.add_images()->set_encoded(good);
  EXPECT_EQ(PredictText(request), "OK");
}

TEST_F(BadInputTest, TrainRefusesBeforeAnythingStarts) {
  ImportTiny();
  ASSERT_EQ(Text(Create("empty")), "OK");
  const struct {
    std::function<void(v1::TrainRequest&)> change;
    const char* answer;
  } kCases[] = {
      {[](auto& r) { r.set_dataset("none"); }, "NOT_FOUND: there is no data set \"none\""},
      {[](auto& r) { r.set_dataset("empty"); }, "FAILED_PRECONDITION: "},
      {[](auto& r) { r.set_model("No Such Name"); }, "INVALID_ARGUMENT: "},
      {[](auto& r) { r.set_request_id(std::string(200, 'x')); },
       "INVALID_ARGUMENT: request_id: found 200 bytes, expected at most 128"},
      {[](auto& r) { r.mutable_config()->set_net("alexnet2000"); }, "INVALID_ARGUMENT: config."},
      {[](auto& r) { r.mutable_config()->set_learning_rate(-1); },
       "INVALID_ARGUMENT: config.learning_rate: found -1"},
      {[](auto& r) { r.mutable_config()->set_batch_size(1'000'000); },
       "INVALID_ARGUMENT: config.batch_size: found 1000000"},
      {[](auto& r) { r.mutable_config()->set_epochs(0); }, "INVALID_ARGUMENT: config.epochs: "},
      {[](auto& r) { r.mutable_config()->set_task(v1::TASK_MULTI_LABEL); },
       "INVALID_ARGUMENT: config.task: "},
  };
  for (const auto& each : kCases) {
    v1::TrainRequest request = TinyTraining(1);
    each.change(request);
    EXPECT_THAT(TrainText(request), StartsWith(each.answer));
  }
  v1::ListJobsResponse jobs;
  ASSERT_EQ(Text(jobs_->List(Context().get(), {}, &jobs)), "OK");
  EXPECT_EQ(jobs.jobs_size(), 0);
}

TEST_F(BadInputTest, ADatasetOfOneClassOrWithoutASplitCannotBeTrainedOn) {
  ASSERT_EQ(Text(Create("one")), "OK");
  v1::ImportHeader header;
  header.set_dataset("one");
  v1::ImportSummary summary;
  std::vector<v1::ImportItem> items;
  for (int i = 0; i < 20; ++i) items.push_back(Item(0, i));
  ASSERT_EQ(Text(Import(header, items, &summary)), "OK");
  EXPECT_THAT(TrainText(TinyTraining(1, "one")), StartsWith("FAILED_PRECONDITION: "));

  ASSERT_EQ(Text(Create("no-train")), "OK");
  header.set_dataset("no-train");
  items = {Item(0, 0), Item(1, 0)};
  for (v1::ImportItem& item : items) item.set_split(v1::SPLIT_TEST);
  ASSERT_EQ(Text(Import(header, items, &summary)), "OK");
  EXPECT_THAT(TrainText(TinyTraining(1, "no-train")), StartsWith("FAILED_PRECONDITION: "));
}

TEST_F(BadInputTest, ConfigErrorsCarryTheirFields) {
  ImportTiny();
  v1::TrainRequest request = TinyTraining(1);
  request.mutable_config()->mutable_adam()->set_beta1(1.5);
  request.mutable_config()->set_dropout(-1);
  grpc::Status status;
  Train(request, &status);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  std::vector<std::string> fields;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::BadRequest bad;
    if (!any.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) fields.push_back(violation.field());
  }
  EXPECT_THAT(fields,
              ::testing::UnorderedElementsAre("config.optimizer.adam.beta1", "config.dropout"));
}

TEST_F(BadInputTest, ImportReportsEachBadItemAndKeepsTheRest) {
  ASSERT_EQ(Text(Create("mixed")), "OK");
  std::vector<v1::ImportItem> items = {Item(0, 1), Item(1, 1)};
  v1::ImportItem item = Item(0, 2);
  item.set_image("");
  items.push_back(item);        // 2: empty
  items.push_back(Item(0, 1));  // 3: the same picture
  item = Item(0, 3);
  item.clear_labels();
  items.push_back(item);  // 4: unlabelled
  item = Item(0, 4);
  item.mutable_labels()->add_names("second");
  items.push_back(item);  // 5: two labels
  item = Item(0, 5);
  item.set_image(NoisyPng());
  items.push_back(item);  // 6: too large
  item = Item(0, 6);
  item.set_image("no picture at all");
  items.push_back(item);  // 7: unknown
  v1::ImportHeader header;
  header.set_dataset("mixed");
  header.set_request_id("mixed-1");
  v1::ImportSummary summary;
  ASSERT_EQ(Text(Import(header, items, &summary)), "OK");
  EXPECT_EQ(summary.received(), 8u);
  EXPECT_EQ(summary.imported(), 2u);
  ASSERT_EQ(summary.errors_size(), 6);
  const v1::ImportErrorReason reasons[] = {
      v1::IMPORT_ERROR_REASON_CORRUPT,    v1::IMPORT_ERROR_REASON_DUPLICATE,
      v1::IMPORT_ERROR_REASON_UNLABELLED, v1::IMPORT_ERROR_REASON_LABEL_COUNT,
      v1::IMPORT_ERROR_REASON_OVERSIZED,  v1::IMPORT_ERROR_REASON_UNSUPPORTED};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(summary.errors(i).index(), static_cast<uint64_t>(i + 2));
    EXPECT_EQ(summary.errors(i).reason(), reasons[i]) << summary.errors(i).ShortDebugString();
  }
  v1::ImportSummary again;
  ASSERT_EQ(Text(Import(header, items, &again)), "OK");
  EXPECT_EQ(again.SerializeAsString(), summary.SerializeAsString());
}

TEST_F(BadInputTest, ABrokenImportStreamKeepsNothing) {
  ASSERT_EQ(Text(Create("broken")), "OK");
  v1::ImportSummary summary;
  {
    const auto context = Context();
    const auto writer = datasets_->Import(context.get(), &summary);
    v1::ImportRequest request;
    request.mutable_header()->set_dataset("broken");
    ASSERT_TRUE(writer->Write(request));
    *request.mutable_item() = Item(0, 1);
    ASSERT_TRUE(writer->Write(request));
    context->TryCancel();
    EXPECT_THAT(Text(writer->Finish()), StartsWith("CANCELLED"));
  }
  // The next import begins when the broken one has rolled back.
  v1::ImportHeader header;
  header.set_dataset("broken");
  std::string answer;
  for (int i = 0; i < 1000; ++i) {
    answer = Text(Import(header, {Item(1, 1)}, &summary));
    if (answer.rfind("UNAVAILABLE", 0) != 0) break;
  }
  ASSERT_EQ(answer, "OK");
  v1::GetDatasetRequest get;
  get.set_name("broken");
  v1::Dataset dataset;
  ASSERT_EQ(Text(datasets_->Get(Context().get(), get, &dataset)), "OK");
  EXPECT_EQ(dataset.images().train() + dataset.images().validation() + dataset.images().test(), 1u);
  EXPECT_EQ(dataset.labels_size(), 1);
}

TEST_F(BadInputTest, ImportStreamsMustBeginWithAHeader) {
  v1::ImportSummary summary;
  const auto context = Context();
  const auto writer = datasets_->Import(context.get(), &summary);
  v1::ImportRequest request;
  *request.mutable_item() = Item(0, 1);
  writer->Write(request);
  writer->WritesDone();
  EXPECT_THAT(Text(writer->Finish()), StartsWith("INVALID_ARGUMENT: part: found an item first"));
  v1::ImportHeader header;
  header.set_dataset("none");
  EXPECT_THAT(Text(Import(header, {}, &summary)), StartsWith("NOT_FOUND: "));
}

TEST_F(BadInputTest, ImportPathStaysBelowTheDataRoot) {
  ASSERT_EQ(Text(Create("paths")), "OK");
  v1::ImportPathRequest request;
  request.set_dataset("paths");
  EXPECT_THAT(ImportPathText(request), StartsWith("INVALID_ARGUMENT: format: found none"));
  for (const char* path : {"../data", "/etc", "a/../../data", ""}) {
    request.mutable_folder_per_class()->set_path(path);
    EXPECT_THAT(ImportPathText(request), StartsWith("INVALID_ARGUMENT: ")) << path;
  }
  request.mutable_folder_per_class()->set_path("missing");
  EXPECT_THAT(ImportPathText(request), StartsWith("NOT_FOUND: "));
  for (const char* label : {"left", "right"}) {
    const std::string folder = folder_.File(absl::StrCat("root/pictures/", label));
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(folder).ok());
    ASSERT_TRUE(FileSystem::Real()
                    ->WriteAtomically(JoinPath(folder, "a.png"), TinyPng(label[0] == 'r', 1))
                    .ok());
  }
  request.mutable_folder_per_class()->set_path("pictures");
  v1::ImportSummary summary;
  ASSERT_EQ(Text(datasets_->ImportPath(Context().get(), request, &summary)), "OK");
  EXPECT_EQ(summary.imported(), 2u) << summary.DebugString();
}

TEST_F(BadInputTest, NamesAndTokensAndUnknownIdsAreRefused) {
  EXPECT_THAT(Text(Create("Bad Name")), StartsWith("INVALID_ARGUMENT: "));
  EXPECT_THAT(Text(Create("..")), StartsWith("INVALID_ARGUMENT: "));
  ASSERT_EQ(Text(Create("taken")), "OK");
  EXPECT_THAT(Text(Create("taken")), StartsWith("ALREADY_EXISTS: "));
  v1::ListJobsRequest list;
  list.set_page_size(5000);
  v1::ListJobsResponse jobs;
  EXPECT_THAT(Text(jobs_->List(Context().get(), list, &jobs)),
              StartsWith("INVALID_ARGUMENT: page_size: found 5000, expected 1 to 1000"));
  list.set_page_size(5);
  list.set_page_token("???");
  EXPECT_THAT(Text(jobs_->List(Context().get(), list, &jobs)),
              StartsWith("INVALID_ARGUMENT: page_token: "));
  v1::GetJobRequest get;
  get.set_id("job-99");
  v1::Job job;
  EXPECT_THAT(Text(jobs_->Get(Context().get(), get, &job)),
              StartsWith("NOT_FOUND: there is no job \"job-99\""));
  grpc::Status status;
  Watch("job-99", 0, &status);
  EXPECT_THAT(Text(status), StartsWith("NOT_FOUND: "));
  v1::EvaluateRequest evaluate;
  evaluate.set_model("none");
  evaluate.set_dataset("taken");
  v1::Report report;
  EXPECT_THAT(Text(classifier_->Evaluate(Context().get(), evaluate, &report)),
              StartsWith("NOT_FOUND: "));
}

TEST_F(BadInputTest, EvaluateNeedsAFittingDatasetAndImages) {
  ImportTiny();
  grpc::Status status;
  Train(TinyTraining(1), &status);
  ASSERT_EQ(Text(status), "OK");
  ASSERT_EQ(Text(Create("other")), "OK");
  v1::EvaluateRequest request;
  request.set_model("tiny");
  request.set_dataset("other");
  v1::Report report;
  EXPECT_THAT(Text(classifier_->Evaluate(Context().get(), request, &report)),
              StartsWith("FAILED_PRECONDITION: "));
  v1::ImportItem item = Item(0, 1);
  item.mutable_labels()->set_names(0, "above");
  item.set_split(v1::SPLIT_TEST);
  v1::ImportHeader header;
  header.set_dataset("other");
  v1::ImportSummary summary;
  ASSERT_EQ(Text(Import(header, {item}, &summary)), "OK");
  EXPECT_THAT(Text(classifier_->Evaluate(Context().get(), request, &report)),
              StartsWith("INVALID_ARGUMENT: dataset: found label \"above\", expected those of"));
  ASSERT_EQ(Text(Create("many", v1::TASK_MULTI_LABEL)), "OK");
  request.set_dataset("many");
  EXPECT_THAT(Text(classifier_->Evaluate(Context().get(), request, &report)),
              StartsWith("INVALID_ARGUMENT: dataset: found TASK_MULTI_LABEL"));
}

}  // namespace
}  // namespace fovea
