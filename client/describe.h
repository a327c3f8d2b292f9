// The API's messages as text for people. Measures keep the names of their proto fields, so that
// what is read here can be looked up there and cut out with awk.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "fovea/v1/classifier.pb.h"
#include "fovea/v1/datasets.pb.h"
#include "fovea/v1/jobs.pb.h"
#include "fovea/v1/models.pb.h"
#include "fovea/v1/report.pb.h"
#include "fovea/v1/serving.pb.h"

namespace fovea::cli {

absl::Time FromProto(const google::protobuf::Timestamp& time);
absl::Duration FromProto(const google::protobuf::Duration& duration);

// "single-label", "running", "serving", "train".
std::string TaskName(v1::Task task);
std::string StateName(v1::JobState state);
std::string StateName(v1::ModelState state);
std::string SplitName(v1::Split split);
std::string PrecisionName(v1::ServedPrecision precision);  // "bf16"

// 1234567 -> "1.23 M"; 999 -> "999"; for parameters and FLOPs.
std::string ShortNumber(uint64_t value);
// 1536 -> "1.5 KiB".
std::string ShortBytes(uint64_t bytes);

// "accuracy 0.9870, log_loss 0.0412" or "hamming_loss 0.0117, micro_f1 0.9312, log_loss 0.0412".
std::string DescribeMeasuresShort(const v1::Measures& measures);
// A line per measure: name, then value.
std::string DescribeMeasures(const v1::Measures& measures);
// Measures, a table per label, and the confusion matrix when there are at most 20 labels.
std::string DescribeReport(const v1::Report& report);
// The precisions that were tried and the programs that run; empty where there are none of both.
std::string DescribeServed(const v1::Model& model);

// One data set with its labels; many as a table.
std::string DescribeDataset(const v1::Dataset& dataset);
std::string DescribeDatasets(const std::vector<v1::Dataset>& datasets);
// Counts, then the rejected items, at most 20 of them.
std::string DescribeImport(const v1::ImportSummary& summary);

std::string DescribeJob(const v1::Job& job);
std::string DescribeJobs(const std::vector<v1::Job>& jobs);

// One version with its layers, totals and measures; many as a table.
std::string DescribeModel(const v1::Model& model);
std::string DescribeModels(const std::vector<v1::Model>& models);
// The policy, then a line per alias.
std::string DescribeServing(const v1::Serving& serving);

// "a.png: cat 0.9712, dog 0.0210"; multi-label: labels that apply are marked with "*".
std::string DescribePrediction(const std::string& file, const v1::Prediction& prediction,
                               bool mark);

}  // namespace fovea::cli
