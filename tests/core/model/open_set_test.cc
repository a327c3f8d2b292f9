#include "core/model/open_set.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace fovea {
namespace {

v1::OpenSetRule Rule(const std::string& text) {
  v1::OpenSetRule rule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &rule)) << text;
  return rule;
}

TEST(OpenSetScore, IsTheLargestProbability) {
  EXPECT_EQ(OpenSetScore(Rule("maximum_probability {}"), {.25f, .5f, .25f}, {}), .5);
}

// scipy.special.logsumexp.
TEST(OpenSetScore, IsTheNegativeEnergy) {
  EXPECT_NEAR(OpenSetScore(Rule("energy { temperature: 1 }"), {}, {1, 2, 3}), 3.4076059644443806,
              1e-12);
  EXPECT_NEAR(OpenSetScore(Rule("energy { temperature: 2 }"), {}, {1, -1}), 1.6265233750364456,
              1e-12);
  // Beyond what exp can hold.
  EXPECT_NEAR(OpenSetScore(Rule("energy { temperature: 1 }"), {}, {1000, 1000}), 1000.693147180560,
              1e-9);
}

}  // namespace
}  // namespace fovea
