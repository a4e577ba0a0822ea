// The CUDA backend on the emulated device: one sentence for everything that fails, and nothing is lost by it.
#include <gtest/gtest.h>

#include <cuda_runtime_api.h>

#include <optional>

#include "engine/cuda/backend/device.h"
#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/small_resnet.h"
#include "tyto/feature_extractor.h"

namespace tyto {
namespace {

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
  std::optional<Plan> small(std::in_place, model, context, model.input_shapes(1));
  emulation::set_device_memory(int64_t{8} << 20);
  const std::string message = error_of([&] { Plan plan(model, context, model.input_shapes(512)); });
  EXPECT_NE(message.find("the fp32 plan for [512, 3, 64, 32] needs"), std::string::npos) << message;
  EXPECT_NE(message.find("and cuda:0 has"), std::string::npos) << message;
  const auto advised = [](const std::string& text) {
    const size_t at = text.find("use --batch ");
    EXPECT_NE(at, std::string::npos) << text;
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + 12));
  };
  // What the shapes alone tell is the least; who takes that advice may hear once more, then from the finished
  // plan.
  int fits = advised(message);
  EXPECT_LT(fits, 512);
  const std::string again = error_of([&] { Plan plan(model, context, model.input_shapes(fits)); });
  if (again != "no error") fits = advised(again);
  EXPECT_GT(fits, 1);
  EXPECT_NO_THROW(Plan(model, context, model.input_shapes(fits)));
}

TEST_F(Emulated, TheMemoryLimitHolds) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  ContextOptions options = on("cuda:0");
  options.memory_limit = int64_t{2} << 20;
  Context context(options);
  EXPECT_NE(error_of([&] {
              Plan plan(model, context, model.input_shapes(512));
            }).find("the limit of 2 MiB (--memory-limit) leaves"),
            std::string::npos);
  // As many fit again when they are gone.
  const auto fitting = [&] {
    std::vector<Plan> plans;
    const std::string message = error_of([&] {
      while (plans.size() < 100) plans.emplace_back(model, context, model.input_shapes(4));
    });
    EXPECT_NE(message.find("the limit of 2 MiB (--memory-limit) leaves"), std::string::npos) << message;
    return plans.size();
  };
  const size_t many = fitting();
  EXPECT_GT(many, 0u);
  EXPECT_EQ(fitting(), many);
}

// A network whose second layer makes what fp16 cannot hold, handed out or, in F32, as features or a
// detector's head.
enum class Result { Map, Features, Head };
Graph overflowing(Result result) {
  Graph g;
  auto tensors = std::vector<std::pair<std::string, Tensor>>{};
  for (const char* name : {"a.weight", "b.weight", "c.weight"}) {
    Tensor t(DType::F32, {8, 8, 1, 1});
    std::ranges::fill(t.as<float>(), std::string(name) == "b.weight" ? 3e4f : 0.5f);
    tensors.emplace_back(name, t);
  }
  const Weights w(std::make_shared<MemorySource>(std::move(tensors), "overflowing"));
  Value x = g.image_input("input", {1, 8, 4, 4});
  for (const char* layer : {"a", "b", "c"}) x = g.relu(g.conv2d(x, w.scope(layer), {.kernel = 1}));
  x = g.max_pool(x, {});
  g.output("y", result == Result::Features ? g.normalized_sum("y", {g.flatten(x), g.flatten(x)})
                : result == Result::Head   ? g.concat_maps("y", {x}, 4)
                                           : x);
  return optimise(g);
}

TEST_F(Emulated, AnOverflowOfFp16IsFoundAndItsLayerNamed) {
  Context context(on("cuda:0"));
  Tensor input(DType::F32, {1, 8, 4, 4});
  std::ranges::fill(input.as<float>(), 1.0f);
  for (const Result result : {Result::Map, Result::Features, Result::Head}) {
    const Graph graph = overflowing(result);
    const auto run = [&](Precision precision) {
      auto outputs = output_tensors(graph, precision);
      const auto executable = backend_of(context).compile(graph, precision);
      for (int i = 0; i < 3; ++i) {  // the captured graph, too
        run_once(*executable, input, outputs);
      }
    };
    const std::string message = error_of([&] { run(Precision::Fp16); });
    EXPECT_NE(message.find("layer 'b': 128 of 128 values exceed 65504"), std::string::npos) << message;
    EXPECT_NO_THROW(run(Precision::Bf16));
    EXPECT_NO_THROW(run(Precision::Fp32));
  }
}

TEST_F(Emulated, AnOverflowIsFoundOnAnotherGpuThanTheCallers) {
  emulation::set_device_count(2);
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  Context context(on("cuda:1"));
  const Graph graph = overflowing(Result::Map);
  const auto executable = backend_of(context).compile(graph, Precision::Fp16);
  Tensor input(DType::F32, {1, 8, 4, 4});
  std::ranges::fill(input.as<float>(), 1.0f);
  auto outputs = output_tensors(graph, Precision::Fp16);
  const std::string message = error_of([&] { run_once(*executable, input, outputs); });
  EXPECT_NE(message.find("layer 'b': 128 of 128"), std::string::npos) << message;
}

TEST_F(Emulated, WeightsBeyondFp16AreNamed) {
  Graph g;
  Tensor t(DType::F32, {1, 1, 1, 1});
  t.as<float>()[0] = 1e5f;
  const Weights w(
      std::make_shared<MemorySource>(std::vector<std::pair<std::string, Tensor>>{{"big.weight", t}}, "big"));
  g.output("y", g.conv2d(g.image_input("input", {1, 1, 2, 2}), w.scope("big"), {.kernel = 1}));
  Context context(on("cuda:0"));
  const std::string message = error_of([&] { backend_of(context).compile(g, Precision::Fp16); });
  EXPECT_NE(message.find("big.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("65504"), std::string::npos) << message;
}

TEST_F(Emulated, ALaunchThatFailsNamesLayerAndKernel) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  Context context(on("cuda:0"));
  Plan plan(model, context, model.input_shapes(1));
  emulation::fail_next(cudaErrorLaunchOutOfResources, "cudaLaunchKernelEx", 1);
  const std::string message = error_of([&] { plan.run(noise(plan.inputs()[0].shape, 1)); });
  EXPECT_NE(message.find("layer 'max_pool after bn1' (tyto): kernel max_pool_kernel"), std::string::npos)
      << message;
}

TEST_F(Emulated, AnErrorOfTheGpuIsTheLayersWhereItIsSynchronous) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  ContextOptions options = on("cuda:0");
  for (const bool synchronous : {false, true}) {
    options.synchronous = synchronous;
    Context context(options);
    Plan plan(model, context, model.input_shapes(1));
    const Tensor input = noise(plan.inputs()[0].shape, 1);
    for (int i = 0; i < 2; ++i) plan.run(input);
    emulation::fail_next(cudaErrorIllegalAddress,
                         synchronous ? "cudaStreamSynchronize" : "cudaEventSynchronize", synchronous ? 1 : 0);
    const std::string message = error_of([&] { plan.run(input); });
    EXPECT_FALSE(emulation::cancel_failure());
    EXPECT_NE(message.find(synchronous ? "layer 'conv1' (stand-in): could not finish the work"
                                       : "the same command with --synchronous names the layer"),
              std::string::npos)
        << message;
  }
}

// Whatever call of the runtime fails, and whenever: an Error, no crash, no leak, and the next context works.
TEST_F(Emulated, AnyCallMayFail) {
  const Model model(write_small_resnet(folder / "net.safetensors"));
  const Tensor input = noise(model.input_shapes(1).at("input"), 1);
  const Image image = picture(1);
  const auto work = [&] {
    Context context(on("cuda:0"));
    Plan plan(model, context, model.input_shapes(1));
    for (int i = 0; i < 3; ++i) plan.run(input);
    plan.profile({{"input", input}}, 1);
    FeatureExtractor extractor(model, context, {.batch = 1});
    for (int i = 0; i < 3; ++i) extractor.extract({&image, 1});
  };
  work();
  // Whether the call came; a destructor's that fails is nobody's error.
  int failed = 0;
  const auto fails = [&](cudaError_t error, const std::string& call, int skipped) {
    const auto before = emulation::runtime_counts();
    emulation::fail_next(error, call, skipped);
    const std::string message = error_of(work);
    const bool came = !emulation::cancel_failure();
    const auto after = emulation::runtime_counts();
    failed += came && message != "no error";
    EXPECT_EQ(after.allocations - before.allocations, after.frees - before.frees)
        << call << " " << skipped << ": " << message;
    EXPECT_EQ(emulation::live_objects(), emulation::LiveObjects())
        << call << " " << skipped << ": " << message;
    return came;
  };
  for (int skipped = 0;; skipped += 1 + skipped / 8)
    if (!fails(skipped % 2 ? cudaErrorUnknown : cudaErrorMemoryAllocation, "", skipped)) break;
  EXPECT_GT(failed, 30);
  for (const char* call :
       {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphDestroy",
        "cudaGraphLaunch", "cudaEventCreateWithFlags", "cudaSetDevice"})
    EXPECT_TRUE(fails(cudaErrorUnknown, call, 0)) << call;
  EXPECT_EQ(error_of(work), "no error");
}

}  // namespace
}  // namespace tyto
