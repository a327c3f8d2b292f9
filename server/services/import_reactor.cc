#include "server/services/import_reactor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/rpc/errors.h"
#include "server/services/dataset_convert.h"

namespace fovea {
namespace {

// gRPC says "no more messages" both when the client ended its stream and when the stream broke; a
// break is followed by OnCancel, on another thread. So long a commit waits for it.
constexpr absl::Duration kBreakNotice = absl::Milliseconds(25);

}  // namespace

ImportReactor::ImportReactor(const Method& method, grpc::CallbackServerContext* context,
                             Shared* shared, v1::ImportSummary* response)
    : call_(method, context), shared_(shared), response_(response) {
  if (shared_->streams.fetch_add(1) >= shared_->max_streams) {
    End(WithRetryDelay(
        absl::ResourceExhaustedError(
            absl::StrCat("found ", shared_->max_streams, " import streams, the most that may run")),
        absl::Seconds(5)));
    return;
  }
  StartRead(&request_);
}

ImportReactor::~ImportReactor() { shared_->streams.fetch_sub(1); }

void ImportReactor::OnReadDone(bool ok) {
  shared_->pool->Schedule([this, ok] { ok ? Take() : Commit(); });
}

void ImportReactor::Take() {
  absl::Status status = CheckNotCancelled(&cancel_);
  if (status.ok()) {
    switch (request_.part_case()) {
      case v1::ImportRequest::kHeader:
        status = Begin(request_.header());
        break;
      case v1::ImportRequest::kItem:
        status = Add(*request_.mutable_item());
        break;
      case v1::ImportRequest::PART_NOT_SET:
        status = InvalidField("part", "found neither, expected a header or an item");
    }
  }
  if (!status.ok()) return End(status);
  if (earlier_.has_value()) return Answer(*earlier_);
  StartRead(&request_);
}

absl::Status ImportReactor::Begin(const v1::ImportHeader& header) {
  if (store_ != nullptr) {
    return InvalidField("header", "found a second one, expected items after the first message");
  }
  if (header.request_id().size() > kMaxRequestIdBytes) {
    return InvalidField("header.request_id",
                        absl::StrCat("found ", header.request_id().size(),
                                     " bytes, expected at most ", kMaxRequestIdBytes));
  }
  dataset_ = header.dataset();
  ASSIGN_OR_RETURN(store_, shared_->registry->Get(dataset_));
  if (!header.request_id().empty()) {
    ASSIGN_OR_RETURN(earlier_, store_->FindImport(header.request_id()));
    if (earlier_.has_value()) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(session_, store_->BeginImport(header.request_id()));
  return absl::OkStatus();
}

absl::Status ImportReactor::Add(v1::ImportItem& item) {
  if (session_ == nullptr) {
    return InvalidField("part", "found an item first, expected the header");
  }
  ASSIGN_OR_RETURN(const std::optional<Split> split, ToSplit(item.split()));
  return session_->Add(ToItem(item, split));
}

void ImportReactor::Commit() {
  if (cancel_.WaitFor(kBreakNotice)) {
    return End(absl::CancelledError("the stream broke before its end; nothing was kept"));
  }
  if (session_ == nullptr) {
    return End(InvalidField("header", "found the end of the stream, expected a header"));
  }
  absl::StatusOr<ImportSummary> summary = session_->Commit();
  if (!summary.ok()) return End(summary.status());
  shared_->metrics->imported.Add(static_cast<double>(summary->imported));
  shared_->metrics->rejected.Add(static_cast<double>(summary->rejected));
  Answer(*summary);
}

void ImportReactor::Answer(const ImportSummary& summary) {
  *response_ = ToProto(dataset_, summary);
  End(absl::OkStatus());
}

void ImportReactor::End(const absl::Status& status) {
  session_.reset();
  store_.reset();
  Finish(call_.End(status));  // `this` may be gone from here on
}

}  // namespace fovea
