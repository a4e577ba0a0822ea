// The CUDA backend on the emulated device: right numbers, no work beside them, and one sentence for everything that fails.
#include <gtest/gtest.h>

#include <cuda_runtime_api.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "emulated/device.h"
#include "engine/compare.h"
#include "engine/cuda/detections_from_heads.h"
#include "engine/graph/passes.h"
#include "engine/model_graph.h"
#include "engine/self_test.h"
#include "engine/small_resnet.h"
#include "engine/small_ssd.h"
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

TEST_P(EmulatedSchedules, ADetectorFindsWhatTheCpuFindsInTheSameHeads) {
  const Model model(write_small_ssd(folder / "ssd.safetensors"));
  Context gpu(on("cuda:0"));
  Plan plan(model, gpu, model.input_shape(1));
  const Tensor input = noise(plan.input_shape(), 3, -120, 130);
  const auto got = copies(plan.run(input));

  Context cpu(on("cpu"));
  Plan on_cpu(model, cpu, model.input_shape(1));
  const auto& want = on_cpu.run(input);
  for (const char* head : {"locations", "logits"})
    EXPECT_LE(relative_error(got.at(head), want.at(head)), sum_tolerance(Precision::Fp32, 16 * 9, 23))
        << head;

  const Tensor found = detections_from_heads(build_graph(model, model.input_shape(1)), got);
  EXPECT_TRUE(same_bits(got.at("detections"), found));
  EXPECT_GE(got.at("detections").as<float>()[5], 1.0f) << "nothing was found, so nothing was compared";
}

INSTANTIATE_TEST_SUITE_P(All, EmulatedSchedules,
                         testing::Values("forward", "reverse", "shuffled:1", "shuffled:2", "warp-ahead:3"));

TEST_F(Emulated, ANetworkEqualsTheReferenceInBatches) {
  const Graph graph = optimise(small_resnet_graph(3));
  Context context(on("cuda"));
  const Tensor input = noise(graph.nodes()[0].shape, 1);
  const auto want = run_reference(graph, input);
  for (Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16}) {
    const auto executable = context.backend().compile(graph, precision);
    auto got = room_for_outputs(graph);
    executable->submit(input);
    executable->collect(got);
    for (const auto& [name, tensor] : want)
      EXPECT_LE(relative_error(got.at(name), tensor),
                sum_tolerance(precision, kSmallResnetTerms, kSmallResnetLayers))
          << name << " in " << name_of(precision);
  }
}

// --- no work beside them ---

TEST_F(Emulated, AWarmRunIsOneGraphAndOneWaitAndNoAllocation) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan plan(model, context, model.input_shape(2));
  const Tensor input = noise(plan.input_shape(), 1);
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

TEST_F(Emulated, BatchesInFlightComeBackInOrder) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  for (const char* device : {"cuda:0", "cuda:0,1", "cuda:1,0,2"}) {
    emulation::set_device_count(3);
    Context context(on(device));
    Plan plan(model, context, model.input_shape(2));
    std::vector<Tensor> inputs;
    std::vector<std::map<std::string, Tensor>> want;
    for (uint32_t i = 0; i < 11; ++i) inputs.push_back(noise(plan.input_shape(), i + 1));
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

TEST_F(Emulated, SeveralGpusHoldSeveralBatches) {
  emulation::set_device_count(2);
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context one(on("cuda:1")), two(on("cuda:0,1"));
  Plan a(model, one, model.input_shape(1)), b(model, two, model.input_shape(1));
  EXPECT_EQ(b.in_flight(), 2 * a.in_flight());
}

TEST_F(Emulated, MoreThanWhatMayBeInFlightIsRefused) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan plan(model, context, model.input_shape(1));
  const Tensor input = noise(plan.input_shape(), 1);
  EXPECT_NE(error_of([&] { plan.collect(); }), "no error");
  for (int i = 0; i < plan.in_flight(); ++i) plan.submit(input);
  EXPECT_NE(error_of([&] { plan.submit(input); }), "no error");
  EXPECT_NE(error_of([&] { plan.run(input); }), "no error");
}

TEST_F(Emulated, PlansOfOneContextShareTheirWeights) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  size_t free_before = 0, free_after = 0, total = 0;
  Plan first(model, context, model.input_shape(1));
  cudaMemGetInfo(&free_before, &total);
  Plan second(model, context, model.input_shape(1));
  cudaMemGetInfo(&free_after, &total);
  const PlanReport& r = second.report();
  const int64_t own =
      r.activation_bytes + r.workspace_bytes + 4 * (r.output_bytes + second.input_shape().elements() * 4);
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

// --- what fails ---

TEST_F(Emulated, ADeviceThatIsNotThereIsNamed) {
  emulation::set_device_count(2);
  EXPECT_EQ(error_of([] { Context context(on("cuda:2")); }),
            "there is no cuda:2; this machine has 2 GPUs, cuda:0 to cuda:1");
  for (const char* nonsense : {"cuda:", "cuda:x", "cuda:-1", "cuda:0,", "cuda:0,0", "cudax"})
    EXPECT_NE(error_of([&] { Context context(on(nonsense)); }).find("there is no device"), std::string::npos)
        << nonsense;
}

TEST_F(Emulated, AnOldGpuIsRefusedByName) {
  emulation::set_architecture({.name = "sm_75", .major = 7, .minor = 5});
  const std::string message = error_of([] { Context context(on("cuda:0")); });
  emulation::set_architecture({});
  EXPECT_NE(message.find("has compute capability 7.5; tyto needs 8.0"), std::string::npos) << message;
}

TEST_F(Emulated, ABuildWithoutCodeForTheGpuSaysHowToMakeOne) {
  emulation::fail_next(cudaErrorNoKernelImageForDevice, "cudaLaunchKernelEx", 0);
  const std::string message = error_of([] { Context context(on("cuda:0")); });
  EXPECT_NE(message.find("build with -DCMAKE_CUDA_ARCHITECTURES=80"), std::string::npos) << message;
}

TEST_F(Emulated, EveryGpuIsListedUsedOrNot) {
  emulation::set_device_count(2);
  emulation::set_architecture({.name = "sm_75", .major = 7, .minor = 5});
  const auto lines = describe_gpus();
  emulation::set_architecture({});
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[2].first, "cuda:0");
  EXPECT_EQ(lines[3].first, "cuda:1");
  EXPECT_NE(lines[3].second.find("sm_75"), std::string::npos) << lines[3].second;
  EXPECT_NE(lines[3].second.find("too old"), std::string::npos) << lines[3].second;
}

TEST_F(Emulated, AMissingDriverIsSaid) {
  emulation::fail_next(cudaErrorInsufficientDriver, "cudaGetDeviceCount");
  EXPECT_NE(error_of([] { Context context(on("cuda:0")); }).find("driver"), std::string::npos);
  emulation::fail_next(cudaErrorNoDevice, "cudaGetDeviceCount");
  EXPECT_EQ(error_of([] { Context context(on("cuda:0")); }), "there is no NVIDIA GPU here; use --device cpu");
}

TEST_F(Emulated, AutoTakesTheGpuAndSaysSo) {
  std::vector<std::string> said;
  ContextOptions options = on("auto");
  options.notice = [&](const std::string& sentence) { said.push_back(sentence); };
  { Context context(options); }
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said[0].find("running on cuda:0"), std::string::npos) << said[0];
  emulation::set_device_count(0);
  { Context context(options); }
  ASSERT_EQ(said.size(), 2u);
  EXPECT_NE(said[1].find("running on cpu"), std::string::npos) << said[1];
}

TEST_F(Emulated, OutOfMemorySaysWhatWasAskedAndWhatFits) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  std::optional<Plan> small(std::in_place, model, context, model.input_shape(1));
  emulation::set_device_memory(int64_t{8} << 20);
  const std::string message = error_of([&] { Plan plan(model, context, model.input_shape(512)); });
  EXPECT_NE(message.find("the fp32 plan for [512, 3, 64, 32] needs"), std::string::npos) << message;
  EXPECT_NE(message.find("and cuda:0 has"), std::string::npos) << message;
  const auto advised = [](const std::string& text) {
    const size_t at = text.find("use --batch ");
    EXPECT_NE(at, std::string::npos) << text;
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + 12));
  };
  // What the shapes alone tell is the least; who takes that advice may hear once more, then from the finished plan.
  int fits = advised(message);
  EXPECT_LT(fits, 512);
  const std::string again = error_of([&] { Plan plan(model, context, model.input_shape(fits)); });
  if (again != "no error") fits = advised(again);
  EXPECT_GT(fits, 1);
  EXPECT_NO_THROW(Plan(model, context, model.input_shape(fits)));
}

TEST_F(Emulated, TheMemoryLimitHolds) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  ContextOptions options = on("cuda:0");
  options.memory_limit = int64_t{2} << 20;
  Context context(options);
  EXPECT_NE(error_of([&] {
              Plan plan(model, context, model.input_shape(512));
            }).find("the limit of 2 MiB (--memory-limit) leaves"),
            std::string::npos);
  EXPECT_NO_THROW(Plan(model, context, model.input_shape(1)));
}

// A network whose second layer makes what fp16 cannot hold, handed out or, in F32, as features.
Graph overflowing(bool as_features = false) {
  Graph g;
  auto tensors = std::vector<std::pair<std::string, Tensor>>{};
  for (const char* name : {"a.weight", "b.weight", "c.weight"}) {
    Tensor t(DType::F32, {8, 8, 1, 1});
    std::ranges::fill(t.as<float>(), std::string(name) == "b.weight" ? 3e4f : 0.5f);
    tensors.emplace_back(name, t);
  }
  const Weights w(std::make_shared<MemorySource>(std::move(tensors), "overflowing"));
  Value x = g.input("input", {1, 8, 4, 4});
  for (const char* layer : {"a", "b", "c"}) x = g.relu(g.conv2d(x, w.scope(layer), {.kernel = 1}));
  x = g.max_pool(x, {});
  g.output("y", as_features ? g.unit_sum("y", {g.flatten(x), g.flatten(x)}) : x);
  return optimise(g);
}

TEST_F(Emulated, AnOverflowOfFp16IsFoundAndItsLayerNamed) {
  Context context(on("cuda:0"));
  Tensor input(DType::F32, {1, 8, 4, 4});
  std::ranges::fill(input.as<float>(), 1.0f);
  for (const bool as_features : {false, true}) {
    const Graph graph = overflowing(as_features);
    auto outputs = room_for_outputs(graph);
    const auto run = [&](Precision precision) {
      const auto executable = context.backend().compile(graph, precision);
      for (int i = 0; i < 3; ++i) {  // the captured graph, too
        executable->submit(input);
        executable->collect(outputs);
      }
    };
    const std::string message = error_of([&] { run(Precision::Fp16); });
    EXPECT_NE(message.find("layer 'b': 128 of 128 values exceed 65504"), std::string::npos) << message;
    EXPECT_NO_THROW(run(Precision::Bf16));
    EXPECT_NO_THROW(run(Precision::Fp32));
  }
}

TEST_F(Emulated, WeightsBeyondFp16AreNamed) {
  Graph g;
  Tensor t(DType::F32, {1, 1, 1, 1});
  t.as<float>()[0] = 1e5f;
  const Weights w(
      std::make_shared<MemorySource>(std::vector<std::pair<std::string, Tensor>>{{"big.weight", t}}, "big"));
  g.output("y", g.conv2d(g.input("input", {1, 1, 2, 2}), w.scope("big"), {.kernel = 1}));
  Context context(on("cuda:0"));
  const std::string message = error_of([&] { context.backend().compile(g, Precision::Fp16); });
  EXPECT_NE(message.find("big.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("65504"), std::string::npos) << message;
}

TEST_F(Emulated, ALaunchThatFailsNamesLayerAndKernel) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan plan(model, context, model.input_shape(1));
  emulation::fail_next(cudaErrorLaunchOutOfResources, "cudaLaunchKernelEx", 1);
  const std::string message = error_of([&] { plan.run(noise(plan.input_shape(), 1)); });
  EXPECT_NE(message.find("layer 'max_pool after bn1' (tyto): kernel max_pool_kernel"), std::string::npos)
      << message;
}

// Whatever call of the runtime fails, and whenever: an Error, no crash, no leak, and the next context works.
TEST_F(Emulated, AnyCallMayFail) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  const Tensor input = noise(model.input_shape(1), 1);
  const Image image = picture(1);
  const auto work = [&] {
    Context context(on("cuda:0"));
    Plan plan(model, context, model.input_shape(1));
    for (int i = 0; i < 3; ++i) plan.run(input);
    FeatureExtractor extractor(model, context, {.batch = 1});
    for (int i = 0; i < 3; ++i) extractor.extract({&image, 1});
  };
  work();
  int failed = 0;
  for (int skipped = 0;; skipped += 1 + skipped / 16) {
    const auto before = emulation::runtime_counts();
    emulation::fail_next(skipped % 2 ? cudaErrorUnknown : cudaErrorMemoryAllocation, "", skipped);
    const std::string message = error_of(work);
    const bool never_came = emulation::cancel_failure();
    const auto after = emulation::runtime_counts();
    if (never_came) break;
    if (message == "no error") continue;  // a destructor's call failed, which is nobody's error
    ++failed;
    EXPECT_EQ(after.allocations - before.allocations, after.frees - before.frees)
        << "call " << skipped << ": " << message;
  }
  EXPECT_GT(failed, 30);
  EXPECT_EQ(error_of(work), "no error");
}

}  // namespace
}  // namespace tyto
