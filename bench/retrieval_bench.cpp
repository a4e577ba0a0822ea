// Scoring and ranking at the size of Market-1501's gallery. The bound of scoring is the CPU's multiply-add
// rate.
#include <benchmark/benchmark.h>

#include <vector>

#include "engine/metrics/reid/evaluation.h"
#include "engine/metrics/reid/rank.h"

namespace tyto {
namespace {

constexpr int64_t kGallery = 19732;

Tensor rows(int64_t n, int64_t width) {
  Tensor t(DType::F32, {n, width});
  uint32_t state = 1;
  for (float& v : t.as<float>())
    v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5f;
  return t;
}

void score(benchmark::State& state) {
  const int64_t queries = 192, width = state.range(0);
  const Tensor q = rows(queries, width), g = rows(kGallery, width);
  for (auto _ : state)
    score_queries(q, g,
                  [](int64_t, std::span<const float> scores) { benchmark::DoNotOptimize(scores.data()); });
  state.counters["flop"] = benchmark::Counter(2.0 * static_cast<double>(queries * kGallery * width),
                                              benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(score)->Arg(512)->Arg(2048)->UseRealTime()->Unit(benchmark::kMillisecond);

void all_ranks(benchmark::State& state) {
  const Tensor scores = rows(1, kGallery);
  std::vector<int32_t> order(kGallery);
  for (auto _ : state) {
    rank_all(scores.as<float>().data(), kGallery, order.data());
    benchmark::DoNotOptimize(order.data());
  }
}
BENCHMARK(all_ranks)->Unit(benchmark::kMicrosecond);

void rank_top_50(benchmark::State& state) {
  const Tensor scores = rows(1, kGallery);
  std::vector<int32_t> order(50);
  for (auto _ : state) {
    rank_top(scores.as<float>().data(), kGallery, 50, order.data());
    benchmark::DoNotOptimize(order.data());
  }
}
BENCHMARK(rank_top_50)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tyto
