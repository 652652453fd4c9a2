#include "runtime/model/rope.h"

#include <cmath>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/model/config.h"
#include "runtime/model/fixed_math.h"
#include "runtime/model/testing/random_checkpoint.h"

namespace shoal {
namespace {

DeepSeekConfig Parse(const nlohmann::json& config) {
  const auto parsed = ParseDeepSeekConfig(config.dump());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *parsed;
}

TEST(FixedMath, AgreesWithLibm) {
  for (int i = 0; i < 20000; ++i) {
    const double x = i * 0.0349 - 349;
    EXPECT_NEAR(FixedExp(x) / std::exp(x), 1, 2e-15) << x;
    const double y = std::ldexp(1 + i / 20000.0, i % 200 - 100);
    EXPECT_NEAR(FixedLog(y), std::log(y), 1e-15 * std::max(1.0, std::fabs(std::log(y)))) << y;
    const double z = i < 10000 ? i * 0.000314159 : i * 52.4288 + i * 1e-7;
    EXPECT_NEAR(FixedSinCos(z).sin, std::sin(z), 1e-15) << z;
    EXPECT_NEAR(FixedSinCos(z).cos, std::cos(z), 1e-15) << z;
  }
  EXPECT_EQ(FixedExp(0), 1);
  EXPECT_EQ(FixedLog(1), 0);
  EXPECT_EQ(FixedSinCos(0).sin, 0);
  EXPECT_EQ(FixedSinCos(0).cos, 1);
  EXPECT_NEAR(FixedSinCos(0x1p20).sin, std::sin(0x1p20), 1e-15);
}

TEST(Rope, PlainFrequenciesAreAGeometricSeries) {
  nlohmann::json config = TinyV3Config();
  config["rope_scaling"] = nullptr;
  const std::vector<double> f = RopeFrequencies(Parse(config));
  ASSERT_EQ(f.size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(f[i] / std::pow(10000.0, -i / 8.0), 1, 1e-14);
  EXPECT_FLOAT_EQ(SoftmaxScale(Parse(config)), 1 / std::sqrt(40.0f));
}

TEST(Rope, YarnKeepsFastWavesAndStretchesSlowOnes) {
  const DeepSeekConfig config = Parse(TinyV3Config());
  const std::vector<double> f = RopeFrequencies(config);
  // Wave i turns 128 f / 2 pi times over the original context: 20 times for i = 0, which is less
  // than beta_fast, so the ramp begins at 0; wave 7 turns less than once and is stretched by the
  // whole factor.
  EXPECT_NEAR(f[0], 1, 1e-14);
  EXPECT_NEAR(f[7], std::pow(10000.0, -7 / 8.0) / 4, 1e-14);
  for (int i = 1; i < 8; ++i) {
    const double plain = std::pow(10000.0, -i / 8.0);
    EXPECT_LT(f[i], plain);
    EXPECT_GE(f[i], plain / 4 * (1 - 1e-14));
  }
  const double m = 0.1 * std::log(4.0) + 1;
  EXPECT_FLOAT_EQ(SoftmaxScale(config), static_cast<float>(m * m / std::sqrt(40.0)));
}

TEST(Rope, MagnitudeIsTheQuotientOfBothMscales) {
  nlohmann::json config = TinyV3Config();
  config["rope_scaling"]["mscale_all_dim"] = 0.0;
  const HostRopeTable table = MakeRopeTable(Parse(config), 2);
  EXPECT_FLOAT_EQ(table.cos[0], static_cast<float>(0.1 * std::log(4.0) + 1));
  EXPECT_FLOAT_EQ(SoftmaxScale(Parse(config)), 1 / std::sqrt(40.0f));
}

TEST(Rope, TableHoldsPositionTimesFrequency) {
  const DeepSeekConfig config = Parse(TinyV3Config());
  const HostRopeTable table = MakeRopeTable(config, 101);
  const std::vector<double> f = RopeFrequencies(config);
  ASSERT_EQ(table.cos.size(), 101u * 8u);
  for (const int p : {0, 1, 50, 100}) {
    for (int i = 0; i < 8; ++i) {
      EXPECT_FLOAT_EQ(table.cos[p * 8 + i], static_cast<float>(std::cos(p * f[i])));
      EXPECT_FLOAT_EQ(table.sin[p * 8 + i], static_cast<float>(std::sin(p * f[i])));
    }
  }
}

// The numerics id says that every machine and compiler makes this table.
TEST(Rope, DigestIsPinned) {
  EXPECT_EQ(MakeRopeTable(Parse(TinyV3Config()), 512).Digest(),
            "75756e18533371f24e697fb195e79c2f87e2d030bc4af81c6290fcfa3957b676");
}

}  // namespace
}  // namespace shoal
