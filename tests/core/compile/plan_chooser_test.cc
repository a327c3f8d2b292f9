#include "core/compile/plan_chooser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/base/cpu_model.h"
#include "core/base/sha256.h"
#include "core/compile/buckets.h"
#include "tests/core/compile/net_fixture.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Gt;

// Width 1: the shortest runs, also on a busy machine.
constexpr int kWidth = 1, kMaxBatch = 8;

// A net with its weights on a backend.
struct Model {
  explicit Model(const std::string& name, const Backend& backend = CpuBackend()) {
    const auto net = BuildNet(SmallNet(name, 32, 3), 1);
    EXPECT_TRUE(net.ok()) << net.status();
    graph = *WithHead(*net, Head::kSoftmax);
    weights = *Weights::Create(backend, graph, {});
    EXPECT_TRUE(Initialize(*net, 3, *weights).ok());
    Disturb<float>(*weights, 5);
  }

  absl::StatusOr<std::shared_ptr<BucketPrograms>> Compile(PlanChooser* plans,
                                                          int max_batch = kMaxBatch) const {
    BucketPrograms::Options options;
    options.max_batch = max_batch;
    options.compile.width = kWidth;
    options.plans = plans;
    return BucketPrograms::Create(graph, weights, options);
  }

  Graph graph;
  std::shared_ptr<Weights> weights;
};

class PlanChooserTest : public ::testing::Test {
 protected:
  PlanChooser::Options Options() {
    PlanChooser::Options options;
    options.cache = &cache_;
    options.cancel = &cancel_;
    options.gate = [this](int cores, absl::FunctionRef<void()> work) {
      EXPECT_EQ(cores, 1);
      ++works_;
      work();
    };
    return options;
  }
  static std::vector<LayoutPlan> PlansOf(const BucketPrograms& programs) {
    std::vector<LayoutPlan> plans;
    for (const BucketProgram& bucket : programs.buckets()) {
      plans.push_back(bucket.program->layout_plan());
    }
    return plans;
  }

  testing::TempDir folder_;
  const PlanCache cache_{FileSystem::Real(), folder_.File("plans")};
  CancelToken cancel_;
  std::atomic<int> works_ = 0;  // compilations and timed runs
};

TEST_F(PlanChooserTest, TimesEveryBatchOfANetOfConvolutions) {
  PlanChooser plans(Options());
  const auto programs = Model("resnet8").Compile(&plans);
  ASSERT_TRUE(programs.ok()) << programs.status();
  const auto& buckets = (*programs)->buckets();
  EXPECT_THAT(buckets,
              ElementsAre(Field(&BucketProgram::batch, 1), Field(&BucketProgram::batch, 2),
                          Field(&BucketProgram::batch, 4), Field(&BucketProgram::batch, 8)));
  EXPECT_THAT(buckets, Each(Field(&BucketProgram::seconds, Gt(0))));
  EXPECT_GT(works_, 4 * 3);
}

TEST_F(PlanChooserTest, TimesNothingAtTheNextLoad) {
  PlanChooser first(Options());
  const Model model("resnet8");
  const auto timed = model.Compile(&first);
  ASSERT_TRUE(timed.ok()) << timed.status();
  works_ = 0;
  PlanChooser second(Options());
  const auto remembered = Model("resnet8").Compile(&second);
  ASSERT_TRUE(remembered.ok()) << remembered.status();
  EXPECT_EQ(works_, 4);
  EXPECT_EQ(PlansOf(**remembered), PlansOf(**timed));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR((*remembered)->buckets()[i].seconds, (*timed)->buckets()[i].seconds, 1e-8);
  }
}

TEST_F(PlanChooserTest, TimesOnlyTheBatchesThatAreNotRemembered) {
  PlanChooser plans(Options());
  const Model model("resnet8");
  ASSERT_TRUE(model.Compile(&plans, 1).ok());
  works_ = 0;
  ASSERT_TRUE(model.Compile(&plans, 2).ok());
  EXPECT_GT(works_, 1 + 3);
  works_ = 0;
  ASSERT_TRUE(model.Compile(&plans, 1).ok());
  EXPECT_EQ(works_, 1);  // what was found before stays
}

TEST_F(PlanChooserTest, TimesNothingWhereAllPlansComeToTheSame) {
  PlanChooser plans(Options());
  for (const Model& model : {Model("mlp"), Model("resnet8", ReferenceBackend())}) {
    const auto programs = model.Compile(&plans);
    ASSERT_TRUE(programs.ok()) << programs.status();
    EXPECT_THAT((*programs)->buckets(), Each(Field(&BucketProgram::seconds, 0)));
    EXPECT_THAT(PlansOf(**programs), Each(LayoutPlan::kNhwc));
  }
  EXPECT_EQ(works_, 2 * 4 * 3);
}

TEST_F(PlanChooserTest, GivesABatchTooSlowToBeTimedThePlanOfTheOneBefore) {
  PlanChooser::Options options = Options();
  options.race.most_seconds = 0;
  PlanChooser plans(options);
  const Model model("resnet8");
  // Batch 1 is remembered; by no plan is it the first.
  const PlanKey key = {DescribeCpu(), CpuBackend().KernelVersions(), Sha256Hex(ToText(model.graph)),
                       kWidth, DType::kF32};
  ASSERT_TRUE(cache_.Store(key, {{1, {LayoutPlan::kBlocked, 0.5}}}).ok());
  const auto programs = model.Compile(&plans);
  ASSERT_TRUE(programs.ok()) << programs.status();
  EXPECT_THAT(PlansOf(**programs), Each(LayoutPlan::kBlocked));
  EXPECT_EQ(works_, (1 + 3 * 3) + 3);  // one run for each batch to see that it is slow
}

TEST_F(PlanChooserTest, KeepsPackedWeightsForTheChosenProgramsOnly) {
  PlanChooser plans(Options());
  const Model chosen("resnet8"), fresh("resnet8");
  const auto programs = chosen.Compile(&plans);
  ASSERT_TRUE(programs.ok()) << programs.status();
  for (const BucketProgram& bucket : (*programs)->buckets()) {
    ASSERT_TRUE(chosen.weights->Prepare(*bucket.program).ok());
    ASSERT_TRUE(fresh.weights->Prepare(*bucket.program).ok());
  }
  EXPECT_EQ(chosen.weights->total_bytes(), fresh.weights->total_bytes());
}

TEST_F(PlanChooserTest, StopsWhenCancelledAndRemembersNothing) {
  cancel_.Cancel();
  PlanChooser plans(Options());
  const auto programs = Model("resnet8").Compile(&plans);
  EXPECT_EQ(programs.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(FileSystem::Real()->Exists(folder_.File("plans")));
}

class ChosenPrograms : public PlanChooserTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ChosenPrograms, AnswerLikeTheReference) {
  PlanChooser plans(Options());
  const Model model(GetParam()), oracle(GetParam(), ReferenceBackend());
  const auto programs = model.Compile(&plans), expected = oracle.Compile(nullptr);
  ASSERT_TRUE(programs.ok() && expected.ok()) << programs.status() << expected.status();
  Type type = model.graph.type(model.graph.Find("pixels"));
  type.dims[0] = kMaxBatch;
  const Tensor pixels = RandomPixels(type, 13);
  std::vector<const uint8_t*> examples;
  for (int i = 0; i < kMaxBatch; ++i) {
    examples.push_back(pixels.as<uint8_t>() + i * (*programs)->example_bytes());
  }
  const auto executor = BucketExecutor::Create(*programs),
             other = BucketExecutor::Create(*expected);
  ASSERT_TRUE(executor.ok() && other.ok());
  const int64_t row = (*programs)->row_count();
  for (const BucketProgram& bucket : (*programs)->buckets()) {
    std::vector<float> ours(row * bucket.batch), theirs(row * bucket.batch);
    const absl::Span<const uint8_t* const> batch(examples.data(), bucket.batch);
    ASSERT_STATUS_OK((*executor)->Run(batch, ours.data()));
    ASSERT_STATUS_OK((*other)->Run(batch, theirs.data()));
    EXPECT_THAT(ours, ::testing::Pointwise(::testing::FloatNear(1e-4f), theirs)) << bucket.batch;
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, ChosenPrograms,
                         ::testing::Values("mlp", "resnet8", "mobilenet_v2", "text"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace fovea
