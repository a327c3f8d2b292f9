#include "core/tensor/type.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "core/tensor/tensor.h"

namespace fovea {
namespace {

TEST(Dims, CountsTheirElements) {
  EXPECT_EQ((Dims{2, 3, 4}).count(), 24);
  EXPECT_EQ(Dims{}.count(), 1);
  EXPECT_EQ((Dims{5, 0}).count(), 0);
}

TEST(Dims, DifferWhenOnlyTheirRankDiffers) {
  EXPECT_EQ((Dims{2, 3}), (Dims{2, 3}));
  EXPECT_FALSE((Dims{2, 3}) == (Dims{2, 3, 1}));
}

TEST(Type, PrintsItsDtypeExtentsAndLayout) {
  EXPECT_EQ((Type{DType::kF32, {8, 3}}).ToString(), "f32[8,3]");
  EXPECT_EQ((Type{DType::kU8, {1}, 2}).ToString(), "u8[1]@2");
}

TEST(Tensor, IsZeroedAndAligned) {
  const Tensor tensor({DType::kF32, {3, 5}});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 64, 0u);
  for (int64_t i = 0; i < tensor.count(); ++i) EXPECT_EQ(tensor.as<float>()[i], 0.0f);
  EXPECT_EQ(tensor.bytes(), 60u);
}

}  // namespace
}  // namespace fovea
