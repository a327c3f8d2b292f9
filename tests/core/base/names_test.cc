#include "core/base/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fovea {
namespace {

TEST(ValidateName, AcceptsIds) {
  for (const std::string name : {"a", "0", "digits", "a.b_c-d", "resnet18.v2"}) {
    EXPECT_TRUE(ValidateName("model", name).ok()) << name;
  }
  EXPECT_TRUE(ValidateName("model", std::string(63, 'x')).ok());
}

TEST(ValidateName, RefusesWhatIsNoId) {
  for (const std::string name : {"", ".", "..", "-a", "_a", "A", "aB", "a/b", "a b", "ä", "a\n"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ValidateName("model", name))) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateName("model", std::string(64, 'x'))));
  EXPECT_TRUE(absl::IsInvalidArgument(ValidateName("model", std::string("a\0b", 3))));
}

TEST(ValidateName, SaysWhatIsWrong) {
  EXPECT_THAT(std::string(ValidateName("data set", "a/b").message()),
              ::testing::AllOf(::testing::HasSubstr("data set name \"a/b\" contains '/'"),
                               ::testing::HasSubstr("[a-z0-9]")));
}

}  // namespace
}  // namespace fovea
