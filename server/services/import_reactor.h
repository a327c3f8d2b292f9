// One Import stream: header, then items into an ImportSession, then the summary.
//
// Private to server/services. Nothing is kept unless the client ends the stream itself: a stream
// that breaks is cancelled, and the session is destroyed without a commit.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "core/base/cancel.h"
#include "core/base/thread_pool.h"
#include "core/data/store.h"
#include "fovea/v1/datasets.pb.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/call.h"
#include "server/services/dataset_registry.h"
#include "server/telemetry/metrics.h"

namespace fovea {

class ImportReactor : public grpc::ServerReadReactor<v1::ImportRequest> {
 public:
  struct Shared {  // by all streams; outlives them
    DatasetRegistry* registry;
    ThreadPool* pool;
    const DatasetMetrics* metrics;
    int max_streams;
    std::atomic<int> streams = 0;
  };

  ImportReactor(const Method& method, grpc::CallbackServerContext* context, Shared* shared,
                v1::ImportSummary* response);
  ~ImportReactor() override;

  void OnReadDone(bool ok) override;
  void OnCancel() override { cancel_.Cancel(); }
  void OnDone() override { delete this; }

 private:
  void Take();  // one message, on the pool
  absl::Status Begin(const v1::ImportHeader& header);
  absl::Status Add(v1::ImportItem& item);
  void Commit();  // on the pool
  // Both are the last thing a member function does.
  void Answer(const ImportSummary& summary);
  void End(const absl::Status& status);

  const Call call_;
  Shared* const shared_;
  v1::ImportSummary* const response_;
  CancelToken cancel_;
  v1::ImportRequest request_;
  std::string dataset_;
  std::shared_ptr<DatasetStore> store_;
  std::unique_ptr<ImportSession> session_;
  std::optional<ImportSummary> earlier_;  // of the first import with this request id
};

}  // namespace fovea
