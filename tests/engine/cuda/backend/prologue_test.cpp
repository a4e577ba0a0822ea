// What depends on steady inputs alone, on the emulated device: kept while batches are in flight, on several
// GPUs, beside other plans and behind runs that failed.
#include <gtest/gtest.h>

#include <cuda_runtime_api.h>

#include <deque>

#include "engine/cuda/backend/device.h"
#include "support/compare.h"
#include "support/steady_graph.h"

namespace tyto {
namespace {

TEST_F(Emulated, APrologueGivesTheBitsOfAPlanWithoutOneWhateverChanged) {
  for (const bool synchronous : {false, true}) {
    ContextOptions options = on("cuda:0");
    options.synchronous = synchronous;
    Context context(options);
    expect_prologue_changes_nothing(context, Precision::Fp32);
    if (!synchronous) expect_prologue_changes_nothing(context, Precision::Fp16);
  }
}

TEST_F(Emulated, AProloguePoolsWhatTheCpuPools) {
  Context gpu(on("cuda:0")), cpu(on("cpu"));
  const Tensors inputs = camera_inputs(1);
  Plan plan = plan_graph(camera_graph(true), gpu, Precision::Fp32),
       judge = plan_graph(camera_graph(true), cpu, Precision::Fp32);
  const Tensors &got = plan.run(inputs), &want = judge.run(inputs);
  for (const auto& [name, tensor] : want)
    EXPECT_LE(relative_error(got.at(name), tensor), sum_tolerance(Precision::Fp32, 90, 3)) << name;
  EXPECT_TRUE(same_bits(got.at("cell_starts"), want.at("cell_starts")));
  const Tensors before = clones(got);
  EXPECT_GT(plan.profile(inputs, 1).changed_run_ms, 0);
  expect_same(plan.run(inputs), before, "after a profile");
}

TEST_F(Emulated, BatchesInFlightHaveEachItsOwnCalibration) {
  emulation::set_device_count(2);
  for (const char* device : {"cuda:0", "cuda:0,1"}) {
    SCOPED_TRACE(device);
    Context context(on(device)), plain(on("cuda:0"));
    Plan plan = plan_graph(camera_graph(true), context, Precision::Fp32),
         without = plan_graph(camera_graph(false), plain, Precision::Fp32);
    const std::vector<SteadyRun> runs = steady_runs();
    std::vector<Tensors> want;
    for (const SteadyRun& run : runs) want.push_back(clones(without.run(run.inputs)));
    std::deque<size_t> waiting;
    for (int round = 0; round < 2; ++round)  // the captured graphs, too
      for (size_t i = 0; i < runs.size(); ++i) {
        if (waiting.size() == static_cast<size_t>(plan.in_flight())) {
          expect_same(plan.collect(), want[waiting.front()], runs[waiting.front()].what);
          waiting.pop_front();
        }
        plan.submit(runs[i].inputs);
        waiting.push_back(i);
      }
    for (const size_t i : waiting) expect_same(plan.collect(), want[i], runs[i].what);
  }
}

TEST_F(Emulated, APrologueOutlivesOtherPlansInItsArena) {
  Context context(on("cuda:0"));
  Plan plan = plan_graph(camera_graph(true), context, Precision::Fp32);
  const Tensors inputs = camera_inputs(1), want = clones(plan.run(inputs));
  plan.run(inputs);  // is captured
  Graph large;
  large.output("y", large.relu(large.softmax(large.image_input("x", {2, 8, 24, 24}), 1)));
  Plan other = plan_graph(large, context, Precision::Fp32);
  other.run(noise({2, 8, 24, 24}, 1));
  expect_same(plan.run(inputs), want, "behind another plan");
  EXPECT_EQ(plan.prologue_samples(), kSteadySamples);
}

TEST_F(Emulated, AWarmRunLaunchesThePrologueWhereCalibrationsChangeAlone) {
  Context context(on("cuda:0"));
  Plan plan = plan_graph(camera_graph(true), context, Precision::Fp32);
  Tensors inputs = camera_inputs(1);
  const auto launched = [&] {
    const auto before = emulation::runtime_counts();
    plan.run(inputs);
    const auto after = emulation::runtime_counts();
    EXPECT_EQ(after.allocations, before.allocations);
    return after.graph_launches - before.graph_launches;
  };
  for (int i = 0; i < 2; ++i) {  // each part runs, then is captured
    change_pose(inputs, 1);
    plan.run(inputs);
  }
  EXPECT_EQ(launched(), 1);
  change_pose(inputs, 2);
  EXPECT_EQ(launched(), 2);
  EXPECT_EQ(launched(), 1);
}

TEST_F(Emulated, ARunBehindOneThatFailedComputesThePrologueAgain) {
  constexpr int kInputs = 4;  // which are copied to the GPU before the mask of samples
  for (const auto& [call, skipped] : {std::pair("cudaMemcpyAsync", 0),
                                      {"cudaMemcpyAsync", kInputs},
                                      {"cudaMemcpyAsync", kInputs + 2},
                                      {"cudaLaunchKernelEx", 0},
                                      {"cudaEventRecord", 0},
                                      {"cudaEventSynchronize", 0}}) {
    SCOPED_TRACE(call + std::to_string(skipped));
    Context context(on("cuda:0"));
    Plan plan = plan_graph(camera_graph(true), context, Precision::Fp32);
    Tensors inputs = camera_inputs(1);
    plan.run(inputs);
    change_pose(inputs, 0);
    emulation::fail_next(cudaErrorUnknown, call, skipped);
    EXPECT_NE(error_of([&] { plan.run(inputs); }), "no error");
    EXPECT_FALSE(emulation::cancel_failure());
    Plan again = plan_graph(camera_graph(false), context, Precision::Fp32);
    const Tensors want = clones(again.run(inputs));
    Tensors got;
    EXPECT_EQ(error_of([&] { got = clones(plan.run(inputs)); }), "no error");
    expect_same(got, want, "after a failure");
  }
}

// The layer that is named is looked for with the calibration of its own batch; what follows has its own
// again.
TEST_F(Emulated, ARunBehindOneThatOverflowedHasItsOwnCalibration) {
  Context context(on("cuda:0"));
  Plan plan = plan_graph(camera_graph(true), context, Precision::Fp16),
       without = plan_graph(camera_graph(false), context, Precision::Fp16);
  Tensors large = camera_inputs(1), inputs = camera_inputs(9);
  const Tensors want = clones(without.run(inputs));
  for (float& v : large.at("maps").as<float>()) v *= 60000;
  plan.submit(large);
  plan.submit(inputs);
  EXPECT_NE(error_of([&] { plan.collect(); }).find("use --precision bf16"), std::string::npos);
  expect_same(plan.collect(), want, "in flight beside it");
  expect_same(plan.run(inputs), want, "after it");
}

}  // namespace
}  // namespace tyto
