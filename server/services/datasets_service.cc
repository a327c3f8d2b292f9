#include "server/services/datasets_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/data/import_path.h"
#include "fovea/v1/datasets.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"
#include "server/services/dataset_convert.h"
#include "server/services/import_reactor.h"
#include "server/services/paging.h"
#include "server/services/preview.h"

namespace fovea {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

absl::Status AboutDataset(absl::Status status) {
  if (absl::IsNotFound(status)) return WithReason(std::move(status), "DATASET_NOT_FOUND");
  if (absl::IsAlreadyExists(status)) return WithReason(std::move(status), "DATASET_EXISTS");
  return status;
}

class DatasetsService : public v1::Datasets::CallbackService {
 public:
  explicit DatasetsService(DatasetsServiceOptions options)
      : options_(std::move(options)),
        registry_(*options_.registry),
        import_streams_{options_.registry, options_.imports, &options_.metrics->datasets,
                        options_.limits.max_imports} {}

  ServerUnaryReactor* Create(CallbackServerContext* context,
                             const v1::CreateDatasetRequest* request,
                             v1::Dataset* response) override {
    return AnswerFrom(*options_.workers, create_, context, [=, this](const CancelToken&) {
      return AboutDataset(DoCreate(*request, response));
    });
  }
  grpc::ServerReadReactor<v1::ImportRequest>* Import(CallbackServerContext* context,
                                                     v1::ImportSummary* response) override {
    return new ImportReactor(import_, context, &import_streams_, response);
  }
  ServerUnaryReactor* ImportPath(CallbackServerContext* context,
                                 const v1::ImportPathRequest* request,
                                 v1::ImportSummary* response) override {
    return AnswerFrom(*options_.imports, import_path_, context,
                      [=, this](const CancelToken& cancel) {
                        return AboutDataset(DoImportPath(*request, cancel, response));
                      });
  }
  ServerUnaryReactor* Get(CallbackServerContext* context, const v1::GetDatasetRequest* request,
                          v1::Dataset* response) override {
    return AnswerFrom(*options_.workers, get_, context, [=, this](const CancelToken&) {
      return AboutDataset(Describe(request->name(), true, response));
    });
  }
  ServerUnaryReactor* List(CallbackServerContext* context, const v1::ListDatasetsRequest* request,
                           v1::ListDatasetsResponse* response) override {
    return AnswerFrom(*options_.workers, list_, context,
                      [=, this](const CancelToken&) { return DoList(*request, response); });
  }
  ServerUnaryReactor* Preview(CallbackServerContext* context,
                              const v1::PreviewDatasetRequest* request,
                              v1::DatasetPreview* response) override {
    return AnswerFrom(*options_.imports, preview_, context,
                      [=, this](const CancelToken& cancel) -> absl::Status {
                        const auto store = registry_.Get(request->dataset());
                        if (!store.ok()) return AboutDataset(store.status());
                        ASSIGN_OR_RETURN(*response, fovea::Preview(**store, *request, cancel));
                        return absl::OkStatus();
                      });
  }
  ServerUnaryReactor* Delete(CallbackServerContext* context,
                             const v1::DeleteDatasetRequest* request,
                             google::protobuf::Empty*) override {
    return AnswerFrom(*options_.workers, delete_, context, [=, this](const CancelToken&) {
      return AboutDataset(registry_.Delete(request->name(),
                                           [&] { return options_.check_unused(request->name()); }));
    });
  }

 private:
  absl::Status DoCreate(const v1::CreateDatasetRequest& request, v1::Dataset* response) {
    ASSIGN_OR_RETURN(const DatasetSpec spec, ToSpec(request));
    RETURN_IF_ERROR(registry_.Add(spec).status());
    return Describe(spec.name, true, response);
  }

  absl::Status Describe(const std::string& name, bool with_labels, v1::Dataset* response) {
    ASSIGN_OR_RETURN(const std::shared_ptr<DatasetStore> store, registry_.Get(name));
    ASSIGN_OR_RETURN(const DatasetStatistics statistics, store->Statistics());
    *response = ToProto(store->spec(), statistics, with_labels);
    return absl::OkStatus();
  }

  absl::Status DoList(const v1::ListDatasetsRequest& request, v1::ListDatasetsResponse* response) {
    ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
    ASSIGN_OR_RETURN(const std::string last, LastKey(request.page_token()));
    ASSIGN_OR_RETURN(const std::vector<std::string> names, registry_.Names());
    auto name = std::upper_bound(names.begin(), names.end(), last);
    for (; name != names.end() && response->datasets_size() < page_size; ++name) {
      v1::Dataset dataset;
      const absl::Status status = Describe(*name, false, &dataset);
      if (absl::IsNotFound(status)) continue;  // deleted meanwhile
      RETURN_IF_ERROR(status);
      *response->add_datasets() = std::move(dataset);
    }
    if (name != names.end() && response->datasets_size() > 0) {
      response->set_next_page_token(PageToken(response->datasets().rbegin()->name()));
    }
    return absl::OkStatus();
  }

  absl::Status DoImportPath(const v1::ImportPathRequest& request, const CancelToken& cancel,
                            v1::ImportSummary* response) {
    if (options_.data_root.empty()) {
      return WithReason(absl::FailedPreconditionError(
                            "found no data root, expected a server started with --data-root"),
                        "NO_DATA_ROOT");
    }
    if (request.request_id().size() > kMaxRequestIdBytes) {
      return InvalidField("request_id",
                          absl::StrCat("found ", request.request_id().size(),
                                       " bytes, expected at most ", kMaxRequestIdBytes));
    }
    ASSIGN_OR_RETURN(const std::optional<Split> split, ToSplit(request.split()));
    ASSIGN_OR_RETURN(const std::shared_ptr<DatasetStore> store, registry_.Get(request.dataset()));
    const ImportPathOptions path{options_.data_root, split, options_.limits.decode, &cancel};
    ASSIGN_OR_RETURN(const ImportSummary summary,
                     store->Import(request.request_id(), [&](ImportSink* sink) {
                       return Fill(request, path, store->spec().task, sink);
                     }));
    options_.metrics->datasets.imported.Add(static_cast<double>(summary.imported));
    options_.metrics->datasets.rejected.Add(static_cast<double>(summary.rejected));
    *response = ToProto(request.dataset(), summary);
    return absl::OkStatus();
  }

  static absl::Status Fill(const v1::ImportPathRequest& request, const ImportPathOptions& path,
                           Task task, ImportSink* sink) {
    switch (request.format_case()) {
      case v1::ImportPathRequest::kFolderPerClass:
        return FillFrom(ImportFormat::kFolderPerClass, request.folder_per_class().path(), path,
                        task, sink);
      case v1::ImportPathRequest::kCsvManifest:
        return FillFrom(ImportFormat::kCsvManifest, request.csv_manifest().path(), path, task,
                        sink);
      case v1::ImportPathRequest::kIdx:
        RETURN_IF_ERROR(ExpectOneLabel("idx", task));
        return ImportIdx(path, request.idx().images_path(), request.idx().labels_path(), sink);
      case v1::ImportPathRequest::kJsonLines:
        return FillFrom(ImportFormat::kJsonLines, request.json_lines().path(), path, task, sink);
      case v1::ImportPathRequest::kCifarBinary:
        return FillFrom(ImportFormat::kCifarBinary, request.cifar_binary().path(), path, task,
                        sink);
      case v1::ImportPathRequest::kWebDataset:
        return FillFrom(ImportFormat::kWebDataset, request.web_dataset().path(), path, task, sink);
      case v1::ImportPathRequest::kDetected: {
        ASSIGN_OR_RETURN(const ImportFormat format,
                         DetectImportFormat(path.root, request.detected().path()));
        return FillFrom(format, request.detected().path(), path, task, sink);
      }
      case v1::ImportPathRequest::FORMAT_NOT_SET:
        break;
    }
    return InvalidField("format", "found none, expected one, e.g. folder_per_class or detected");
  }

  static absl::Status FillFrom(ImportFormat format, const std::string& from,
                               const ImportPathOptions& options, Task task, ImportSink* sink) {
    switch (format) {
      case ImportFormat::kFolderPerClass:
        return ImportFolderPerClass(options, from, sink);
      case ImportFormat::kCsvManifest:
        return ImportCsvManifest(options, from, sink);
      case ImportFormat::kJsonLines:
        return ImportJsonLines(options, from, sink);
      case ImportFormat::kCifarBinary:
        RETURN_IF_ERROR(ExpectOneLabel("cifar_binary", task));
        return ImportCifarBinary(options, from, sink);
      case ImportFormat::kWebDataset:
        return ImportWebDataset(options, from, sink);
    }
    return absl::InternalError("a format without a reader");
  }

  static absl::Status ExpectOneLabel(absl::string_view format, Task task) {
    if (HasOneLabel(task)) return absl::OkStatus();
    return InvalidField(format, absl::StrCat("found a ", TaskName(task), " data set, expected ",
                                             "a single_label or binary one"));
  }

  const DatasetsServiceOptions options_;
  DatasetRegistry& registry_;
  ImportReactor::Shared import_streams_;
  const Method create_{*options_.metrics, "fovea.v1.Datasets/Create"};
  const Method import_{*options_.metrics, "fovea.v1.Datasets/Import"};
  const Method import_path_{*options_.metrics, "fovea.v1.Datasets/ImportPath"};
  const Method get_{*options_.metrics, "fovea.v1.Datasets/Get"};
  const Method preview_{*options_.metrics, "fovea.v1.Datasets/Preview"};
  const Method list_{*options_.metrics, "fovea.v1.Datasets/List"};
  const Method delete_{*options_.metrics, "fovea.v1.Datasets/Delete"};
};

}  // namespace

std::unique_ptr<grpc::Service> MakeDatasetsService(DatasetsServiceOptions options) {
  return std::make_unique<DatasetsService>(std::move(options));
}

}  // namespace fovea
