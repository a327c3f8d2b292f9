#include "server/services/shared_memory.h"

#include <limits>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/shared_memory_segment.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SharedMemorySegment;

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

// 6 bytes of `region`, from `offset` on.
std::string Read(const SharedMemoryRegion& region, uint64_t offset, absl::Status* status) {
  std::string bytes(6, '-');
  *status = region.Read(offset, absl::MakeSpan(bytes.data(), bytes.size()));
  return bytes;
}

TEST(SharedMemory, ReadsAndWritesPartsOfARegion) {
  SharedMemorySegment segment("parts", 64);
  segment.Write(20, "abcdefghij");
  SharedMemoryRegions regions(SharedMemorySegment::Prefix());
  ASSERT_TRUE(regions.Register({"in", segment.key(), 16, 32}).ok());
  const auto region = regions.Find("in");
  ASSERT_NE(region, nullptr);
  absl::Status status;
  EXPECT_EQ(Read(*region, 5, &status), "bcdefg");
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_TRUE(region->Write(26, "answer").ok());
  EXPECT_EQ(segment.Read(42, 6), "answer");
  EXPECT_THAT(regions.List(), ElementsAre(RegionSpec{"in", segment.key(), 16, 32}));
}

TEST(SharedMemory, RefusesWhatItMayNotOrCannotOpen) {
  SharedMemorySegment segment("refused", 64);
  SharedMemoryRegions regions(SharedMemorySegment::Prefix());
  const std::string& key = segment.key();
  const struct {
    RegionSpec spec;
    absl::StatusCode code;
    std::string message;
  } kCases[] = {
      {{"", key, 0, 64}, absl::StatusCode::kInvalidArgument, "name: found none"},
      {{"r", "", 0, 64}, absl::StatusCode::kInvalidArgument, "key: found \"\", expected a slash"},
      {{"r", "/", 0, 64}, absl::StatusCode::kInvalidArgument, "expected a slash"},
      {{"r", key.substr(1), 0, 64}, absl::StatusCode::kInvalidArgument, "expected a slash"},
      {{"r", key + "/../x", 0, 64}, absl::StatusCode::kInvalidArgument, "expected a slash"},
      {{"r", key + std::string("\0", 1), 0, 64},
       absl::StatusCode::kInvalidArgument,
       "expected a slash"},
      {{"r", key + std::string(255, 'x'), 0, 64},
       absl::StatusCode::kInvalidArgument,
       "expected a slash and 1 to 254"},
      {{"r", "/other", 0, 64},
       absl::StatusCode::kInvalidArgument,
       "key: found \"/other\", expected one that begins with \"" + SharedMemorySegment::Prefix()},
      {{"r", key + "_none", 0, 64}, absl::StatusCode::kNotFound, "found no shared memory"},
      {{"r", key, 0, 0}, absl::StatusCode::kInvalidArgument, "byte_size: found 0"},
      {{"r", key, 0, 65},
       absl::StatusCode::kInvalidArgument,
       "found 64 bytes, expected at least 65"},
      {{"r", key, 1, 64},
       absl::StatusCode::kInvalidArgument,
       "found 64 bytes, expected at least 65"},
      {{"r", key, kHuge, 2}, absl::StatusCode::kInvalidArgument, "byte_size: found 2 at offset"},
      {{"r", key, 2, kHuge}, absl::StatusCode::kInvalidArgument, "byte_size: found"},
  };
  for (const auto& each : kCases) {
    const absl::Status status = regions.Register(each.spec);
    EXPECT_EQ(status.code(), each.code) << status;
    EXPECT_THAT(status.message(), HasSubstr(each.message));
  }
  EXPECT_THAT(regions.List(), IsEmpty());

  SharedMemoryRegions off("");
  EXPECT_FALSE(off.enabled());
  const absl::Status status = off.Register({"r", key, 0, 64});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("--shared-memory-prefix"));
}

TEST(SharedMemory, AnyKeyIsAllowedWhereThePrefixIsASlash) {
  SharedMemorySegment segment("any", 8);
  SharedMemoryRegions regions("/");
  EXPECT_TRUE(regions.Register({"r", segment.key(), 0, 8}).ok());
}

TEST(SharedMemory, ANameMeansOneRegionUntilItIsUnregistered) {
  auto segment = std::make_unique<SharedMemorySegment>("names", 64);
  const std::string key = segment->key();
  SharedMemoryRegions regions(SharedMemorySegment::Prefix());
  ASSERT_TRUE(regions.Register({"r", key, 0, 8}).ok());
  const absl::Status status = regions.Register({"r", key, 8, 8});
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(status.message(), HasSubstr("is registered with 8 bytes at 0 of"));

  // The same again finds the segment that has the key now.
  segment.reset();
  segment = std::make_unique<SharedMemorySegment>("names", 64);
  segment->Write(0, "second");
  ASSERT_TRUE(regions.Register({"r", key, 0, 8}).ok());
  absl::Status read;
  EXPECT_EQ(Read(*regions.Find("r"), 0, &read), "second");

  regions.Unregister("other");
  EXPECT_NE(regions.Find("r"), nullptr);
  regions.Unregister("r");
  EXPECT_EQ(regions.Find("r"), nullptr);
  ASSERT_TRUE(regions.Register({"r", key, 8, 8}).ok());
  ASSERT_TRUE(regions.Register({"s", key, 8, 8}).ok());
  regions.Unregister("");
  EXPECT_THAT(regions.List(), IsEmpty());
}

TEST(SharedMemory, WhoHoldsARegionKeepsItWhenItIsUnregistered) {
  auto segment = std::make_unique<SharedMemorySegment>("held", 8);
  segment->Write(0, "stays!");
  SharedMemoryRegions regions(SharedMemorySegment::Prefix());
  ASSERT_TRUE(regions.Register({"r", segment->key(), 0, 8}).ok());
  const auto held = regions.Find("r");
  regions.Unregister("r");
  segment.reset();
  absl::Status status;
  EXPECT_EQ(Read(*held, 0, &status), "stays!");
  EXPECT_TRUE(held->Write(0, "writes").ok());
}

TEST(SharedMemory, ATruncatedSegmentIsAnErrorAndIsNotMadeLargerAgain) {
  SharedMemorySegment segment("truncated", 64);
  SharedMemoryRegions regions(SharedMemorySegment::Prefix());
  ASSERT_TRUE(regions.Register({"r", segment.key(), 0, 64}).ok());
  segment.Resize(4);
  const auto region = regions.Find("r");
  absl::Status status;
  Read(*region, 0, &status);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("found 4 bytes, expected at least 64 for region \"r\""));
  EXPECT_EQ(region->Write(0, "writes").code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SharedMemory, LimitsTheRegions) {
  SharedMemorySegment segment("many", 8);
  SharedMemoryRegions regions(SharedMemorySegment::Prefix());
  for (size_t i = 0; i < SharedMemoryRegions::kMaxRegions; ++i) {
    ASSERT_TRUE(regions.Register({absl::StrCat("r", i), segment.key(), 0, 8}).ok()) << i;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(regions.Register({"more", segment.key(), 0, 8})));
  EXPECT_TRUE(regions.Register({"r0", segment.key(), 0, 8}).ok());
}

}  // namespace
}  // namespace fovea
