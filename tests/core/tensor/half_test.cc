#include "core/tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fovea {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(F16, HoldsEveryOneOfItsValues) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = FromF16Bits(static_cast<uint16_t>(bits));
    const uint16_t again = F16Bits(value);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(FromF16Bits(again))) << bits;
    } else {
      EXPECT_EQ(again, bits);
    }
  }
}

TEST(F16, RoundsToTheNearestAndTiesToEven) {
  const struct {
    float given, expected;
  } cases[] = {
      {1.0f, 1.0f},
      {1.0f + 0x1p-11f, 1.0f},               // a tie: down to even
      {1.0f + 0x3p-11f, 1.0f + 0x1p-9f},     // a tie: up to even
      {1.0f + 0x1.1p-11f, 1.0f + 0x1p-10f},  // above a tie
      {-1.0f / 3, -0.333251953125f},         // 1365 / 4096
      {65504.0f, 65504.0f},                  // the largest
      {65519.0f, 65504.0f},                  // nearer to it than to infinity
      {65520.0f, kInfinity},                 // a tie
      {-1e9f, -kInfinity},                   //
      {0x1p-24f, 0x1p-24f},                  // the smallest above 0
      {0x1p-25f, 0.0f},                      // a tie
      {0x1.8p-25f, 0x1p-24f},                //
      {0x1.ff9p-15f, 0x1.ff8p-15f},          // below the normal ones: multiples of 2^-24
      {0x1.ffcp-15f, 0x1p-14f},              // a tie: up to the first normal one
      {kInfinity, kInfinity},
  };
  for (const auto& c : cases) EXPECT_EQ(FromF16Bits(F16Bits(c.given)), c.expected) << c.given;
  EXPECT_TRUE(std::signbit(FromF16Bits(F16Bits(-0.0f))));
  EXPECT_TRUE(std::isnan(FromF16Bits(F16Bits(NAN))));
}

TEST(Bf16, HoldsEveryOneOfItsValues) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = ToFloat(Bf16{static_cast<uint16_t>(bits)});
    const Bf16 again = FromFloat<Bf16>(value);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(ToFloat(again))) << bits;
    } else {
      EXPECT_EQ(again.bits, bits);
    }
  }
}

TEST(Bf16, RoundsToTheNearestAndTiesToEven) {
  const struct {
    float given, expected;
  } cases[] = {
      {1.0f + 0x1p-8f, 1.0f},              // a tie: down to even
      {1.0f + 0x3p-8f, 1.0f + 0x1p-6f},    // a tie: up to even
      {1.0f + 0x1.1p-8f, 1.0f + 0x1p-7f},  // above a tie
      {-1.0f / 3, -0.333984375f},          // 171 / 512
      {std::numeric_limits<float>::max(), kInfinity},
      {kInfinity, kInfinity},
  };
  for (const auto& c : cases) EXPECT_EQ(ToFloat(FromFloat<Bf16>(c.given)), c.expected) << c.given;
  EXPECT_TRUE(std::isnan(ToFloat(FromFloat<Bf16>(NAN))));
}

}  // namespace
}  // namespace fovea
