#include "tyto/plan.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <limits>

#include "engine/cpu/instruction_set.h"
#include "engine/graph/cost.h"
#include "engine/graph/passes.h"
#include "engine/runtime/plan_graph.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/small_resnet.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

const Shape kInput = {2, 3, kSmallHeight, kSmallWidth};
const InputShapes kInputs = {{"input", kInput}};

class PlanTest : public testing::Test {
 protected:
  const TemporaryFolder folder;
  const Model model{write_small_resnet(folder / "small.safetensors")};
  Context context{{.device = "cpu", .threads = 1}};

  // Compiles the same tensors under another description.
  void plan_described(const ModelInfo& info) {
    const Model other(write_small_resnet(folder / "other.safetensors", info));
    Plan(other, context, kInputs);
  }
};

bool uses_winograd(const Plan& plan) {
  const auto& steps = plan.report().steps;
  return std::any_of(steps.begin(), steps.end(),
                     [](const auto& s) { return s.algorithm.find("wino") != std::string::npos; });
}

TEST_F(PlanTest, ComputesWhatTheNetworkMeans) {
  Plan plan(model, context, kInputs);
  const Tensor input = noise(kInput, 1);
  const auto& got = plan.run(input);
  const auto want = run_reference(small_resnet_graph(2), input);
  ASSERT_EQ(got.size(), 3u);
  const double tolerance =
      sum_tolerance(Precision::Fp32, kSmallResnetTerms, kSmallResnetLayers, uses_winograd(plan));
  for (const auto& [name, tensor] : want) {
    EXPECT_LE(relative_error(got.at(name), tensor), tolerance) << name;
    EXPECT_EQ(plan.output_shape(name), tensor.shape());
  }
}

TEST_F(PlanTest, ComputesTheWantedOutputsAlone) {
  Plan plan(model, context, kInputs, {.outputs = {"features"}});
  const auto& got = plan.run(noise(kInput, 1));
  ASSERT_EQ(got.size(), 1u);
  Plan whole(model, context, kInputs);
  EXPECT_TRUE(same_bits(got.at("features"), whole.run(noise(kInput, 1)).at("features")));
  expect_error([&] { Plan(model, context, kInputs, {.outputs = {"boxes"}}); }, ErrorKind::Usage,
               {"'boxes'", "map, features, logits"});
}

TEST_F(PlanTest, ReportsTheWorkOfEveryLayerOnce) {
  const Graph graph = optimise(small_resnet_graph(2));
  double want = 0, got = 0;
  for (const Node& node : graph.nodes()) want += cost_of(graph, node, DType::F32).flop;
  const Plan plan = plan_graph(graph, context, Precision::Fp32);
  for (const PlanReport::Step& step : plan.report().steps) {
    got += step.flop;
    EXPECT_GT(step.bytes_read, 0) << step.name << " " << step.operation;
    EXPECT_GT(step.bytes_written, 0) << step.name << " " << step.operation;
  }
  EXPECT_EQ(got, want);
  const PlanReport::Step& first = plan.report().steps.front();  // 7 x 7 of 3 channels, at every second pixel
  EXPECT_EQ(first.flop, 2.0 * (2 * 8 * 32 * 16) * (3 * 7 * 7)) << first.name;
}

TEST_F(PlanTest, ProfilesEachStep) {
  Plan plan(model, context, kInputs);
  const Tensor input = noise(kInput, 1);
  const auto start = std::chrono::steady_clock::now();
  const PlanProfile profile = plan.profile({{"input", input}}, 3);
  const double waited =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  ASSERT_EQ(profile.step_ms.size(), plan.report().steps.size());
  double sum = profile.outside_ms;
  for (double ms : profile.step_ms) {
    EXPECT_GE(ms, 0);
    sum += ms;
  }
  EXPECT_GT(sum, 0);
  EXPECT_GT(profile.run_ms, 0);
  EXPECT_LT(profile.run_ms, waited);
  expect_error([&] { plan.profile({{"input", input}}, 0); }, ErrorKind::Usage, {"one run"});
  expect_error(
      [&] {
        plan.profile({{"input", noise({1, 3, 64, 32}, 1)}}, 1);
      },
      ErrorKind::Shape, {"[1, 3, 64, 32]"});
  plan.submit(input);
  expect_error([&] { plan.profile({{"input", input}}, 1); }, ErrorKind::Usage, {"wait to be collected"});
}

TEST_F(PlanTest, MeasuresWhatTheCpuReaches) {
  const Peaks peaks = context.measure_peaks(Precision::Fp32);
  EXPECT_GT(peaks.flops, 1e8);
  EXPECT_LT(peaks.flops, 1e14);
  EXPECT_GT(peaks.bandwidth, 1e8);
  EXPECT_LT(peaks.bandwidth, 1e13);
  expect_error([&] { context.measure_peaks(Precision::Fp16); }, ErrorKind::Unsupported, {"fp16"});
}

TEST_F(PlanTest, RefusesAnInputThatItWasNotMadeFor) {
  Plan plan(model, context, kInputs);
  expect_error(
      [&] {
        plan.run(noise({1, 3, kSmallHeight, kSmallWidth}, 1));
      },
      ErrorKind::Shape, {"[2, 3, 64, 32]", "[1, 3, 64, 32]"});
  expect_error([&] { plan.run(Tensor::zeros(DType::U8, kInput)); }, ErrorKind::Shape, {"F32", "U8"});
}

TEST_F(PlanTest, RefusesShapesThatAreNoBatchOfImages) {
  for (const Shape& shape :
       {Shape{}, Shape{3}, Shape{3, 64, 32}, Shape{1, 3, 64, 32, 1}, Shape{-1, 3, 64, 32}, Shape{1, 3, 0, 32},
        Shape{1, -3, 64, 32}, Shape{1, 3, -64, 32}, Shape{0, 3, 64, 32}})
    expect_error([&] { Plan(model, context, {{"input", shape}}); }, ErrorKind::Shape, {shape.str()});
  EXPECT_THROW(Plan(model, context, {{"input", {1, 4, 64, 32}}}), Error);
}

TEST_F(PlanTest, RefusesAnInputBeyondAllMemory) {
  for (const int64_t side : {int64_t{1} << 20, int64_t{1} << 30, int64_t{1} << 40})
    EXPECT_THROW(Plan(model, context, {{"input", {1, 3, side, side}}}), Error) << side;
}

TEST_F(PlanTest, RefusesANetworkAndOptionsThatAreNotThere) {
  ModelInfo info = small_resnet_info();
  info.network = "resnext";
  expect_error([&] { plan_described(info); }, ErrorKind::Unsupported, {"'resnext'", "resnet"});
  info = small_resnet_info();
  info.options = {{"strides", "2"}};
  expect_error([&] { plan_described(info); }, ErrorKind::Format,
               {"other.safetensors", "resnet", "'strides'", "stride"});
  for (const char* stride : {"3", "0", "-1", "two", "", "1.5", "99999999999999999999"}) {
    info.options = {{"stride", stride}};
    expect_error([&] { plan_described(info); }, ErrorKind::Format, {"other.safetensors", "stride", stride});
  }
}

TEST_F(PlanTest, RefusesADescriptionThatIsNotTheNetworks) {
  const ModelInfo good = small_resnet_info();
  const auto refused = [&](ModelInfo info, const char* what) {
    expect_error([&] { plan_described(info); }, ErrorKind::Format, {"other.safetensors", "resnet", what});
  };
  ModelInfo info = good;
  info.task = Task::Detect;
  refused(info, "'detect'");
  info = good;
  info.inputs[0].views = 2;
  refused(info, "'input'");
  info = good;
  info.outputs.push_back({"boxes", DType::F32, {}});
  refused(info, "'boxes'");
  info = good;
  info.outputs[0].type = DType::F32;
  refused(info, "'map'");
}

TEST_F(PlanTest, NamesATensorThatIsMissing) {
  ModelInfo info = small_resnet_info();
  info.network = "vgg";
  info.options.clear();
  expect_error([&] { plan_described(info); }, ErrorKind::Format,
               {"other.safetensors", "'features.0.weight'"});
}

TEST_F(PlanTest, NamesAWeightThatIsNotFinite) {
  std::string bytes = read_text(model.path(), 10'000'000);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data() + bytes.size() - sizeof nan, &nan, sizeof nan);  // the last tensor is fc.bias
  write_text(folder / "nan.safetensors", bytes);
  const Model damaged(folder / "nan.safetensors");
  expect_error([&] { Plan(damaged, context, kInputs); }, ErrorKind::Format,
               {"nan.safetensors", "'fc.bias'", "not finite"});
}

TEST_F(PlanTest, RefusesPrecisionsThatTheCpuLacks) {
  for (Precision precision : {Precision::Tf32, Precision::Fp16})
    expect_error([&] { Plan(model, context, kInputs, {.precision = precision}); }, ErrorKind::Unsupported,
                 {name_of(precision), "CPU"});
  expect_error([] { precision_from("int8"); }, ErrorKind::Usage, {"'int8'", "fp32"});
  for (const char* name : {"fp32", "tf32", "fp16", "bf16"}) EXPECT_EQ(name_of(precision_from(name)), name);
}

// How well it computes in it, tests/parity judges beside PyTorch.
TEST_F(PlanTest, ComputesInBfloat16WhereTheCpuCanAndRefusesElsewhere) {
  const auto plan = [&] { Plan(model, context, kInputs, {.precision = Precision::Bf16}); };
  if (cpu::has_bf16())
    EXPECT_NO_THROW(plan());
  else
    expect_error(plan, ErrorKind::Unsupported, {"bf16", cpu::instruction_set()});
}

TEST_F(PlanTest, SaysHowMuchMemoryALimitForbids) {
  Context tight({.device = "cpu", .threads = 1, .memory_limit = int64_t{2} << 20});
  expect_error(
      [&] {
        Plan(model, tight, {{"input", {256, 3, kSmallHeight, kSmallWidth}}});
      },
      ErrorKind::Memory,
      {"the fp32 plan for [256, 3, 64, 32]", "MiB", "limit of 2 MiB", "--memory-limit", "--batch"});
  Plan small(model, tight,
             {{"input", {1, 3, kSmallHeight, kSmallWidth}}});  // the context is none the worse for it
  EXPECT_EQ(small.run(noise({1, 3, kSmallHeight, kSmallWidth}, 1)).size(), 3u);
}

TEST(Context, RefusesDevicesThatAreNotThere) {
  // In a build without CUDA, on a machine without a driver, and on one with fewer GPUs alike.
  expect_error([] { Context({.device = "cuda:99"}); }, ErrorKind::Device, {});
  expect_error([] { Context({.device = "cuda:x"}); }, ErrorKind::Usage, {"'cuda:x'", "cuda:N"});
  expect_error([] { Context({.device = "tpu"}); }, ErrorKind::Usage, {"'tpu'", "auto, cpu, cuda:N"});
}

TEST(Context, SaysWhatItChoseOnItsOwn) {
  std::vector<std::string> said;
  const auto notice = [&](const std::string& text) { said.push_back(text); };
  Context automatic({.threads = 2, .notice = notice});
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0], "running on cpu, " + cpu::instruction_set() + ", 2 threads");
  Context chosen({.device = "cpu", .notice = notice});
  EXPECT_EQ(said.size(), 1u);
}

}  // namespace
}  // namespace tyto
