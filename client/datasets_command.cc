// fovea datasets create | import | import-path | list | get | delete; preview has a file of its own
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/describe.h"
#include "client/image_source.h"
#include "client/progress.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

struct CreateOptions {
  std::string name;
  std::string task = "single-label";
  std::vector<std::string> labels;
  std::optional<uint64_t> seed;
  std::vector<double> fractions;
};

struct ImportOptions {
  std::string name;
  std::string path;
  std::string split;
  bool split_column = false;
};

struct ImportPathOptions {
  std::string name;
  std::string path;
  std::string split;
  std::string format = "auto";
  std::string idx_labels;
};

const std::vector<std::string> kTasks = {"single-label", "multi-label", "binary", "regression",
                                         "unit-regression"};

// "single-label" is the first value of v1::Task behind the unspecified one, and so on.
v1::Task TaskOf(const std::string& name) {
  const auto found = std::find(kTasks.begin(), kTasks.end(), name);
  return static_cast<v1::Task>(1 + (found - kTasks.begin()));
}

absl::StatusOr<int> Create(const CreateOptions& options, Session& session) {
  v1::CreateDatasetRequest request;
  request.set_name(options.name);
  request.set_task(TaskOf(options.task));
  for (const std::string& label : options.labels) request.add_labels(label);
  v1::SplitPlan* plan = request.mutable_split_plan();
  if (options.seed.has_value()) plan->set_seed(*options.seed);
  if (!options.fractions.empty()) {
    plan->set_train_fraction(options.fractions[0]);
    plan->set_validation_fraction(options.fractions[1]);
    plan->set_test_fraction(options.fractions[2]);
  }
  ASSIGN_OR_RETURN(const v1::Dataset dataset, session.client().CreateDataset(request));
  session.Print(dataset,
                absl::StrCat("created ", dataset.name(), " (", TaskName(dataset.task()), ")\n"));
  return kExitOk;
}

absl::StatusOr<std::vector<ImageFile>> ListFiles(const ImportOptions& options) {
  const bool folder = FileSystem::Real()->IsDirectory(options.path);
  if (folder && options.split_column) {
    return absl::InvalidArgumentError("--split-column needs a CSV manifest, found a folder");
  }
  ASSIGN_OR_RETURN(
      std::vector<ImageFile> files,
      folder ? ListFolderPerClass(options.path) : ReadManifest(options.path, options.split_column));
  if (files.empty()) return absl::InvalidArgumentError(absl::StrCat(options.path, ": no images"));
  ASSIGN_OR_RETURN(const v1::Split split, ParseSplit(options.split));
  for (ImageFile& file : files) {
    if (file.split == v1::SPLIT_UNSPECIFIED) file.split = split;
  }
  return files;
}

absl::StatusOr<int> Import(const ImportOptions& options, Session& session) {
  const absl::StatusOr<std::vector<ImageFile>> files = ListFiles(options);
  if (!files.ok()) return UsageError(files.status());
  v1::ImportHeader header;
  header.set_dataset(options.name);
  header.set_request_id(NewRequestId());

  StatusLine status_line(&session.out());
  const bool draws = session.io().out_is_terminal && !session.json();
  size_t next = 0;
  size_t last_drawn_percent = 101;
  const auto next_item = [&]() -> absl::StatusOr<std::optional<v1::ImportItem>> {
    const size_t percent = next * 100 / files->size();
    if (draws && percent != last_drawn_percent) {
      last_drawn_percent = percent;
      status_line.Draw(FormatCountBar("importing", next, files->size(),
                                      std::min(session.io().columns(), 80) - 1));
    }
    if (next == files->size()) return std::nullopt;
    absl::StatusOr<v1::ImportItem> item = ReadItem((*files)[next++]);
    if (!item.ok()) return UsageError(item.status());
    return *std::move(item);
  };
  ASSIGN_OR_RETURN(const v1::ImportSummary summary, session.client().Import(header, next_item));
  status_line.Clear();
  session.Print(summary, DescribeImport(summary));
  return kExitOk;
}

// `format` as --format has it.
void SetFormat(const std::string& format, const std::string& path, v1::ImportPathRequest& request) {
  if (format == "folder") {
    request.mutable_folder_per_class()->set_path(path);
  } else if (format == "csv") {
    request.mutable_csv_manifest()->set_path(path);
  } else if (format == "jsonl") {
    request.mutable_json_lines()->set_path(path);
  } else if (format == "cifar") {
    request.mutable_cifar_binary()->set_path(path);
  } else if (format == "webdataset") {
    request.mutable_web_dataset()->set_path(path);
  } else {
    request.mutable_detected()->set_path(path);
  }
}

absl::StatusOr<int> ImportPath(const ImportPathOptions& options, Session& session) {
  v1::ImportPathRequest request;
  request.set_dataset(options.name);
  request.set_request_id(NewRequestId());
  const absl::StatusOr<v1::Split> split = ParseSplit(options.split);
  if (!split.ok()) return UsageError(split.status());
  request.set_split(*split);
  if (!options.idx_labels.empty()) {
    request.mutable_idx()->set_images_path(options.path);
    request.mutable_idx()->set_labels_path(options.idx_labels);
  } else {
    SetFormat(options.format, options.path, request);
  }
  ASSIGN_OR_RETURN(const v1::ImportSummary summary, session.client().ImportPath(request));
  session.Print(summary, DescribeImport(summary));
  return kExitOk;
}

absl::StatusOr<int> List(Session& session) {
  ASSIGN_OR_RETURN(const std::vector<v1::Dataset> datasets, session.client().ListDatasets());
  if (session.json()) {
    for (const v1::Dataset& dataset : datasets) session.Print(dataset, "");
  } else {
    session.out() << DescribeDatasets(datasets);
  }
  return kExitOk;
}

absl::StatusOr<int> Get(const std::string& name, Session& session) {
  ASSIGN_OR_RETURN(const v1::Dataset dataset, session.client().GetDataset(name));
  session.Print(dataset, DescribeDataset(dataset));
  return kExitOk;
}

absl::StatusOr<int> Delete(const std::string& name, Session& session) {
  RETURN_IF_ERROR(session.client().DeleteDataset(name));
  if (!session.json()) session.out() << "deleted " << name << "\n";
  return kExitOk;
}

void AddCreate(CLI::App* parent, Action* action) {
  CLI::App* app = parent->add_subcommand("create", "Make an empty data set");
  const auto options = std::make_shared<CreateOptions>();
  app->add_option("NAME", options->name, "Name of the data set")->required();
  app->add_option("--task", options->task, "What an image is labelled with")
      ->check(CLI::IsMember(kTasks))
      ->capture_default_str();
  app->add_option("--labels", options->labels,
                  "The labels in order; default: as imports bring them. binary: negative,positive; "
                  "regression: the names of the targets")
      ->delimiter(',');
  app->add_option(
         "--split", options->fractions,
         "Shares of train,validation,test for images that name no split; default 0.8,0.1,0.1")
      ->delimiter(',')
      ->expected(3);
  app->add_option("--split-seed", options->seed, "Fixes which image goes where; default 1");
  app->callback([=] { *action = [=](Session& session) { return Create(*options, session); }; });
}

void AddImport(CLI::App* parent, Action* action) {
  CLI::App* app = parent->add_subcommand("import", "Send images from this machine");
  const auto options = std::make_shared<ImportOptions>();
  app->add_option("NAME", options->name, "Name of the data set")->required();
  app->add_option(
         "PATH", options->path,
         "A folder with a folder per class, or a CSV file: path,label,label... (regression: "
         "path,number,number...)")
      ->required()
      ->check(CLI::ExistingPath);
  app->add_option("--split", options->split,
                  "train, validation or test, for all; default: the data set's plan")
      ->check(CLI::IsMember({"train", "validation", "test"}));
  app->add_flag("--split-column", options->split_column,
                "The CSV file's second column is the split: path,split,label...");
  app->callback([=] { *action = [=](Session& session) { return Import(*options, session); }; });
}

void AddImportPath(CLI::App* parent, Action* action) {
  CLI::App* app = parent->add_subcommand(
      "import-path", "Read images that lie on the server, below its --data-root");
  const auto options = std::make_shared<ImportPathOptions>();
  app->add_option("NAME", options->name, "Name of the data set")->required();
  app->add_option("PATH", options->path,
                  "Below the data root: a folder per class, a .csv or .jsonl manifest, CIFAR .bin "
                  "files, WebDataset .tar files (or a folder of either), or IDX images")
      ->required();
  app->add_option("--format", options->format,
                  "folder, csv, jsonl, cifar or webdataset; auto goes by name and content")
      ->check(CLI::IsMember({"auto", "folder", "csv", "jsonl", "cifar", "webdataset"}))
      ->capture_default_str();
  app->add_option("--idx-labels", options->idx_labels, "The labels file of IDX images");
  app->add_option("--split", options->split, "train, validation or test, for all")
      ->check(CLI::IsMember({"train", "validation", "test"}));
  app->callback([=] { *action = [=](Session& session) { return ImportPath(*options, session); }; });
}

}  // namespace

void AddDatasets(CLI::App* app, Action* action) {
  CLI::App* datasets = app->add_subcommand("datasets", "Make, fill and look at data sets");
  datasets->require_subcommand(1);
  AddCreate(datasets, action);
  AddImport(datasets, action);
  AddImportPath(datasets, action);
  AddPreview(datasets, action);
  CLI::App* list = datasets->add_subcommand("list", "List data sets");
  list->callback([=] { *action = List; });
  const auto name = std::make_shared<std::string>();
  CLI::App* get = datasets->add_subcommand("get", "Show counts per label, splits and sizes");
  get->add_option("NAME", *name, "Name of the data set")->required();
  get->callback([=] { *action = [=](Session& session) { return Get(*name, session); }; });
  CLI::App* remove = datasets->add_subcommand("delete", "Delete a data set with its images");
  remove->add_option("NAME", *name, "Name of the data set")->required();
  remove->callback([=] { *action = [=](Session& session) { return Delete(*name, session); }; });
}

}  // namespace fovea::cli
