// The evaluation protocols against the golden values of their references, and against a reference that sorts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "engine/metrics/reid/evaluation.h"
#include "engine/metrics/reid/rank.h"
#include "kernels/retrieval/normalize_rows.h"

namespace {

using namespace tyto;

struct Data {
  Tensor features;
  std::vector<int64_t> ids, cameras;
  Labels labels() const { return {ids, cameras}; }
};

// rows first .. first + n of f[i][d] = sin(0.37 (i + 1) (d + 1)) + 0.05 i, of unit length
Tensor golden_features(int first, int n) {
  std::vector<float> values;
  for (int i = first; i < first + n; ++i)
    for (int d = 0; d < 6; ++d)
      values.push_back(static_cast<float>(std::sin(0.37 * (i + 1) * (d + 1)) + 0.05 * i));
  Tensor t = Tensor::of<float>({n, 6}, values);
  kernels::normalize_rows_cpu(t.as<float>().data(), n, 6);
  return t;
}

const Data& golden_queries() {
  static const Data data{golden_features(0, 4), {0, 1, 2, 0}, {1, 1, 2, 2}};
  return data;
}

const Data& golden_gallery() {
  static const Data data{
      golden_features(4, 12), {0, 0, 0, 1, 1, 1, 2, 2, -1, 3, 3, 0}, {1, 2, 3, 1, 2, 3, 1, 2, 1, 1, 2, 2}};
  return data;
}

Evaluation evaluate_golden(const Data& q, const Data& g, const Protocol& rule) {
  return evaluate(q.features, q.labels(), g.features, g.labels(), rule);
}

constexpr double kDigits = 1e-9;        // the golden values have nine decimals
constexpr double kFloatScores = 1e-12;  // orders are equal, so the metrics differ in double rounding only

void expect_cmc(const Evaluation& e, const std::vector<double>& first) {
  for (size_t k = 0; k < first.size(); ++k) EXPECT_NEAR(e.cmc[k], first[k], kFloatScores) << "Rank@" << k + 1;
}

TEST(EvaluationGolden, OrderOfTheFirstQuery) {
  score_queries(golden_queries().features, golden_gallery().features,
                [](int64_t query, std::span<const float> scores) {
                  if (query != 0) return;
                  std::vector<int32_t> order(scores.size());
                  rank_all(scores.data(), 12, order.data());
                  EXPECT_EQ(order, (std::vector<int32_t>{9, 10, 7, 8, 4, 6, 5, 2, 3, 1, 0, 11}));
                });
}

TEST(EvaluationGolden, BaselineIsTrapezoidalOverAllQueries) {
  const Evaluation e = evaluate_golden(golden_queries(), golden_gallery(), protocol("baseline"));
  EXPECT_NEAR(e.map, .162566138, kDigits);
  expect_cmc(e, {0, 0, .5, .5, .5, .75, 1, 1, 1, 1, 1, 1});
}

TEST(EvaluationGolden, BaselineAveragePrecisionOfEveryQuery) {
  const double expected[] = {.168716931, .181547619, .083333333, .216666667};
  const Data& all = golden_queries();
  for (int q = 0; q < 4; ++q) {
    const Data one{golden_features(q, 1), {all.ids[q]}, {all.cameras[q]}};
    EXPECT_NEAR(evaluate_golden(one, golden_gallery(), protocol("baseline")).map, expected[q], kDigits)
        << "query " << q;
  }
}

TEST(EvaluationGolden, PlainAveragePrecisionUnderTheSameJunkRule) {
  EXPECT_NEAR(evaluate_golden(golden_queries(), golden_gallery(), protocol("torchreid")).map, .253339947,
              kDigits);
  EXPECT_NEAR(evaluate_golden(golden_queries(), golden_gallery(), protocol("fast-reid")).map, .253339947,
              kDigits);
}

Data gallery_with_identity_4() {
  Data gallery = golden_gallery();
  std::replace(gallery.ids.begin(), gallery.ids.end(), int64_t{-1}, int64_t{4});
  return gallery;
}

TEST(EvaluationGolden, SysuCollapsesIdentitiesAndSkipsTheSharedRoom) {
  Data queries = golden_queries();
  queries.cameras = {3, 3, 6, 6};
  const Evaluation e = evaluate_golden(queries, gallery_with_identity_4(), protocol("sysu"));
  expect_cmc(e, {0, .5, .75, .75, 1});
  EXPECT_NEAR(e.map, .385524892, kDigits);
  EXPECT_NEAR(e.minp, .358766234, kDigits);
}

TEST(EvaluationGolden, RegdbCountsTheFirstMatch) {
  const Evaluation e = evaluate_golden(golden_queries(), gallery_with_identity_4(), protocol("regdb"));
  expect_cmc(e, {0, .25, .75, .75});
  EXPECT_NEAR(e.map, .344113005, kDigits);
  EXPECT_NEAR(e.minp, .320670996, kDigits);
}

// --- against a reference that follows the definitions word by word, in double ---

struct Reference {
  std::vector<double> cmc;
  double map = 0, minp = 0;
  int64_t valid = 0;
};

bool is_junk(const Protocol& rule, int64_t id, int64_t camera, int64_t other_id, int64_t other_camera) {
  if (rule.cameras == CameraRule::Sysu) return camera == 3 && other_camera == 2;
  if (rule.cameras == CameraRule::None) return false;
  return other_id == -1 || (id != -1 && other_id == id && camera != -1 && other_camera == camera);
}

Reference reference_evaluation(const Data& q, const Data& g, const Protocol& rule) {
  const int64_t queries = q.features.dim(0), images = g.features.dim(0), width = q.features.dim(1);
  Reference out;
  out.cmc.assign(static_cast<size_t>(images), 0);
  for (int64_t i = 0; i < queries; ++i) {
    std::vector<double> scores(static_cast<size_t>(images), 0);
    for (int64_t j = 0; j < images; ++j)
      for (int64_t d = 0; d < width; ++d)
        scores[j] += static_cast<double>(q.features.as<float>()[i * width + d]) *
                     g.features.as<float>()[j * width + d];
    std::vector<int64_t> order(static_cast<size_t>(images));
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int64_t a, int64_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
    std::erase_if(order,
                  [&](int64_t j) { return is_junk(rule, q.ids[i], q.cameras[i], g.ids[j], g.cameras[j]); });

    double ap = 0, hits = 0, last = 0;
    int64_t first = -1;
    std::set<int64_t> identities;
    for (size_t r = 0; r < order.size(); ++r) {
      const int64_t id = g.ids[order[r]];
      if (id == q.ids[i] && id != -1) {
        if (first < 0)
          first = rule.cmc == CmcRule::Identities ? static_cast<int64_t>(identities.size())
                                                  : static_cast<int64_t>(r);
        const double precision = (hits + 1) / (r + 1.0), before = r == 0 ? 1 : hits / r;
        ap += rule.ap == ApRule::Plain ? precision : (precision + before) / 2;
        hits += 1;
        last = r + 1.0;
      }
      identities.insert(id);
    }
    if (hits == 0) continue;
    ++out.valid;
    out.map += ap / hits;
    out.minp += hits / last;
    for (int64_t k = first; k < images; ++k) out.cmc[k] += 1;
  }
  const double divisor =
      rule.divisor == Divisor::AllQueries ? static_cast<double>(queries) : static_cast<double>(out.valid);
  if (divisor > 0) {
    for (double& c : out.cmc) c /= divisor;
    out.map /= divisor;
    out.minp /= divisor;
  }
  return out;
}

// Small whole numbers as features: products are exact in float, so ties are ties in both.
Data random_data(int64_t n, int64_t width, int identities, unsigned seed) {
  std::mt19937 random(seed);
  Data data;
  data.features = Tensor(DType::F32, {n, width});
  for (float& f : data.features.as<float>()) f = static_cast<float>(static_cast<int>(random() % 5) - 2);
  for (int64_t i = 0; i < n; ++i) {
    data.ids.push_back(static_cast<int64_t>(random() % identities) - 1);
    data.cameras.push_back(static_cast<int64_t>(random() % 5) - 1);
  }
  return data;
}

TEST(Evaluation, EqualsTheDefinitionsOnUglySets) {
  int compared = 0;
  for (const std::string& name : protocol_names())
    for (const int64_t queries : {0, 1, 47, 49})
      for (const int64_t images : {0, 1, 2, 100, 385, 513})
        for (const int identities : {1, 2, 9}) {  // 1: everything has id -1
          const Data q = random_data(queries, 7, identities, 1), g = random_data(images, 7, identities, 2);
          const Protocol rule = protocol(name);
          const Evaluation e = evaluate_golden(q, g, rule);
          const Reference expected = reference_evaluation(q, g, rule);
          EXPECT_EQ(e.valid_queries, expected.valid);
          EXPECT_NEAR(e.map, expected.map, kFloatScores) << name << " " << queries << " " << images;
          EXPECT_NEAR(e.minp, expected.minp, kFloatScores) << name << " " << queries << " " << images;
          ASSERT_EQ(e.cmc.size(), expected.cmc.size());
          expect_cmc(e, expected.cmc);
          compared += static_cast<int>(expected.valid);
        }
  EXPECT_GT(compared, 100) << "queries with a match";
}

TEST(Evaluation, PartsAreJudgedAsGalleriesOfTheirOwn) {
  const Data q = random_data(50, 7, 5, 3), g = random_data(120, 7, 5, 4);
  const std::vector<std::vector<int64_t>> parts = {
      {}, {119}, {0, 1, 2, 5, 8, 13, 21, 34, 55, 89}, {7, 3, 100}};
  for (const std::string& name : protocol_names()) {
    const auto trials = evaluate_parts(q.features, q.labels(), g.features, g.labels(), parts, protocol(name));
    ASSERT_EQ(trials.size(), parts.size());
    for (size_t t = 0; t < parts.size(); ++t) {
      Data part{Tensor(DType::F32, {static_cast<int64_t>(parts[t].size()), 7}), {}, {}};
      float* to = part.features.as<float>().data();
      for (const int64_t row : parts[t]) {
        to = std::copy_n(std::as_const(g.features).as<float>().data() + row * 7, 7, to);
        part.ids.push_back(g.ids[static_cast<size_t>(row)]);
        part.cameras.push_back(g.cameras[static_cast<size_t>(row)]);
      }
      const Evaluation own = evaluate_golden(q, part, protocol(name));
      EXPECT_EQ(trials[t].cmc, own.cmc) << name;
      EXPECT_EQ(trials[t].map, own.map) << name;
      EXPECT_EQ(trials[t].minp, own.minp) << name;
      EXPECT_EQ(trials[t].valid_queries, own.valid_queries) << name;
    }
  }
}

TEST(Evaluation, AQueryWithoutAMatchCountsInTheBaselinesDivisorOnly) {
  Data queries = golden_queries();
  queries.ids[2] = 99;
  const Evaluation all = evaluate_golden(queries, golden_gallery(), protocol("baseline"));
  Protocol valid_only = protocol("baseline");
  valid_only.divisor = Divisor::ValidQueries;
  const Evaluation valid = evaluate_golden(queries, golden_gallery(), valid_only);
  EXPECT_EQ(all.valid_queries, 3);
  EXPECT_NEAR(all.map * 4, valid.map * 3, kFloatScores);
  EXPECT_NEAR(all.rank(12), 0.75, kFloatScores);
  EXPECT_NEAR(valid.rank(12), 1.0, kFloatScores);
}

TEST(Evaluation, AnUnknownProtocolIsRefusedWithTheKnownOnes) {
  try {
    protocol("market");
    FAIL() << "was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::Usage);
    EXPECT_NE(std::string(e.what()).find("fast-reid"), std::string::npos) << e.what();
  }
}

TEST(MultiQuery, AveragesTheRowsOfTheSameIdentityAndCamera) {
  const Tensor queries = Tensor::of<float>({3, 2}, std::vector<float>{9, 9, 8, 8, 7, 7});
  const Tensor others = Tensor::of<float>({4, 2}, std::vector<float>{1, 2, 3, 5, 100, 100, 10, 20});
  const std::vector<int64_t> ids = {1, 1, 2}, cameras = {1, 2, 1};
  const std::vector<int64_t> other_ids = {1, 1, 3, 1}, other_cameras = {1, 1, 1, 2};
  const Tensor averaged = average_multi_queries(queries, {ids, cameras}, others, {other_ids, other_cameras});
  const std::vector<float> expected = {2, 3.5f, 10, 20, 7, 7};  // the last has no rows and keeps its own
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), averaged.as<float>().begin()));
}

}  // namespace
