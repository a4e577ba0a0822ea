// Plans of many sizes in one context: what they share, and which of them go.
#include "engine/runtime/plan_cache.h"

#include <gtest/gtest.h>

#include "engine/cpu/host_buffer.h"
#include "engine/runtime/shared_arena.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/random_weights.h"

namespace tyto {
namespace {

Graph graph_of(const PlanCache::Size& size) {
  static const auto source = invent({{"a.weight", {16, 3, 3, 3}}, {"b.weight", {16, 16, 3, 3}}});
  const Weights w(source);
  Graph g;
  const Value x = g.image_input("input", {size.rows, 3, size.height, size.width});
  const Value a = g.conv2d(x, w.scope("a"), {.kernel = 3, .padding = 1});
  g.output("y", g.conv2d(a, w.scope("b"), {.kernel = 3, .padding = 1}));
  return g;
}

struct PlanCaches : testing::Test {
  Context context{{.device = "cpu", .threads = 1}};

  static Tensor input_of(const PlanCache::Size& size) {
    return noise({size.rows, 3, size.height, size.width}, static_cast<uint32_t>(size.height));
  }
  static void expect_right(PlanCache& plans, const PlanCache::Size& size) {
    const Tensor input = input_of(size);
    EXPECT_LE(
        relative_error(plans.plan(size).run(input).at("y"), run_reference(graph_of(size), input).at("y")),
        sum_tolerance(Precision::Fp32, 16 * 9, 2, true))
        << size.height;
  }
};

TEST_F(PlanCaches, MakeAPlanForEachSizeOnceAndRunThemInOneArena) {
  PlanCache plans(context, Precision::Fp32, graph_of);
  const PlanCache::Size sizes[] = {{1, 9, 12}, {2, 20, 17}, {1, 5, 5}, {1, 33, 8}};
  for (int round = 0; round < 2; ++round)
    for (const auto& size : sizes) expect_right(plans, size);
  EXPECT_EQ(plans.made(), 4u);
  EXPECT_GT(plans.seconds(), 0);
}

TEST_F(PlanCaches, LetThePlanGoThatWasUsedLongestAgoWhereMemoryEnds) {
  // Room for the largest plan's arena and the outputs of two.
  const PlanCache::Size large = {1, 64, 64}, other = {1, 62, 64}, third = {1, 60, 64};
  PlanCache unlimited(context, Precision::Fp32, graph_of);
  const PlanReport report = unlimited.plan(large).report();
  const int64_t limit =
      report.weight_bytes + report.activation_bytes + report.workspace_bytes + 5 * report.output_bytes / 2;
  Context tight({.device = "cpu", .threads = 1, .memory_limit = limit});
  PlanCache plans(tight, Precision::Fp32, graph_of);
  for (const auto& size : {large, other, large, third}) expect_right(plans, size);
  EXPECT_EQ(plans.made(), 3u);
  expect_right(plans, large);  // was used after `other`
  EXPECT_EQ(plans.made(), 3u);
  expect_right(plans, other);
  EXPECT_EQ(plans.made(), 4u);
}

TEST_F(PlanCaches, KeepAPlanWhoseResultsWait) {
  const PlanCache::Size first = {1, 64, 64}, second = {1, 62, 64};
  PlanCache unlimited(context, Precision::Fp32, graph_of);
  const PlanReport report = unlimited.plan(first).report();
  Context tight({.device = "cpu",
                 .threads = 1,
                 .memory_limit = report.weight_bytes + report.activation_bytes + report.workspace_bytes +
                                 3 * report.output_bytes / 2});
  PlanCache plans(tight, Precision::Fp32, graph_of);
  const Tensor input = input_of(first);
  Plan& waiting = plans.plan(first);
  waiting.submit(input);
  expect_error([&] { plans.plan(second); }, ErrorKind::Memory, {"--memory-limit"});
  EXPECT_LE(relative_error(waiting.collect().at("y"), run_reference(graph_of(first), input).at("y")),
            sum_tolerance(Precision::Fp32, 16 * 9, 2, true));
  expect_right(plans, second);
}

// Holds its size and can be refused.
struct Memory {
  static inline int64_t most = 100, held = 0;
  Memory() = default;
  explicit Memory(int64_t bytes) : bytes_(bytes) {
    if (bytes > most) throw Error(ErrorKind::Memory, "too much");
    held += bytes;
  }
  Memory& operator=(Memory&& other) noexcept {
    held -= bytes_;
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }
  ~Memory() { held -= bytes_; }
  int64_t bytes() const { return bytes_; }
  int64_t bytes_ = 0;
};

TEST(SharedArena, IsAsLargeAsTheLargestClaimAndGoesWithTheLast) {
  using Arena = SharedArena<Memory>;
  const auto arena = std::make_shared<Arena>();
  {
    const Arena::Share small(arena, 10);
    EXPECT_EQ(arena->bytes(), 10);
    {
      const Arena::Share large(arena, 70);
      EXPECT_EQ(arena->bytes(), 70);
      EXPECT_EQ(arena->bytes_with(30), 70);
      EXPECT_THROW(Arena::Share(arena, 101), Error);
      EXPECT_EQ(arena->bytes(), 70);
    }
    EXPECT_EQ(arena->bytes_with(30), 30);
    const Arena::Share next(arena, 20);
    EXPECT_EQ(arena->bytes(), 20);
    EXPECT_EQ(Memory::held, 20);
  }
  EXPECT_EQ(Memory::held, 0);
}

}  // namespace
}  // namespace tyto
