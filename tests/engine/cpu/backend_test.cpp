// What a compiled graph promises beside right numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/small_resnet.h"

namespace tyto {
namespace {

constexpr int64_t kBatch = 5;

Tensor rows_in_order(const Tensor& t, const std::vector<size_t>& order) {
  Tensor out(t.dtype(), t.shape());
  const size_t row = t.as<float>().size() / order.size();
  for (size_t i = 0; i < order.size(); ++i)
    std::ranges::copy(t.as<float>().subspan(order[i] * row, row),
                      out.as<float>().begin() + static_cast<std::ptrdiff_t>(i * row));
  return out;
}

std::map<std::string, Tensor> copies(const std::map<std::string, Tensor>& outputs) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, tensor] : outputs) out.emplace(name, tensor.clone());
  return out;
}

class SmallNetworkOnCpu : public testing::TestWithParam<int> {  // threads
 protected:
  const Graph graph = optimise(small_resnet_graph(kBatch));
  OnCpu cpu{graph, GetParam()};
  const Tensor input = noise(graph.nodes()[0].shape(), 1);
};

TEST_P(SmallNetworkOnCpu, EqualsReference) {
  expect_cpu_equals_reference(graph, input, kSmallResnetTerms, kSmallResnetLayers, GetParam());
}

TEST_P(SmallNetworkOnCpu, RunsTwiceWithEqualBits) {
  const auto first = copies(cpu.run(input));
  cpu.run(noise(input.shape(), 99));
  for (const auto& [name, tensor] : cpu.run(input)) EXPECT_TRUE(same_bits(tensor, first.at(name))) << name;
}

TEST_P(SmallNetworkOnCpu, GivesAnImageTheSameBitsInEveryPlaceOfTheBatch) {
  const auto straight = copies(cpu.run(input));
  std::vector<size_t> order(kBatch);
  std::iota(order.begin(), order.end(), size_t{0});
  for (int shift = 1; shift < kBatch; ++shift) {
    std::rotate(order.begin(), order.begin() + 1, order.end());
    for (const auto& [name, tensor] : cpu.run(rows_in_order(input, order)))
      EXPECT_TRUE(same_bits(tensor, rows_in_order(straight.at(name), order)))
          << name << " rotated by " << shift;
  }
}

TEST_P(SmallNetworkOnCpu, GivesAnImageTheSameBitsWhateverStandsBesideIt) {
  const auto together = copies(cpu.run(input));
  Tensor lonely = Tensor::zeros(DType::F32, input.shape());
  const size_t row = lonely.as<float>().size() / kBatch;
  std::ranges::copy(input.as<float>().first(row), lonely.as<float>().begin());
  for (const auto& [name, tensor] : cpu.run(lonely)) {
    const size_t values = tensor.as<float>().size() / kBatch;
    EXPECT_TRUE(
        std::ranges::equal(tensor.as<float>().first(values), together.at(name).as<float>().first(values)))
        << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, SmallNetworkOnCpu, testing::Values(1, 2));

TEST(CpuBackend, GivesEveryValueThatIsAnOutput) {
  const Shape input = {2, 8, 6, 5};
  const Weights w =
      weights(Layout{{"a.weight", {8, 8, 3, 3}}, {"b.weight", {8, 8, 3, 3}}} + batch_norm_at("bn", 8));
  Graph g;
  const Value x = g.image_input("input", input);
  const Value a = g.conv2d(x, w.scope("a"), {.kernel = 3, .padding = 1});
  const Value norm = g.batch_norm(a, w.scope("bn"));
  const Value b = g.relu(g.add(g.conv2d(norm, w.scope("b"), {.kernel = 3, .padding = 1}), a));
  const Value pooled = g.global_average_pool(b);
  for (const auto& [name, value] : {std::pair{"input", x},
                                    {"a", a},
                                    {"a again", a},
                                    {"norm", norm},
                                    {"b", b},
                                    {"pooled", pooled},
                                    {"flat", g.flatten(b)},
                                    {"features", g.flatten(pooled)}})
    g.output(name, value);
  expect_cpu_equals_reference(optimise(g), noise(input, 1), 72, 4);
}

TEST(CpuBackend, PlansNoMoreThanTwiceTheLeastArena) {
  const OnCpu cpu(optimise(small_resnet_graph(1)));
  const PlanReport& report = cpu.executable->report();
  EXPECT_GE(report.activation_bytes, report.activation_bound);
  EXPECT_LE(report.activation_bytes, 2 * report.activation_bound);
  EXPECT_GT(report.activation_bound, 0);
}

TEST(CpuBackend, PlansOfOneBackendSharePackedWeights) {
  const auto backend = make_cpu_backend(1, 0);
  const Graph graph = optimise(small_resnet_graph(1));
  const auto first = backend->compile(graph, Precision::Fp32),
             second = backend->compile(graph, Precision::Fp32);
  auto a = output_tensors(graph, Precision::Fp32), b = output_tensors(graph, Precision::Fp32);
  const Tensor input = noise(graph.nodes()[0].shape(), 1);
  run_once(*first, input, a);
  run_once(*second, input, b);
  for (const auto& [name, tensor] : a) EXPECT_TRUE(same_bits(tensor, b.at(name))) << name;
}

}  // namespace
}  // namespace tyto
