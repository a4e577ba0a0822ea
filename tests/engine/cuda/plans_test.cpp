// What cuDNN would run on GPUs that are not here: every convolution of every network has a precompiled engine
// with its epilogue in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/cuda/cudnn/operation_names.h"
#include "engine/cuda/cudnn/planned_device.h"
#include "engine/cuda/gpu_descriptions.h"
#include "engine/cuda/libraries.h"
#include "engine/cuda/network_shapes.h"
#include "support/errors.h"

namespace tyto::cuda {
namespace {

const int64_t kWorkspaceLimit = LibraryOptions().workspace_limit;
constexpr Precision kPrecisions[] = {Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16};

class Plans : public testing::TestWithParam<GpuNumbers> {
 protected:
  void SetUp() override {
    try {
      device.emplace(description(GetParam()));
    } catch (const Error& e) {
      GTEST_SKIP() << e.what();
    }
  }

  std::optional<PlannedDevice> device;
};

ConvolutionSpec resnet_block() {
  ConvolutionSpec s;
  s.precision = Precision::Fp16;
  s.n = 8;
  s.height = s.width = s.out_height = s.out_width = 56;
  s.channels = s.outputs = 64;
  s.kernel = 3;
  s.padding = 1;
  s.residual = s.bias = s.relu = true;
  return s;
}

TEST_P(Plans, ServeEveryConvolutionOfEveryNetwork) {
  const std::vector<FullSizeNetwork> networks = read_networks(TYTO_NETWORK_SHAPES);
  std::set<std::string> families;
  std::set<ConvolutionSpec> specs;
  for (const FullSizeNetwork& network : networks) {
    families.insert(network.name);
    for (Precision precision : kPrecisions) specs.merge(convolutions(network.graph(8), precision));
  }
  EXPECT_EQ(families.size(), tyto::networks().size()) << "a network is missing from network_shapes.py";

  std::map<std::string, int> fallbacks;  // by precision
  int winograd = 0;
  for (const ConvolutionSpec& spec : specs) {
    const auto plans = device->plans(spec, kWorkspaceLimit, 1);
    ASSERT_FALSE(plans.empty()) << "no plan for a " << name_of(spec);
    EXPECT_FALSE(plans[0].compiled_at_run_time) << name_of(spec);
    EXPECT_LE(plans[0].workspace_bytes, kWorkspaceLimit) << name_of(spec);
    winograd += plans[0].description.find("winograd") != std::string::npos;
    if (!plans[0].fallback) continue;
    ++fallbacks[tyto::name_of(spec.precision)];
    std::cout << "fallback: " << name_of(spec) << ": " << plans[0].description << '\n';
  }
  std::cout << specs.size() << " convolutions planned for " << GetParam().name << " by cuDNN "
            << device->cudnn_version() << "; " << winograd << " use Winograd; served by FALLBACK:";
  for (const auto& [precision, count] : fallbacks) std::cout << ' ' << precision << ' ' << count;
  std::cout << (fallbacks.empty() ? " none\n" : "\n");
}

TEST_P(Plans, KeepTensorCoresOutOfFp32) {
  ConvolutionSpec spec = resnet_block();
  std::map<Precision, std::set<std::string>> engines;
  for (Precision precision : {Precision::Fp32, Precision::Tf32}) {
    spec.precision = precision;
    for (const PlanSummary& plan : device->plans(spec, kWorkspaceLimit, 100))
      engines[precision].insert(plan.description);
  }
  EXPECT_FALSE(engines[Precision::Fp32].empty());
  EXPECT_LT(engines[Precision::Fp32].size(), engines[Precision::Tf32].size());
  for (const std::string& engine : engines[Precision::Fp32])
    EXPECT_TRUE(engines[Precision::Tf32].contains(engine)) << "tf32 allows all that fp32 does: " << engine;
}

TEST_P(Plans, StayWithinTheWorkspaceLimit) {
  for (Precision precision : kPrecisions) {
    ConvolutionSpec spec = resnet_block();
    spec.precision = precision;
    const auto all = device->plans(spec, kWorkspaceLimit, 100), without = device->plans(spec, 0, 100);
    EXPECT_LT(without.size(), all.size());
    EXPECT_FALSE(without.empty());
    for (const PlanSummary& plan : without) EXPECT_EQ(plan.workspace_bytes, 0) << plan.description;
  }
}

TEST_P(Plans, ComeBestFirstAndNeverTwice) {
  for (Precision precision : kPrecisions)
    for (const bool plain : {false, true}) {
      ConvolutionSpec spec = resnet_block();
      spec.precision = precision;
      if (plain) spec.residual = spec.bias = spec.relu = false;
      const auto all = device->plans(spec, kWorkspaceLimit, 100),
                 some = device->plans(spec, kWorkspaceLimit, 3);
      std::set<std::string> engines;
      bool fallback = false;
      for (const PlanSummary& plan : all) {
        EXPECT_TRUE(plan.fallback || !fallback)
            << "behind those of the fallback heuristic: " << plan.description;
        fallback = plan.fallback;
        engines.insert(plan.description.substr(0, plan.description.find('}')));
      }
      EXPECT_EQ(engines.size(), all.size()) << name_of(spec);
      ASSERT_EQ(some.size(), 3u) << name_of(spec);
      for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i].description, all[i].description);
    }
}

TEST_P(Plans, AreRefusedForAShapeThatDoesNotFit) {
  ConvolutionSpec spec = resnet_block();
  spec.out_height = 57;
  expect_error([&] { device->plans(spec, kWorkspaceLimit, 1); }, ErrorKind::Unsupported,
               {"cuDNN", name_of(spec)});
}

// A ResNet-50's layers at the sizes that photographs have when their shorter side is made equal.
TEST_P(Plans, OfFurtherSizesAskNoHeuristics) {
  constexpr int kSizes = 200;
  const std::vector<FullSizeNetwork> networks = read_networks(TYTO_NETWORK_SHAPES);
  FullSizeNetwork resnet =
      *std::find_if(networks.begin(), networks.end(), [](const auto& n) { return n.name == "resnet"; });
  for (const Precision precision : {Precision::Fp32, Precision::Fp16}) {
    std::minstd_rand random(1);
    std::uniform_int_distribution<int64_t> heights(320, 800), widths(320, 1344);
    std::set<ConvolutionSpec> families;
    int heuristics = 0, plans = 0;
    double asking = 0, reusing = 0;  // milliseconds of this process
    for (int size = 0; size < kSizes; ++size) {
      resnet.height = heights(random);
      resnet.width = widths(random);
      for (const ConvolutionSpec& spec : convolutions(resnet.graph(1), precision)) {
        families.insert(family_of(spec));
        const std::clock_t start = std::clock();
        const auto plan = device->plan(spec, kWorkspaceLimit);
        const double time = 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        ASSERT_TRUE(plan) << name_of(spec);
        EXPECT_LE(plan->workspace_bytes, kWorkspaceLimit) << name_of(spec);
        ++plans;
        heuristics += plan->from_heuristics;
        (plan->from_heuristics ? asking : reusing) += time;
      }
    }
    const int reused = plans - heuristics, misses = heuristics - static_cast<int>(families.size());
    ASSERT_GT(reused, 0);
    const double first = asking / heuristics, further = reusing / reused;
    std::cout << GetParam().name << ", " << tyto::name_of(precision) << ": " << families.size()
              << " layers at " << kSizes << " sizes; heuristics asked " << heuristics << " times (" << misses
              << " for want of an engine that serves), " << first << " ms each; " << reused
              << " plans without, " << further << " ms each\n";
    EXPECT_LE(misses, reused / 100);
    EXPECT_LT(3 * further, first);
  }
}

INSTANTIATE_TEST_SUITE_P(Gpus, Plans, testing::Values(kA100, kH100), [](const auto& gpu) {
  return "sm_" + std::to_string(gpu.param.compute_capability);
});

TEST(PlannedDevice, RefusesADescriptionThatIsNone) {
  try {
    PlannedDevice(description(kA100));
  } catch (const Error& e) {
    GTEST_SKIP() << e.what();
  }
  EXPECT_THROW(PlannedDevice("{}"), Error);
}

}  // namespace
}  // namespace tyto::cuda
