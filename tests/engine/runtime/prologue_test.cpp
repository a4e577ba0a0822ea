// What depends on steady inputs alone, on the CPU; the emulated device has backend/prologue_test.cpp.
#include <gtest/gtest.h>

#include "engine/cpu/instruction_set.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/steady_graph.h"

namespace tyto {
namespace {

TEST(CpuPrologue, GivesTheBitsOfAPlanWithoutOneWhateverChanged) {
  for (const int threads : {1, 2}) {
    Context context({.device = "cpu", .threads = threads});
    expect_prologue_changes_nothing(context, Precision::Fp32);
    if (cpu::has_bf16()) expect_prologue_changes_nothing(context, Precision::Bf16);
  }
}

TEST(CpuPrologue, PoolsWhatTheReferencePools) {
  const Graph graph = camera_graph(true);
  Context context({.device = "cpu", .threads = 1});
  Plan plan = plan_graph(graph, context, Precision::Fp32);
  const Tensors inputs = camera_inputs(1), want = run_reference(graph, inputs), &got = plan.run(inputs);
  for (const auto& [name, tensor] : want)
    EXPECT_LE(relative_error(got.at(name), tensor), sum_tolerance(Precision::Fp32, 90, 3)) << name;
  EXPECT_TRUE(same_bits(got.at("cell_starts"), want.at("cell_starts")));
  EXPECT_GT(want.at("cell_starts").as<int32_t>().back(), 20) << "few points fall into the grid";
}

TEST(CpuPrologue, OutlivesRunsOfOtherPlansInItsArenaAndItsMoves) {
  Context context({.device = "cpu", .threads = 1});
  Plan plan = plan_graph(camera_graph(true), context, Precision::Fp32);
  const Tensors inputs = camera_inputs(1), want = clones(plan.run(inputs));
  Graph large;
  large.output("y", large.relu(large.softmax(large.image_input("x", {4, 16, 40, 40}), 1)));
  Plan other = plan_graph(large, context, Precision::Fp32);
  other.run(noise({4, 16, 40, 40}, 1));
  expect_same(plan.run(inputs), want, "behind another plan");
  EXPECT_EQ(plan.prologue_samples(), kSteadySamples);
}

TEST(CpuPrologue, IsReportedAndTimed) {
  Context context({.device = "cpu", .threads = 1});
  Plan plan = plan_graph(camera_graph(true), context, Precision::Fp32);
  const auto& steps = plan.report().steps;
  const auto is_prologue = [](const PlanReport::Step& step) { return step.prologue; };
  EXPECT_TRUE(std::ranges::is_partitioned(steps, is_prologue));
  const auto index = std::ranges::find(steps, "bev_index", &PlanReport::Step::operation);
  ASSERT_NE(index, steps.end());
  EXPECT_TRUE(index->prologue);
  EXPECT_FALSE(std::ranges::find(steps, "bev_pool", &PlanReport::Step::operation)->prologue);
  const Tensors inputs = camera_inputs(1);
  const Tensors want = clones(plan.run(inputs));
  const PlanProfile profile = plan.profile(inputs, 2);
  EXPECT_EQ(profile.step_ms.size(), steps.size());
  EXPECT_GT(profile.step_ms[static_cast<size_t>(index - steps.begin())], 0);
  EXPECT_GT(profile.changed_run_ms, 0);
  expect_same(plan.run(inputs), want, "after a profile");
  EXPECT_EQ(plan_graph(camera_graph(false), context, Precision::Fp32).profile(inputs, 1).changed_run_ms, 0);
}

TEST(CpuPrologue, CountsAgainstTheMemoryLimit) {
  Context unlimited({.device = "cpu", .threads = 1});
  const PlanReport report = plan_graph(camera_graph(true), unlimited, Precision::Fp32).report();
  ASSERT_GT(report.prologue_bytes, 0);
  const int64_t all = report.weight_bytes + report.activation_bytes + report.workspace_bytes +
                      report.output_bytes + report.prologue_bytes;
  Context enough({.device = "cpu", .threads = 1, .memory_limit = all});
  const Plan plan = plan_graph(camera_graph(true), enough, Precision::Fp32);
  expect_error([&] { plan_graph(camera_graph(true), enough, Precision::Fp32); }, ErrorKind::Memory,
               {"--memory-limit"});
  Context tight({.device = "cpu", .threads = 1, .memory_limit = all - 1});
  expect_error([&] { plan_graph(camera_graph(true), tight, Precision::Fp32); }, ErrorKind::Memory,
               {"--memory-limit"});
}

}  // namespace
}  // namespace tyto
