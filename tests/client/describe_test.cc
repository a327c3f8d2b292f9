#include "client/describe.h"

#include "client/json.h"
#include "client/table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Table, AlignsByCodePoints) {
  Table table({"label", "n"});
  table.AddRow({"Bär", "10"});
  table.AddRow({"cat"});
  EXPECT_EQ(table.ToString(),
            "label   n\n"
            "Bär    10\n"
            "cat\n");
}

TEST(ShortNumber, KeepsThreeDigits) {
  EXPECT_EQ(ShortNumber(999), "999");
  EXPECT_EQ(ShortNumber(1234567), "1.23 M");
  EXPECT_EQ(ShortNumber(999999), "1 M");
  EXPECT_EQ(ShortNumber(4110000000), "4.11 G");
}

TEST(Names, AreThoseOfTheProtosInPlainWords) {
  EXPECT_EQ(TaskName(v1::TASK_MULTI_LABEL), "multi-label");
  EXPECT_EQ(StateName(v1::JOB_STATE_RUNNING), "running");
  EXPECT_EQ(StateName(static_cast<v1::JobState>(77)), "77");
}

v1::Report SingleLabelReport(int labels) {
  v1::Report report;
  report.set_task(v1::TASK_SINGLE_LABEL);
  report.mutable_measures()->set_examples(10);
  report.mutable_measures()->mutable_single_label()->set_accuracy(0.9);
  for (int i = 0; i < labels; ++i) report.add_labels()->set_label("label" + std::to_string(i));
  v1::ConfusionCell* cell = report.mutable_confusion_matrix()->add_cells();
  cell->set_truth(1);
  cell->set_predicted(0);
  cell->set_count(7);
  return report;
}

TEST(DescribeReport, ShowsTheConfusionMatrixWhenItIsSmall) {
  const std::string text = DescribeReport(SingleLabelReport(2));
  EXPECT_THAT(text, HasSubstr("accuracy                 0.9000\n"));
  EXPECT_THAT(text, HasSubstr("label1                  7       .\n"));
  EXPECT_THAT(DescribeReport(SingleLabelReport(21)), Not(HasSubstr("truth")));
}

TEST(DescribeReport, ShowsTheMeasuresOfMultiLabel) {
  v1::Report report;
  report.set_task(v1::TASK_MULTI_LABEL);
  v1::MultiLabelMeasures* measures = report.mutable_measures()->mutable_multi_label();
  measures->set_hamming_loss(0.0117);
  measures->mutable_micro()->set_f1(0.95);
  report.add_labels()->set_threshold(0.5);
  const std::string text = DescribeReport(report);
  EXPECT_THAT(text, HasSubstr("hamming_loss             0.0117\n"));
  EXPECT_THAT(text, HasSubstr("micro_f1                 0.9500\n"));
  EXPECT_THAT(text, HasSubstr("threshold"));
}

TEST(DescribeModel, ShowsLayersAndTotals) {
  v1::Model model;
  model.set_name("digits");
  v1::Layer* layer = model.add_layers();
  layer->set_name("conv1");
  layer->set_op("Conv");
  for (const int64_t size : {1, 16, 20, 20}) layer->add_output_shape(size);
  layer->set_parameters(160);
  layer->set_flops(115200);
  model.set_total_parameters(160);
  model.add_thresholds(0.25);
  model.mutable_open_set()->mutable_energy();
  model.mutable_open_set()->set_threshold(4.5);
  model.mutable_open_set()->set_accepted_share(0.95);
  const std::string text = DescribeModel(model);
  EXPECT_THAT(text, HasSubstr("conv1  Conv  [1,16,20,20]         160  115 k\n"));
  EXPECT_THAT(text, HasSubstr("total"));
  EXPECT_THAT(text, HasSubstr("thresholds               0.25\n"));
  EXPECT_THAT(text, HasSubstr("open_set                 accepts from negative energy 4.5000 on "));
}

TEST(DescribeModel, ShowsHowItIsServed) {
  v1::Model model;
  model.set_precision(v1::SERVED_PRECISION_BF16);
  for (const auto precision : {v1::SERVED_PRECISION_FP32, v1::SERVED_PRECISION_INT8}) {
    v1::PrecisionReport& tried = *model.mutable_report()->add_precisions();
    tried.set_precision(precision);
    tried.set_measure("accuracy");
    tried.set_value(0.9);
    tried.set_images_per_second(1000);
  }
  model.mutable_report()->mutable_precisions(1)->set_refused("worse by 0.1");
  model.mutable_report()->mutable_precisions(1)->set_loss(0.1);
  v1::ServedProgram& program = *model.add_programs();
  program.set_batch(8);
  program.set_layout_plan("nhwc");
  program.set_seconds(0.0125);
  const std::string text = DescribeModel(model);
  EXPECT_THAT(text, HasSubstr("precision                bf16\n"));
  EXPECT_THAT(text, HasSubstr("fp32       allowed  accuracy  0.9000  0.0000    1000.0\n"));
  EXPECT_THAT(text, HasSubstr("int8       refused  accuracy  0.9000  0.1000    1000.0\n"));
  EXPECT_THAT(text, HasSubstr("int8: worse by 0.1\n"));
  EXPECT_THAT(text, HasSubstr("nhwc             8         12.50         0\n"));
}

TEST(DescribePrediction, MarksLabelsThatApply) {
  v1::Prediction prediction;
  v1::ScoredLabel* label = prediction.add_labels();
  label->set_label("cat");
  label->set_probability(0.75);
  label->set_applies(true);
  EXPECT_EQ(DescribePrediction("a.png", prediction, true), "a.png: *cat 0.7500\n");
  EXPECT_EQ(DescribePrediction("a.png", prediction, false), "a.png: cat 0.7500\n");
}

TEST(DescribePrediction, SaysWhatIsRejected) {
  v1::Prediction prediction;
  prediction.add_labels()->set_label("cat");
  prediction.mutable_open_set()->set_rejected(true);
  prediction.mutable_open_set()->set_score(0.25);
  prediction.mutable_open_set()->set_threshold(0.5);
  EXPECT_EQ(DescribePrediction("a.png", prediction, false),
            "a.png: rejected (score 0.2500, expected at least 0.5000), cat 0.0000\n");
}

TEST(DescribeImport, ShowsSomeOfTheRejectedItems) {
  v1::ImportSummary summary;
  summary.set_dataset("pets");
  summary.set_rejected(30);
  for (int i = 0; i < 30; ++i) {
    v1::ImportError* error = summary.add_errors();
    error->set_name("x.png");
    error->set_reason(v1::IMPORT_ERROR_REASON_CORRUPT);
    error->set_message("truncated");
  }
  const std::string text = DescribeImport(summary);
  EXPECT_THAT(text, HasSubstr("item 0 x.png: corrupt: truncated\n"));
  EXPECT_THAT(text, HasSubstr("and 10 more\n"));
}

TEST(ToJsonLine, KeepsProtoNamesAndZeros) {
  v1::MultiLabelMeasures measures;
  EXPECT_THAT(ToJsonLine(measures), HasSubstr("\"hamming_loss\":0"));
  v1::ImportHeader header;
  header.set_dataset("x");
  EXPECT_EQ(ToJsonLine("file", "a \"b\".png", header),
            "{\"file\":\"a \\\"b\\\".png\",\"dataset\":\"x\",\"request_id\":\"\"}\n");
}

}  // namespace
}  // namespace fovea::cli
