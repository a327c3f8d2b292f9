#include "server/jobs/job_store.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status.h"
#include "core/data/sqlite_status.h"
#include "google/protobuf/util/time_util.h"

namespace fovea {
namespace {

constexpr int kFormatVersion = 1;
constexpr int kBusyTimeoutMs = 5000;
constexpr char kIdPrefix[] = "job-";

// `queued` orders PENDING jobs; a resume puts a job at the end again. `job` is a v1.Job, `event` a
// v1.JobEvent; the other columns repeat what queries need.
constexpr char kSchema[] = R"sql(
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id TEXT UNIQUE,
  state INTEGER NOT NULL,
  dataset TEXT NOT NULL,
  queued INTEGER NOT NULL,
  job BLOB NOT NULL);
CREATE INDEX jobs_by_state ON jobs (state, queued);
CREATE TABLE events (
  job_id INTEGER NOT NULL REFERENCES jobs (id),
  number INTEGER NOT NULL,
  event BLOB NOT NULL,
  PRIMARY KEY (job_id, number)) WITHOUT ROWID;
)sql";

std::string IdOf(int64_t row) { return absl::StrCat(kIdPrefix, row); }

absl::StatusOr<int64_t> RowOf(absl::string_view id) {
  absl::string_view digits = id;
  int64_t row = 0;
  if (!absl::ConsumePrefix(&digits, kIdPrefix) || !absl::SimpleAtoi(digits, &row) ||
      IdOf(row) != id) {
    return absl::NotFoundError(absl::StrCat("there is no job \"", id, "\""));
  }
  return row;
}

void BindMessage(SQLite::Statement& statement, int index,
                 const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

template <typename Message>
absl::StatusOr<Message> ParseColumn(const SQLite::Column& column, absl::string_view what) {
  Message message;
  if (!message.ParseFromArray(column.getBlob(), column.getBytes())) {
    return absl::DataLossError(absl::StrCat(what, ": stored bytes are damaged"));
  }
  return message;
}

class SqliteJobStore : public JobStore {
 public:
  SqliteJobStore(std::string path, Options options) : path_(std::move(path)), options_(options) {}

  absl::Status Open() {
    return Catch("open", [&]() -> absl::Status {
      absl::MutexLock lock(&mutex_);
      db_ = std::make_unique<SQLite::Database>(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                                               kBusyTimeoutMs);
      db_->exec("PRAGMA journal_mode = WAL");
      db_->exec("PRAGMA synchronous = FULL");
      db_->exec("PRAGMA foreign_keys = ON");
      const int version = db_->execAndGet("PRAGMA user_version").getInt();
      if (version > kFormatVersion) {
        return absl::FailedPreconditionError(absl::StrCat(path_, ": found format version ", version,
                                                          ", expected at most ", kFormatVersion));
      }
      if (version == 0) {
        SQLite::Transaction transaction(*db_);
        db_->exec(kSchema);
        db_->exec(absl::StrCat("PRAGMA user_version = ", kFormatVersion));
        transaction.commit();
      }
      if (options_.max_file_bytes > 0) {
        const int64_t page_bytes = db_->execAndGet("PRAGMA page_size").getInt64();
        db_->execAndGet(
            absl::StrCat("PRAGMA max_page_count = ", options_.max_file_bytes / page_bytes));
      }
      return absl::OkStatus();
    });
  }

  absl::StatusOr<Created> Create(v1::Job job) override {
    return CatchOr<Created>("create a job", [&]() -> absl::StatusOr<Created> {
      absl::MutexLock lock(&mutex_);
      SQLite::Transaction transaction(*db_);
      ASSIGN_OR_RETURN(std::optional<v1::Job> earlier, FindRequestLocked(job.request_id()));
      if (earlier.has_value()) return Created{*std::move(earlier), false};
      RETURN_IF_ERROR(InsertLocked(job));
      transaction.commit();
      return Created{std::move(job), true};
    });
  }

  absl::StatusOr<std::optional<v1::Job>> FindRequest(const std::string& request_id) override {
    return CatchOr<std::optional<v1::Job>>("find a request", [&] {
      absl::MutexLock lock(&mutex_);
      return FindRequestLocked(request_id);
    });
  }

  absl::StatusOr<v1::Job> Get(const std::string& id) override {
    return CatchOr<v1::Job>("read a job", [&]() -> absl::StatusOr<v1::Job> {
      ASSIGN_OR_RETURN(const int64_t row, RowOf(id));
      absl::MutexLock lock(&mutex_);
      return GetLocked(row);
    });
  }

  absl::StatusOr<std::vector<v1::Job>> List(const std::string& before, int limit) override {
    int64_t row = INT64_MAX;
    if (!before.empty()) {
      ASSIGN_OR_RETURN(row, RowOf(before));
    }
    return Query("SELECT job FROM jobs WHERE id < ? ORDER BY id DESC LIMIT ?", row, limit);
  }

  absl::StatusOr<std::vector<v1::Job>> Pending() override {
    return Query("SELECT job FROM jobs WHERE state = ? ORDER BY queued LIMIT ?",
                 v1::JOB_STATE_PENDING, -1);
  }

  absl::StatusOr<std::vector<v1::Job>> Running() override {
    return Query("SELECT job FROM jobs WHERE state = ? ORDER BY queued LIMIT ?",
                 v1::JOB_STATE_RUNNING, -1);
  }

  absl::StatusOr<std::optional<std::string>> UserOf(const std::string& dataset) override {
    using Result = std::optional<std::string>;
    return CatchOr<Result>("find a data set's jobs", [&]() -> absl::StatusOr<Result> {
      absl::MutexLock lock(&mutex_);
      SQLite::Statement query(*db_, "SELECT id FROM jobs WHERE dataset = ? AND state IN (?, ?)");
      query.bind(1, dataset);
      query.bind(2, static_cast<int>(v1::JOB_STATE_PENDING));
      query.bind(3, static_cast<int>(v1::JOB_STATE_RUNNING));
      if (!query.executeStep()) return Result();
      return Result(IdOf(query.getColumn(0).getInt64()));
    });
  }

  absl::StatusOr<v1::JobEvent> Append(const std::string& id, Change change) override {
    return CatchOr<v1::JobEvent>("store an event", [&]() -> absl::StatusOr<v1::JobEvent> {
      ASSIGN_OR_RETURN(const int64_t row, RowOf(id));
      absl::MutexLock lock(&mutex_);
      SQLite::Transaction transaction(*db_);
      ASSIGN_OR_RETURN(v1::Job job, GetLocked(row));
      const v1::JobState before = job.state();
      v1::JobEvent event;
      RETURN_IF_ERROR(change(job, event));
      if (job.state() == v1::JOB_STATE_PENDING && before != v1::JOB_STATE_PENDING) {
        QueueLocked(row);
      }
      InsertEventLocked(row, job, event);
      SaveLocked(row, job);
      transaction.commit();
      return event;
    });
  }

  absl::StatusOr<std::vector<v1::JobEvent>> EventsAfter(const std::string& id, uint64_t number,
                                                        int limit) override {
    using Result = std::vector<v1::JobEvent>;
    return CatchOr<Result>("read events", [&]() -> absl::StatusOr<Result> {
      ASSIGN_OR_RETURN(const int64_t row, RowOf(id));
      absl::MutexLock lock(&mutex_);
      SQLite::Statement query(
          *db_, "SELECT event FROM events WHERE job_id = ? AND number > ? ORDER BY number LIMIT ?");
      query.bind(1, row);
      query.bind(2, static_cast<int64_t>(number));
      query.bind(3, limit);
      Result events;
      while (query.executeStep()) {
        ASSIGN_OR_RETURN(v1::JobEvent event, ParseColumn<v1::JobEvent>(query.getColumn(0), id));
        events.push_back(std::move(event));
      }
      return events;
    });
  }

 private:
  // Runs `body`; what SQLiteCpp throws becomes a Status. An unfinished transaction rolls back.
  template <typename Body>
  absl::Status Catch(absl::string_view doing, Body body) {
    try {
      return body();
    } catch (const SQLite::Exception& error) {
      return SqliteCodeToStatus(error.getExtendedErrorCode(), error.what(), doing, path_);
    }
  }
  template <typename T, typename Body>
  absl::StatusOr<T> CatchOr(absl::string_view doing, Body body) {
    absl::StatusOr<T> result;
    RETURN_IF_ERROR(Catch(doing, [&]() -> absl::Status {
      result = body();
      return absl::OkStatus();
    }));
    return result;
  }

  absl::StatusOr<std::vector<v1::Job>> Query(const char* sql, int64_t key, int limit) {
    using Result = std::vector<v1::Job>;
    return CatchOr<Result>("list jobs", [&]() -> absl::StatusOr<Result> {
      absl::MutexLock lock(&mutex_);
      SQLite::Statement query(*db_, sql);
      query.bind(1, key);
      query.bind(2, limit);
      Result jobs;
      while (query.executeStep()) {
        ASSIGN_OR_RETURN(v1::Job job, ParseColumn<v1::Job>(query.getColumn(0), "a job"));
        jobs.push_back(std::move(job));
      }
      return jobs;
    });
  }

  absl::StatusOr<std::optional<v1::Job>> FindRequestLocked(const std::string& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (request_id.empty()) return std::nullopt;
    SQLite::Statement query(*db_, "SELECT job FROM jobs WHERE request_id = ?");
    query.bind(1, request_id);
    if (!query.executeStep()) return std::nullopt;
    ASSIGN_OR_RETURN(v1::Job job, ParseColumn<v1::Job>(query.getColumn(0), request_id));
    return job;
  }

  absl::StatusOr<v1::Job> GetLocked(int64_t row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    SQLite::Statement query(*db_, "SELECT job FROM jobs WHERE id = ?");
    query.bind(1, row);
    if (!query.executeStep()) {
      return absl::NotFoundError(absl::StrCat("there is no job \"", IdOf(row), "\""));
    }
    return ParseColumn<v1::Job>(query.getColumn(0), IdOf(row));
  }

  absl::Status InsertLocked(v1::Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    job.set_state(v1::JOB_STATE_PENDING);
    *job.mutable_create_time() = Now();
    SQLite::Statement insert(*db_,
                             "INSERT INTO jobs (request_id, state, dataset, queued, job) "
                             "VALUES (?, ?, ?, 0, x'')");
    if (job.request_id().empty()) {
      insert.bind(1);
    } else {
      insert.bind(1, job.request_id());
    }
    insert.bind(2, static_cast<int>(job.state()));
    insert.bind(3, job.dataset());
    insert.exec();
    const int64_t row = db_->getLastInsertRowid();
    job.set_id(IdOf(row));
    QueueLocked(row);
    v1::JobEvent event;
    event.mutable_state_change()->set_state(job.state());
    InsertEventLocked(row, job, event);
    SaveLocked(row, job);
    return absl::OkStatus();
  }

  void QueueLocked(int64_t row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    SQLite::Statement update(
        *db_, "UPDATE jobs SET queued = (SELECT MAX(queued) + 1 FROM jobs) WHERE id = ?");
    update.bind(1, row);
    update.exec();
  }

  void InsertEventLocked(int64_t row, v1::Job& job, v1::JobEvent& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    job.set_last_event(job.last_event() + 1);
    event.set_job_id(job.id());
    event.set_number(job.last_event());
    if (event.attempt() == 0) event.set_attempt(job.attempt());
    if (!event.has_time()) *event.mutable_time() = Now();
    SQLite::Statement insert(*db_, "INSERT INTO events (job_id, number, event) VALUES (?, ?, ?)");
    insert.bind(1, row);
    insert.bind(2, static_cast<int64_t>(event.number()));
    BindMessage(insert, 3, event);
    insert.exec();
  }

  void SaveLocked(int64_t row, const v1::Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    SQLite::Statement update(*db_, "UPDATE jobs SET state = ?, job = ? WHERE id = ?");
    update.bind(1, static_cast<int>(job.state()));
    BindMessage(update, 2, job);
    update.bind(3, row);
    update.exec();
  }

  google::protobuf::Timestamp Now() const {
    return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
        absl::ToUnixMicros(options_.clock->Now()));
  }

  const std::string path_;
  const Options options_;
  absl::Mutex mutex_;
  std::unique_ptr<SQLite::Database> db_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<JobStore>> JobStore::Open(const std::string& path, Options options) {
  auto store = std::make_unique<SqliteJobStore>(path, options);
  RETURN_IF_ERROR(store->Open());
  return store;
}

}  // namespace fovea
