// A real server in this process, on free ports and a folder of its own, and clients for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "fovea/v1/classifier.grpc.pb.h"
#include "fovea/v1/datasets.grpc.pb.h"
#include "fovea/v1/jobs.grpc.pb.h"
#include "fovea/v1/models.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/app.h"
#include "tests/testing/temp_dir.h"

namespace fovea {

// A PNG of 8 x 8 grey pixels: bright at the left for label 0, at the right for label 1; no two
// variants are equal.
std::string TinyPng(int label, int variant);

// A PNG of grey pixels, rows from the top: width x height bytes.
std::string GreyPng(int width, int height, const std::string& pixels);

// The context of a call that fails rather than hangs.
std::unique_ptr<grpc::ClientContext> Context(absl::Duration timeout = absl::Seconds(120));

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override { StartServer(); }

  // Starts the server, again on the same folder after StopServer.
  void StartServer();
  void StopServer() { app_.reset(); }
  // What StartServer uses; may be changed before.
  virtual Config MakeConfig() const;

  // A data set "tiny" with labels left and right, `per_label` images each.
  void ImportTiny(const std::string& name = "tiny", int per_label = 30);
  grpc::Status Create(const std::string& name, v1::Task task = v1::TASK_SINGLE_LABEL);
  grpc::Status Import(const v1::ImportHeader& header, const std::vector<v1::ImportItem>& items,
                      v1::ImportSummary* summary);
  static v1::ImportItem Item(int label, int variant);

  // An mlp that trains in an instant; on the reference backend unless told otherwise.
  static v1::TrainRequest TinyTraining(int epochs, const std::string& dataset = "tiny");
  // Reads a stream to its end.
  static std::vector<v1::JobEvent> ReadAll(grpc::ClientReader<v1::JobEvent>& reader,
                                           grpc::Status* status);
  std::vector<v1::JobEvent> Train(const v1::TrainRequest& request, grpc::Status* status);
  std::vector<v1::JobEvent> Watch(const std::string& id, uint64_t after, grpc::Status* status);
  v1::Job GetJob(const std::string& id);
  // Ends the job of a test that does not wait for it.
  void Cancel(const std::string& id);

  // The value of a line of the metrics page, −1 when there is none.
  double Metric(const std::string& series);

  testing::TempDir folder_;
  std::unique_ptr<App> app_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Classifier::Stub> classifier_;
  std::unique_ptr<v1::Datasets::Stub> datasets_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
  std::unique_ptr<v1::Models::Stub> models_;
};

// "OK" or "NOT_FOUND: message".
std::string Text(const grpc::Status& status);

// Ids of processes of this name whose parent is this process.
std::vector<int> Children(const std::string& name);

// The body of GET `path` from 127.0.0.1.
std::string HttpGet(int port, const std::string& path);

}  // namespace fovea
