// Scoring and ranking at the size of Market-1501's gallery.
#include <algorithm>
#include <cmath>

#include "bench/kernels/kernel_case.h"
#include "engine/metrics/reid/rank.h"
#include "engine/pipelines/retrieval.h"
#include "kernels/retrieval/normalize_rows.h"

namespace tyto::bench {
namespace {

constexpr double kFloat = sizeof(float);
constexpr int64_t kGallery = 19732;

std::vector<float> features(int64_t n, int64_t width) {
  std::vector<float> values = numbers(n * width);
  for (float& v : values) v -= 0.5f;
  return values;
}

Work unit_rows(Arrays& a) {
  constexpr int64_t kRows = 192, kWidth = 2048;
  // In place, so that all but the first run are of unit rows, which cost the same.
  auto* rows = const_cast<float*>(a.input("rows", {kRows, kWidth}, features(kRows, kWidth)));
  Work work;
  work.bytes = 2 * kFloat * kRows * kWidth;
  work.operations = 3.0 * kRows * kWidth;  // square, sum, quotient
  work.cpu = [=] { kernels::normalize_rows_cpu(rows, kRows, kWidth); };
  if constexpr (kHasCuda)
    work.cuda = [=](kernels::Stream s) { kernels::normalize_rows(rows, kRows, kWidth, nullptr, s); };
  return work;
}

Work scores(Arrays& a, int64_t width) {
  constexpr int64_t kQueries = 192;
  a.input("queries", {kQueries, width}, features(kQueries, width));
  a.input("gallery", {kGallery, width}, features(kGallery, width));
  float* out = a.output<float>("scores", {kQueries, kGallery});
  const Tensor queries = a.plain("queries"), gallery = a.plain("gallery");
  Work work;
  work.bytes = kFloat * static_cast<double>((kQueries + kGallery) * width + kQueries * kGallery);
  work.operations = 2.0 * static_cast<double>(kQueries * kGallery * width);
  work.cpu = [=] {
    score_queries(queries, gallery, [out](int64_t query, std::span<const float> row) {
      std::copy(row.begin(), row.end(), out + query * kGallery);
    });
  };
  return work;
}

Work ranking(Arrays& a, int64_t best) {
  const float* scores = a.input("scores", {kGallery}, features(1, kGallery));
  int32_t* order = a.output<int32_t>("order", {best});
  Work work;
  work.bytes = kFloat * static_cast<double>(kGallery + best);
  // Each is compared once, and the best are sorted.
  work.operations = kGallery + static_cast<double>(best) * std::log2(static_cast<double>(best));
  work.cpu = [=] {
    if (best == kGallery)
      rank_all(scores, kGallery, order);
    else
      rank_top(scores, kGallery, best, order);
  };
  return work;
}

}  // namespace

void add_retrieval_cases(Cases& cases) {
  cases.push_back({"normalize_rows/192x2048", unit_rows});
  cases.push_back({"score/192x19732x512", [](Arrays& a) { return scores(a, 512); }, RunsOn::CpuAlone});
  cases.push_back({"score/192x19732x2048", [](Arrays& a) { return scores(a, 2048); }, RunsOn::CpuAlone});
  cases.push_back({"rank/19732", [](Arrays& a) { return ranking(a, kGallery); }, RunsOn::CpuAlone});
  cases.push_back({"rank/50_of_19732", [](Arrays& a) { return ranking(a, 50); }, RunsOn::CpuAlone});
}

}  // namespace tyto::bench
