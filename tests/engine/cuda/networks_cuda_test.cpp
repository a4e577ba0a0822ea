// Every network on a GPU, at its full size and with an eighth of its channels, with invented weights, against
// the CPU backend. Linked to the real libraries it is for a machine with a GPU (scripts/gpu-check runs it
// there); linked to the emulated device it needs none. The shapes of the networks' tensors
// (network_shapes.py) are read from the file that TYTO_NETWORK_SHAPES names.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/cuda/detections_from_heads.h"
#include "engine/cuda/network_shapes.h"
#include "engine/cuda/two_stages.h"
#include "support/compare.h"
#include "support/random_weights.h"
#include "tyto/context.h"

namespace tyto {
namespace {

using cuda::FullSizeNetwork;
using Inputs = std::map<std::string, Tensor>;

// Ends the program where there are none: a run of no test would pass.
std::vector<FullSizeNetwork> networks_of_the_environment() {
  const char* path = std::getenv("TYTO_NETWORK_SHAPES");
  auto networks = path ? cuda::read_networks(path) : std::vector<FullSizeNetwork>();
  // Of rigs of cameras, whose tensors say where points lie: noise is no rig. tests/parity/test_bev.py runs
  // them.
  std::erase_if(networks, [](const FullSizeNetwork& network) { return network.shapes->has_values(); });
  if (!networks.empty()) return networks;
  std::fprintf(stderr, "TYTO_NETWORK_SHAPES names no file that network_shapes.py wrote\n");
  std::exit(1);
}

// Weights like a trained network's, so far as all layers keep their outputs near 1 and change with the input.
// A variance of 1 / fan-in keeps the size of what a chain of convolutions passes on, 2 / fan-in that of
// convolutions with a ReLU behind each (He et al., ICCV 2015). 1.6 is the cube root of 4: it keeps what
// passes the three layers with two ReLUs of a bottleneck.
Tensor trained_like(const std::string& name, const Shape& shape, uint32_t seed) {
  if (shape.rank() == 1) {
    const bool shift = name.ends_with("bias") || name.ends_with("running_mean");
    return shift ? noise(shape, seed, -0.1f, 0.1f) : noise(shape, seed, 0.8f, 1.2f);
  }
  const auto fan_in = static_cast<double>(shape.elements()) / static_cast<double>(shape[0]);
  // What a non-local block adds grows with the cube of its input.
  const float part = name.starts_with("NL_") ? 0.1f : 1.0f;
  const auto high = part * static_cast<float>(std::sqrt(3 * 1.6 / fan_in));
  return noise(shape, seed, -high, high);
}

std::shared_ptr<MemorySource> invent_weights(const FullSizeNetwork& network) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  uint32_t seed = 0;
  for (const std::string& name : network.shapes->names()) {
    const Shape shape = network.shapes->find(name)->shape;
    if (shape.rank() > 0)  // batch norm's num_batches_tracked is a scalar that no builder asks for
      tensors.emplace_back(name, trained_like(name, shape, ++seed));
  }
  return std::make_shared<MemorySource>(std::move(tensors), network.name);
}

// The sums of a network: how many follow each other at most, and the longest.
struct Sums {
  double terms = 1, layers = 0;

  explicit Sums(const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      if (node.weights.empty() || node.weights[0].shape().rank() < 2) continue;
      const Shape& w = node.weights[0].shape();
      terms = std::max(terms, static_cast<double>(w.elements() / std::max<int64_t>(1, w[0])));
      ++layers;
    }
  }
};

bool uses_winograd(const PlanReport& report) {
  return std::any_of(report.steps.begin(), report.steps.end(),
                     [](const auto& step) { return step.algorithm.find("wino") != std::string::npos; });
}

// An executable and where its outputs go.
class Runner {
 public:
  Runner(const Graph& graph, Backend& backend, Precision precision)
      : executable_(backend.compile(graph, precision)), room_(output_tensors(graph, precision)) {}

  // In the order of their names, which is that of the networks' inputs.
  void submit(const Inputs& inputs) {
    std::vector<BoundInput> bound;
    for (const auto& [name, tensor] : inputs) bound.emplace_back(&tensor);
    executable_->submit(bound);
  }
  Outputs collect() {
    executable_->collect(room_);
    Outputs out;
    for (const auto& [name, tensor] : room_) out.emplace(name, tensor.clone());
    return out;
  }
  Outputs run(const Inputs& inputs) {
    submit(inputs);
    return collect();
  }
  Executable& executable() { return *executable_; }

 private:
  std::unique_ptr<Executable> executable_;
  Outputs room_;
};

void expect_same_bits(const Outputs& got, const Outputs& want, const char* when) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want)
    EXPECT_TRUE(same_bits(got.at(name), tensor)) << name << ", " << when;
}

// Within the tolerance of what the CPU says, and far nearer to it than to what it says of another input: a
// result that hangs on no input lies as near to one as to the other, however wide a precision's tolerance is.
void expect_near(const Outputs& got, const Outputs& want, const Outputs& of_another, double tolerance) {
  const bool two_stages = want.contains("proposals");
  for (const auto& [name, tensor] : want) {
    // A score that rounds to the other side of a threshold moves rows, and with them what is made of them.
    if (name.starts_with("detections") || (two_stages && !name.starts_with("rpn_"))) continue;
    const double error = relative_error(got.at(name), tensor),
                 distance = relative_error(got.at(name), of_another.at(name));
    std::printf("  %s %s: %.1e of %.1e; another input's is %.1e away\n", name.c_str(),
                tensor.shape().str().c_str(), error, tolerance, distance);
    EXPECT_LE(error, tolerance) << name;
    EXPECT_LT(2 * error, distance) << name;
  }
}

using Case = std::tuple<FullSizeNetwork, Precision>;

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  const auto& [network, precision] = info.param;
  std::string name = network.name;
  for (const auto& [option, value] : network.options) name += "_" + option + value;
  std::ranges::replace_if(
      name, [](char c) { return c == '.' || c == '-'; }, '_');
  return name + "_" + name_of(precision);
}

// Image and, where the network takes them, sizes: all but some rows and columns of the image.
Inputs inputs_of(const Graph& graph, uint32_t seed, float low, float high) {
  Inputs inputs;
  for (const auto& [name, value] : graph.inputs()) {
    const Shape& shape = graph.shape(value);
    if (name == "input") {
      inputs.emplace(name, noise(shape, seed, low, high));
      continue;
    }
    const Shape& image = graph.nodes()[0].shape();
    std::vector<float> sizes;
    for (int64_t i = 0; i < shape[0]; ++i)
      for (const int64_t side : {image[2] - 3, image[3] - 5, image[2] / 2, image[3] / 2})
        sizes.push_back(static_cast<float>(side));
    inputs.emplace(name, Tensor::of<float>(shape, sizes));
  }
  return inputs;
}

class Networks : public testing::TestWithParam<Case> {
 protected:
  // Each step, given what the device made of the step before.
  void compare_second_stage(const Graph& graph, const Outputs& got, const Inputs& inputs, double tolerance) {
    const Tensor &sizes = inputs.at("sizes"), &counts = got.at("proposals.count");
    EXPECT_GT(counts.as<int32_t>()[0], 0) << "no proposals, so nothing was compared";
    expect_same_bits(proposals_of(graph, got, sizes),
                     {{"proposals", got.at("proposals").clone()}, {"proposals.count", counts.clone()}},
                     "proposals");
    expect_same_bits(detections_in_proposals(graph, got, sizes),
                     {{"detections", got.at("detections").clone()},
                      {"detections.count", got.at("detections.count").clone()}},
                     "detections");
    Context cpu({.device = "cpu"});
    Inputs given;
    for (const auto& [name, tensor] : inputs) given.emplace(name, tensor.clone());
    given.emplace("proposals", got.at("proposals").clone());
    given.emplace("proposals.count", counts.clone());
    const Graph rest = after_proposals(graph);
    std::erase_if(given, [&](const auto& input) {
      return std::ranges::none_of(rest.inputs(), [&](const auto& i) { return i.first == input.first; });
    });
    Plan plan = plan_graph(rest, cpu, Precision::Fp32);
    for (const auto& [name, tensor] : plan.run(given)) {
      if (name.ends_with(kCountSuffix)) continue;
      const double error =
          relative_error(rows_that_there_are(got.at(name), counts), rows_that_there_are(tensor, counts));
      std::printf("  %s %s, of the same proposals: %.1e of %.1e\n", name.c_str(),
                  tensor.shape().str().c_str(), error, tolerance);
      EXPECT_LE(error, tolerance) << name;
    }
  }

  void compare(const Graph& graph, Precision precision) {
    ContextOptions on_gpu, on_cpu;
    on_gpu.device = "cuda:0";
    on_cpu.device = "cpu";
    Context gpu(on_gpu), cpu(on_cpu);
    const Inputs first = inputs_of(graph, 1, -1, 1), second = inputs_of(graph, 2, 0, 3);

    Runner ours(graph, backend_of(gpu), precision);
    const Outputs cold = ours.run(first), other = ours.run(second);  // the second run is captured
    expect_same_bits(ours.run(first), cold, "from the captured graph");
    ASSERT_GE(ours.executable().in_flight(), 2);
    ours.submit(first);
    ours.submit(second);
    expect_same_bits(ours.collect(), cold, "two in flight, the first");
    expect_same_bits(ours.collect(), other, "two in flight, the second");

    Runner reference(graph, backend_of(cpu), Precision::Fp32);
    const Outputs want = reference.run(first), want_other = reference.run(second);
    const Sums sums(graph);
    const double tolerance =
        sum_tolerance(precision, sums.terms, sums.layers, uses_winograd(ours.executable().report())) +
        sum_tolerance(Precision::Fp32, sums.terms, sums.layers,
                      uses_winograd(reference.executable().report()));
    expect_near(cold, want, want_other, tolerance);
    expect_near(other, want_other, want, tolerance);
    if (!want.contains("detections")) return;
    if (has_two_stages(graph))
      compare_second_stage(graph, cold, first, tolerance);
    else
      EXPECT_TRUE(same_bits(cold.at("detections"), detections_from_heads(graph, cold)));
    EXPECT_GE(cold.at("detections").as<float>()[5], 0.0f) << "nothing was found, so nothing was compared";
  }
};

TEST_P(Networks, EqualTheCpu) {
  const auto& [network, precision] = GetParam();
  const auto weights = invent_weights(network);
  for (int64_t batch : {1, 2}) {
    SCOPED_TRACE("batch " + std::to_string(batch));
    compare(network.graph(batch, weights), precision);
  }
}

std::vector<FullSizeNetwork> narrow_networks() {
  std::vector<FullSizeNetwork> networks = networks_of_the_environment();
  for (FullSizeNetwork& network : networks) network = cuda::narrow(network);
  return networks;
}

const auto kPrecisions = testing::Values(Precision::Fp32, Precision::Tf32, Precision::Fp16, Precision::Bf16);

INSTANTIATE_TEST_SUITE_P(All, Networks,
                         testing::Combine(testing::ValuesIn(networks_of_the_environment()), kPrecisions),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Narrow, Networks,
                         testing::Combine(testing::ValuesIn(narrow_networks()), kPrecisions), name_of_case);

}  // namespace
}  // namespace tyto
