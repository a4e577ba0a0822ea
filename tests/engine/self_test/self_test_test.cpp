#include "engine/self_test/self_test.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/cpu/instruction_set.h"
#include "support/errors.h"
#include "support/small_resnet.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

TEST(SelfTest, PassesOnThisMachine) {
  Context context({.device = "cpu", .threads = 1});
  std::set<std::string> names;
  for (Precision precision : {Precision::Fp32, Precision::Bf16}) {
    if (precision == Precision::Bf16 && !cpu::has_bf16()) continue;
    for (const SelfTestResult& result : self_test(context, precision)) {
      EXPECT_TRUE(result.passed()) << result.name << ": " << result.error << " > " << result.tolerance;
      EXPECT_LT(result.tolerance, precision == Precision::Fp32 ? 1e-3 : 0.1) << result.name;
      EXPECT_FALSE(result.algorithm.empty()) << result.name;
      names.insert(result.name);
    }
  }
  EXPECT_GE(names.size(), 10u);
}

TEST(SelfTest, JudgesEveryOutputOfAModel) {
  const TemporaryFolder folder;
  const Model model(write_small_resnet(folder / "m"));
  Context context({.device = "cpu", .threads = 1});
  const auto results = self_test(model, context, Precision::Fp32);
  EXPECT_EQ(results.size(), 3u);
  for (const SelfTestResult& result : results)
    EXPECT_TRUE(result.passed()) << result.name << ": " << result.error;
}

TEST(SelfTest, FailsWhereTheErrorIsTooLargeOrNoNumber) {
  EXPECT_TRUE((SelfTestResult{.error = 1e-7, .tolerance = 1e-6}.passed()));
  EXPECT_FALSE((SelfTestResult{.error = 2e-6, .tolerance = 1e-6}.passed()));
  EXPECT_FALSE((SelfTestResult{.error = std::nan(""), .tolerance = 1e-6}.passed()));
  EXPECT_FALSE((SelfTestResult{.error = INFINITY, .tolerance = 1e-6}.passed()));
}

TEST(SelfTest, RefusesAPrecisionThatTheDeviceLacks) {
  Context context({.device = "cpu", .threads = 1});
  expect_error([&] { self_test(context, Precision::Fp16); }, ErrorKind::Unsupported, {"fp16"});
}

}  // namespace
}  // namespace tyto
