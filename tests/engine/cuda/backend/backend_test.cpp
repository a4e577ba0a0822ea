// The CUDA backend on the emulated device: right numbers, and no work beside them. failures_test.cpp has the
// rest.
#include <gtest/gtest.h>

#include <cuda_runtime_api.h>

#include <chrono>
#include <optional>
#include <thread>

#include "engine/cuda/backend/device.h"
#include "engine/cuda/convolution.h"
#include "engine/cuda/detections_from_heads.h"
#include "engine/cuda/runtime.h"
#include "engine/cuda/stand_ins/heuristics.h"
#include "engine/graph/cost.h"
#include "engine/graph/passes.h"
#include "engine/model/build_graph.h"
#include "engine/runtime/plan_graph.h"
#include "engine/self_test/self_test.h"
#include "support/batch_invariance.h"
#include "support/compare.h"
#include "support/small_resnet.h"
#include "support/small_ssd.h"
#include "support/typed_graphs.h"
#include "tyto/detector.h"
#include "tyto/feature_extractor.h"

namespace tyto {
namespace {

std::map<std::string, Tensor> copies(const std::map<std::string, Tensor>& outputs) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, tensor] : outputs) out.emplace(name, tensor.clone());
  return out;
}

void expect_same_bits(const std::map<std::string, Tensor>& got, const std::map<std::string, Tensor>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want) EXPECT_TRUE(same_bits(got.at(name), tensor)) << name;
}

// --- right numbers ---

class EmulatedSchedules : public Emulated, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override { emulation::set_schedule(emulation::schedule_from(GetParam())); }
};

TEST_P(EmulatedSchedules, EveryOperatorEqualsTheReferenceInEveryPrecision) {
  Context context(on("cuda:0"));
  for (Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16})
    for (const SelfTestResult& result : self_test(context, precision))
      EXPECT_TRUE(result.passed()) << name_of(precision) << ": " << result.name << ": " << result.error
                                   << " > " << result.tolerance;
}

TEST_F(Emulated, GraphsOfManyTypesEqualTheReferenceInEveryPrecision) {
  Context context(on("cuda:0"));
  for (const TypedGraph& typed : typed_graphs())
    for (Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16})
      expect_typed_equals_reference(typed, context, precision);
}

TEST_F(Emulated, ASampleHasTheSameBitsWhateverStandsBesideIt) {
  Context context(on("cuda:0"));
  for (Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16})
    expect_samples_hang_on_nothing_else(context, precision);
}

TEST_F(Emulated, RowsOfMoreDimensionsThanKernelsHaveAreRefusedInWords) {
  Context context(on("cuda:0"));
  Graph graph;
  const Value x = graph.rows_input("x", {1, 2, 1, 2, 1, 2, 2});
  graph.output("y", graph.permute(x, {6, 5, 4, 3, 2, 1, 0}));
  const std::string message = error_of([&] { plan_graph(graph, context, Precision::Fp32); });
  EXPECT_NE(message.find("has more than 6 dimensions"), std::string::npos) << message;
}

TEST_P(EmulatedSchedules, ADetectorFindsWhatTheCpuFindsInTheSameHeads) {
  const Model model(write_small_ssd(folder / "ssd.safetensors"));
  Context gpu(on("cuda:0"));
  Plan plan(model, gpu, model.input_shapes(1));
  const Tensor input = noise(plan.inputs()[0].shape, 3, -120, 130);
  const auto got = copies(plan.run(input));

  Context cpu(on("cpu"));
  Plan on_cpu(model, cpu, model.input_shapes(1));
  const auto& want = on_cpu.run(input);
  for (const char* head : {"locations", "logits"})
    EXPECT_LE(relative_error(got.at(head), want.at(head)), sum_tolerance(Precision::Fp32, 16 * 9, 23))
        << head;

  const Tensor found = detections_from_heads(build_graph(model, model.input_shapes(1)), got);
  EXPECT_TRUE(same_bits(got.at("detections"), found));
  EXPECT_GE(got.at("detections").as<float>()[5], 1.0f) << "nothing was found, so nothing was compared";
}

INSTANTIATE_TEST_SUITE_P(All, EmulatedSchedules,
                         testing::Values("forward", "reverse", "shuffled:1", "shuffled:2", "warp-ahead:3"));

TEST_F(Emulated, ANetworkEqualsTheReferenceInBatches) {
  const Graph graph = optimise(small_resnet_graph(3));
  Context context(on("cuda"));
  const Tensor input = noise(graph.nodes()[0].shape(), 1);
  const auto want = run_reference(graph, input);
  std::map<Precision, std::unique_ptr<Executable>> alive;  // all, so that what they share must fit all
  for (Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16})
    alive[precision] = backend_of(context).compile(graph, precision);
  for (const auto& [precision, executable] : alive) {
    auto got = output_tensors(graph, precision);
    run_once(*executable, input, got);
    for (const auto& [name, tensor] : want)
      EXPECT_LE(relative_error(got.at(name), tensor),
                sum_tolerance(precision, kSmallResnetTerms, kSmallResnetLayers))
          << name << " in " << name_of(precision);
  }
}

TEST_F(Emulated, AFurtherSizeAsksNoHeuristics) {
  Context context(on("cuda:0"));
  const auto asked_by = [](Context& by, int64_t batch, Precision precision) {
    const int64_t before = cuda::heuristics_asked();
    backend_of(by).compile(optimise(small_resnet_graph(batch)), precision);
    return cuda::heuristics_asked() - before;
  };
  const int64_t layers = asked_by(context, 3, Precision::Fp32);
  EXPECT_GT(layers, 0);
  EXPECT_EQ(asked_by(context, 1, Precision::Fp32), 0);
  EXPECT_EQ(asked_by(context, 3, Precision::Fp16), layers);
  Context other(on("cuda:0"));
  EXPECT_EQ(asked_by(other, 3, Precision::Fp32), layers);
}

// A layer of one weight, whose result is that weight where the input is 1.
Graph one_weight(float value) {
  Tensor weight(DType::F32, {1, 1, 1, 1});
  weight.as<float>()[0] = value;
  const Weights w(std::make_shared<MemorySource>(
      std::vector<std::pair<std::string, Tensor>>{{"layer.weight", weight}}, "one weight"));
  Graph g;
  g.output("y", g.conv2d(g.image_input("input", {1, 1, 1, 1}), w.scope("layer"), {.kernel = 1}));
  return g;
}

float result_of(Executable& executable, const Graph& graph, Precision precision = Precision::Fp32) {
  Tensor one(DType::F32, {1, 1, 1, 1});
  one.as<float>()[0] = 1;
  auto outputs = output_tensors(graph, precision);
  run_once(executable, one, outputs);
  return outputs.at("y").to_f32().as<float>()[0];
}

TEST_F(Emulated, ModelsWhoseTensorsHaveTheSameNamesShareNone) {
  Context context(on("cuda:0"));
  const Graph three = one_weight(3), five = one_weight(5);
  const auto a = backend_of(context).compile(three, Precision::Fp32),
             b = backend_of(context).compile(five, Precision::Fp32);
  EXPECT_EQ(result_of(*a, three), 3);
  EXPECT_EQ(result_of(*b, five), 5);
}

// A convolution of one channel reads the same tensor otherwise than a depthwise one.
TEST_F(Emulated, AWeightInTwoLayoutsIsThereTwice) {
  Context context(on("cuda:0"));
  const Weights w = weights({{"shared.weight", {8, 1, 3, 3}}});
  Graph graph;
  const Value x = graph.conv2d(graph.image_input("input", {1, 1, 5, 5}), w.scope("shared"), {.kernel = 3});
  graph.output("y", graph.conv2d(x, w.scope("shared"), {.kernel = 3, .groups = 8}));
  const Tensor input = noise({1, 1, 5, 5}, 1);
  const auto executable = backend_of(context).compile(graph, Precision::Fp32);
  auto got = output_tensors(graph, Precision::Fp32);
  run_once(*executable, input, got);
  EXPECT_LE(relative_error(got.at("y"), run_reference(graph, input).at("y")),
            sum_tolerance(Precision::Fp32, 9, 2));
}

TEST_F(Emulated, WeightsAreRoundedToNearest) {
  Context context(on("cuda:0"));
  for (const auto& [precision, ulp] : {std::pair(Precision::Fp16, 0x1p-10f), {Precision::Bf16, 0x1p-7f}}) {
    const Graph graph = one_weight(1 + 0.75f * ulp);
    const auto executable = backend_of(context).compile(graph, precision);
    EXPECT_EQ(result_of(*executable, graph, precision), 1 + ulp) << name_of(precision);
  }
}

// --- no work beside them ---

TEST_F(Emulated, AWarmRunIsOneGraphAndOneWaitAndNoAllocation) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan plan(model, context, model.input_shapes(2));
  const Tensor input = noise(plan.inputs()[0].shape, 1);
  const auto cold = copies(plan.run(input));
  plan.run(noise(input.shape(), 2));  // is captured
  const auto before = emulation::runtime_counts();
  const auto warm = copies(plan.run(input));
  const auto after = emulation::runtime_counts();
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.graph_launches, before.graph_launches + 1);
  EXPECT_EQ(after.graph_instantiations, before.graph_instantiations);
  EXPECT_EQ(after.host_synchronisations, before.host_synchronisations + 1);
  expect_same_bits(warm, cold);
}

TEST_P(EmulatedSchedules, BatchesInFlightComeBackInOrder) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  for (const char* device : {"cuda:0", "cuda:0,1", "cuda:1,0,2"}) {
    emulation::set_device_count(3);
    Context context(on(device));
    Plan plan(model, context, model.input_shapes(2));
    std::vector<Tensor> inputs;
    std::vector<std::map<std::string, Tensor>> want;
    for (uint32_t i = 0; i < 7; ++i) inputs.push_back(noise(plan.inputs()[0].shape, i + 1));
    for (const Tensor& input : inputs) want.push_back(copies(plan.run(input)));
    size_t collected = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (i - collected == static_cast<size_t>(plan.in_flight())) {
        expect_same_bits(plan.collect(), want[collected]);
        ++collected;
      }
      plan.submit(inputs[i]);
    }
    for (; collected < inputs.size(); ++collected) expect_same_bits(plan.collect(), want[collected]);
  }
}

// They share weights, and run one after the other in one arena; each has memory of its own for its copies.
TEST_F(Emulated, PlansOfOneContextMayBeInFlightTogether) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  std::vector<Plan> plans;
  for (int i = 0; i < 2; ++i) plans.emplace_back(model, context, model.input_shapes(1));
  const Tensor inputs[] = {noise(plans[0].inputs()[0].shape, 1), noise(plans[0].inputs()[0].shape, 2)};
  std::map<std::string, Tensor> want[2];
  for (int i = 0; i < 2; ++i) want[i] = copies(plans[0].run(inputs[i]));
  for (int turn = 0; turn < 3; ++turn) {  // the captured graphs, too
    for (int slot = 0; slot < plans[0].in_flight(); ++slot)
      for (int i = 0; i < 2; ++i) plans[i].submit(inputs[(i + slot) % 2]);
    for (int slot = 0; slot < plans[0].in_flight(); ++slot)
      for (int i = 0; i < 2; ++i) expect_same_bits(plans[i].collect(), want[(i + slot) % 2]);
  }
}

TEST_F(Emulated, ACapturedGraphOutlivesLargerPlans) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan small(model, context, model.input_shapes(1));
  const Tensor input = noise(small.inputs()[0].shape, 1);
  const auto want = copies(small.run(input));
  small.run(input);  // is captured
  Plan large(model, context, model.input_shapes(3));
  large.run(noise(large.inputs()[0].shape, 2));
  expect_same_bits(small.run(input), want);
}

TEST_F(Emulated, APlanOutlivesItsContext) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  std::optional<Context> context(std::in_place, on("cuda:0"));
  Plan plan(model, *context, model.input_shapes(1));
  const Tensor input = noise(plan.inputs()[0].shape, 1);
  const auto want = copies(plan.run(input));
  context.reset();
  expect_same_bits(plan.run(input), want);
}

TEST_F(Emulated, ACaptureLetsOtherThreadsAllocate) {
  const cuda::Stream stream;
  const cuda::DeviceBuffer buffer(4);
  const auto graph = cuda::CapturedGraph::capture(stream, [&] {
    cuda::check(cudaMemsetAsync(buffer.data(), 0, 4, stream), "clear memory");
    std::thread([] { const cuda::DeviceBuffer other(4); }).join();
  });
  graph.launch(stream);
  stream.wait();
}

TEST_F(Emulated, OnlyTheGpuThatIsNamedIsOpened) {
  emulation::set_device_count(3);
  const Model model(write_small_resnet(folder / "net.safetensors"));
  const Tensor input = noise(model.input_shapes(1).at("input"), 1);
  const Image image = picture(1);
  std::unique_ptr<Context> context;
  std::optional<Plan> plan;
  std::optional<FeatureExtractor> extractor;
  emulation::take_opened_devices();
  // Threads of their own, which have chosen no GPU; as do pools.
  std::thread([&] {
    describe_gpus();
    context = std::make_unique<Context>(on("cuda:1"));
  }).join();
  std::thread([&] {
    plan.emplace(model, *context, model.input_shapes(1));
    extractor.emplace(model, *context, ExtractOptions{.batch = 1});
  }).join();
  std::thread([&] {
    for (int i = 0; i < 3; ++i) plan->run(input);
    extractor->extract({&image, 1});
  }).join();
  std::thread([&] { plan.reset(); }).join();
  std::thread([&] { context.reset(); }).join();
  std::thread([&] { extractor.reset(); }).join();
  EXPECT_EQ(emulation::take_opened_devices(), std::vector<int>{1});
}

TEST_F(Emulated, TheCallersGpuStaysCurrent) {
  emulation::set_device_count(2);
  const Model model(write_small_resnet(folder / "net.safetensors"));
  std::thread([&] {
    const auto current = [] {
      int device = -1;
      cudaGetDevice(&device);
      return device;
    };
    ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
    {
      Context context(on("cuda:1"));
      EXPECT_EQ(current(), 0);
      Plan plan(model, context, model.input_shapes(1));
      EXPECT_EQ(current(), 0);
      plan.run(noise(plan.inputs()[0].shape, 1));
      EXPECT_EQ(current(), 0);
    }
    EXPECT_EQ(current(), 0);
  }).join();
}

TEST_F(Emulated, SeveralGpusHoldSeveralBatches) {
  emulation::set_device_count(2);
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context one(on("cuda:1")), two(on("cuda:0,1"));
  Plan a(model, one, model.input_shapes(1)), b(model, two, model.input_shapes(1));
  EXPECT_EQ(b.in_flight(), 2 * a.in_flight());
}

TEST_F(Emulated, APlanIsMadeWhileAnotherRunsAndTheArenaMoves) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan small(model, context, model.input_shapes(1));
  const Tensor input = noise(small.inputs()[0].shape, 1);
  const auto want = copies(small.run(input));
  small.submit(input);
  Plan large(model, context, model.input_shapes(3));
  expect_same_bits(small.collect(), want);
  small.submit(input);
  large.run(noise(large.inputs()[0].shape, 2));
  expect_same_bits(small.collect(), want);
}

TEST_F(Emulated, MoreThanWhatMayBeInFlightIsRefused) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan plan(model, context, model.input_shapes(1));
  const Tensor input = noise(plan.inputs()[0].shape, 1);
  EXPECT_NE(error_of([&] { plan.collect(); }), "no error");
  for (int i = 0; i < plan.in_flight(); ++i) plan.submit(input);
  EXPECT_NE(error_of([&] { plan.submit(input); }), "no error");
  EXPECT_NE(error_of([&] { plan.run(input); }), "no error");
}

TEST_F(Emulated, PlansOfOneContextShareTheirWeights) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  size_t free_before = 0, free_after = 0, total = 0;
  Plan first(model, context, model.input_shapes(1));
  cudaMemGetInfo(&free_before, &total);
  Plan second(model, context, model.input_shapes(1));
  cudaMemGetInfo(&free_after, &total);
  const PlanReport& r = second.report();
  const int64_t own =
      r.activation_bytes + r.workspace_bytes + 2 * (r.output_bytes + second.inputs()[0].shape.elements() * 4);
  EXPECT_LT(static_cast<int64_t>(free_before - free_after), own + r.weight_bytes);
}

TEST_F(Emulated, TheExtractorAgreesWithTheCpu) {
  ModelInfo info = small_resnet_info();
  const Model model(write_small_resnet(folder / "net.safetensors", info));
  Context gpu(on("cuda:0")), cpu(on("cpu"));
  const std::vector<Image> images = {picture(1), picture(2, 31, 77), picture(3)};
  for (const std::vector<double>& scales : {std::vector<double>{1}, std::vector<double>{1, 1.2}})
    for (const Precision precision : {Precision::Fp32, Precision::Fp16, Precision::Bf16}) {
      FeatureExtractor a(model, gpu, {.precision = precision, .batch = 2, .scales = scales}),
          b(model, cpu, {.batch = 2, .scales = scales});
      EXPECT_LE(relative_error(a.extract(images), b.extract(images)),
                sum_tolerance(precision, kSmallResnetTerms, kSmallResnetLayers))
          << name_of(precision);
    }
}

// --- what a plan costs ---

TEST_F(Emulated, AProfileTimesEachStepOfTheFirstGpuAndChangesNothing) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  emulation::set_device_count(2);
  for (const char* device : {"cuda:0", "cuda:1,0"}) {
    Context context(on(device));
    Plan plan(model, context, model.input_shapes(2));
    const Tensor input = noise(plan.inputs()[0].shape, 1);
    const auto want = copies(plan.run(input));
    const auto start = std::chrono::steady_clock::now();
    const PlanProfile profile = plan.profile({{"input", input}}, 1);
    const double waited =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    const auto& steps = plan.report().steps;
    ASSERT_EQ(profile.step_ms.size(), steps.size());
    double sum = profile.outside_ms;
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_GT(profile.step_ms[i], 0) << steps[i].name << " " << steps[i].operation;
      sum += profile.step_ms[i];
    }
    EXPECT_LT(sum, waited);
    const auto before = emulation::runtime_counts();
    expect_same_bits(plan.run(input), want);
    EXPECT_EQ(emulation::runtime_counts().graph_launches, before.graph_launches + 1);
  }
}

TEST_F(Emulated, EveryStepsWorkIsReportedInEveryPrecision) {
  const Graph graph = optimise(small_resnet_graph(2));
  Context context(on("cuda:0"));
  for (Precision precision : {Precision::Fp32, Precision::Fp16}) {
    const DType type = activation_type(precision);
    double want = 0, got = 0;
    for (const Node& node : graph.nodes()) want += cost_of(graph, node, type).flop;
    const Plan plan = plan_graph(graph, context, precision);
    for (const PlanReport::Step& step : plan.report().steps) {
      got += step.flop;
      EXPECT_GT(step.bytes_written, 0) << step.name << " " << step.operation;
    }
    EXPECT_EQ(got, want) << name_of(precision);
  }
}

TEST_F(Emulated, TheGpusPeaksAreMeasured) {
  Context context(on("cuda:0"));
  for (Precision precision : {Precision::Fp32, Precision::Fp16}) {
    const Peaks peaks = context.measure_peaks(precision);
    EXPECT_GT(peaks.flops, 0) << name_of(precision);
    EXPECT_GT(peaks.bandwidth, 0) << name_of(precision);
  }
}

}  // namespace
}  // namespace tyto
