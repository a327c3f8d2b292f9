// The life of a job as a table: which state may follow which. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "fovea/v1/jobs.pb.h"

namespace fovea {

// "PENDING", …
std::string JobStateName(v1::JobState state);

// SUCCEEDED, FAILED or CANCELLED.
bool IsFinished(v1::JobState state);

// PENDING → RUNNING, CANCELLED, FAILED; RUNNING → RUNNING (a new attempt), SUCCEEDED, FAILED,
// CANCELLED; FAILED, CANCELLED → PENDING.
bool MayFollow(v1::JobState from, v1::JobState to);

// Brings `job` into a state, with what goes with it: start and end time, the attempt's number, no
// error unless it FAILED. Makes `event` the StateChange that tells of it; its other fields stay.
// FailedPrecondition names both states when it may not be.
absl::Status EnterState(v1::Job& job, v1::JobState to, absl::Time now, v1::JobEvent& event);

}  // namespace fovea
