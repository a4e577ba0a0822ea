#include "engine/plan_cache.h"

#include <gtest/gtest.h>

#include "engine/errors.h"
#include "engine/small_resnet.h"
#include "engine/temporary_folder.h"

namespace tyto {
namespace {

Shape batch(int64_t n) { return {n, 3, kSmallHeight, kSmallWidth}; }

int64_t own_bytes(const Plan& plan) {
  const PlanReport& r = plan.report();
  return r.activation_bytes + r.workspace_bytes + r.output_bytes;
}

class PlanCacheTest : public testing::Test {
 protected:
  const TemporaryFolder folder;
  const Model model{write_small_resnet(folder / "m")};

  // What plans of these batches need together.
  int64_t bytes_of(const std::vector<int64_t>& batches) {
    Context context({.device = "cpu", .threads = 1});
    int64_t sum = 0, packed = 0;
    for (int64_t n : batches) {
      const Plan plan(model, context, batch(n));
      sum += own_bytes(plan);
      packed = std::max(packed, plan.report().weight_bytes);
    }
    return sum + packed;
  }
};

TEST_F(PlanCacheTest, KeepsAPlanForEachShape) {
  Context context({.device = "cpu", .threads = 1});
  PlanCache cache(model, context, {});
  const Plan *one = &cache.get(batch(1)), *two = &cache.get(batch(2));
  EXPECT_NE(one, two);
  EXPECT_EQ(&cache.get(batch(1)), one);
  EXPECT_EQ(&cache.get(batch(2)), two);
  EXPECT_EQ(two->input_shape(), batch(2));
}

TEST_F(PlanCacheTest, GivesUpTheLeastRecentlyUsedWhereMemoryIsShort) {
  Context context({.device = "cpu", .threads = 1, .memory_limit = bytes_of({2, 3, 4}) - 1});
  PlanCache cache(model, context, {});
  const Plan* two = &cache.get(batch(2));
  cache.get(batch(3));
  EXPECT_EQ(&cache.get(batch(2)), two);  // now 3 is the oldest
  const Plan* four = &cache.get(batch(4));
  EXPECT_EQ(&cache.get(batch(2)), two);
  EXPECT_EQ(&cache.get(batch(4)), four);
  EXPECT_EQ(cache.get(batch(3)).input_shape(), batch(3));  // in the place of 2
  EXPECT_EQ(&cache.get(batch(4)), four);
}

TEST_F(PlanCacheTest, SaysSoWhereOnePlanAloneIsTooLarge) {
  Context context({.device = "cpu", .threads = 1, .memory_limit = bytes_of({2})});
  PlanCache cache(model, context, {});
  cache.get(batch(2));
  expect_error([&] { cache.get(batch(64)); }, ErrorKind::Memory, {"--memory-limit"});
  EXPECT_EQ(cache.get(batch(2)).input_shape(), batch(2));
}

}  // namespace
}  // namespace tyto
