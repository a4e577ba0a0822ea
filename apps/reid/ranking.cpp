#include "apps/reid/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "engine/metrics/reid/rank.h"

namespace tyto::apps {
namespace {

std::optional<bool> same_identity(int64_t a, int64_t b) {
  if (a == -1 || b == -1) return std::nullopt;
  return a == b;
}

// Row of the gallery that holds the query's own file, -1 where none does.
std::vector<int64_t> own_files(const FeatureSet& queries, const FeatureSet& gallery) {
  std::unordered_map<std::string, int64_t> row_of;
  for (int64_t i = 0; i < gallery.rows(); ++i) row_of.emplace(gallery.file(i).string(), i);
  std::vector<int64_t> own;
  for (int64_t i = 0; i < queries.rows(); ++i) {
    const auto it = row_of.find(queries.file(i).string());
    own.push_back(it == row_of.end() ? -1 : it->second);
  }
  return own;
}

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

}  // namespace

std::vector<Ranking> rank_gallery(const FeatureSet& queries, const FeatureSet& gallery, int64_t top_k,
                                  CameraRule rule, const QueriesDone& done) {
  std::vector<Ranking> rankings(queries.paths.size());
  const std::vector<int64_t> own = own_files(queries, gallery);
  const auto visit = [&](int64_t query, std::span<const float> scores) {
    const auto q = static_cast<size_t>(query);
    std::vector<Judgement> judgement(scores.size());
    judge(queries.ids[q], queries.cameras[q], gallery.ids.data(), gallery.cameras.data(), gallery.rows(),
          rule, judgement.data());
    if (own[q] >= 0) judgement[static_cast<size_t>(own[q])] = Judgement::Junk;

    std::vector<float> kept_scores;
    std::vector<int64_t> kept_rows;
    for (size_t i = 0; i < scores.size(); ++i) {
      if (judgement[i] == Judgement::Junk) continue;
      kept_scores.push_back(scores[i]);
      kept_rows.push_back(static_cast<int64_t>(i));
    }
    const auto kept = static_cast<int64_t>(kept_rows.size());
    std::vector<int32_t> order(static_cast<size_t>(std::min(top_k, kept)));
    rank_top(kept_scores.data(), kept, static_cast<int64_t>(order.size()), order.data());

    rankings[q].query = query;
    for (const int32_t i : order) {
      const int64_t row = kept_rows[static_cast<size_t>(i)];
      rankings[q].images.push_back({row, kept_scores[static_cast<size_t>(i)],
                                    same_identity(queries.ids[q], gallery.ids[static_cast<size_t>(row)])});
    }
  };
  score_queries(queries.matrix(), gallery.matrix(), visit, done);
  return rankings;
}

std::string json_line(const Ranking& ranking, const FeatureSet& queries, const FeatureSet& gallery) {
  const auto q = static_cast<size_t>(ranking.query);
  std::string line = fmt::format(R"({{"query": {}, "id": {}, "camera": {}, "ranking": [)",
                                 quoted(queries.paths[q]), queries.ids[q], queries.cameras[q]);
  for (size_t i = 0; i < ranking.images.size(); ++i) {
    const Ranked& image = ranking.images[i];
    const auto row = static_cast<size_t>(image.row);
    line +=
        fmt::format(R"({}{{"rank": {}, "path": {}, "score": {}, "id": {}, "camera": {}, "correct": {}}})",
                    i == 0 ? "" : ", ", i + 1, quoted(gallery.paths[row]),
                    std::isfinite(image.score) ? fmt::format("{}", image.score) : "null", gallery.ids[row],
                    gallery.cameras[row], image.correct ? fmt::format("{}", *image.correct) : "null");
  }
  return line + "]}";
}

std::vector<int64_t> broken_rows(const Tensor& features) {
  std::vector<int64_t> rows;
  const auto values = features.as<float>();
  const int64_t width = features.dim(1);
  for (int64_t i = 0; i < features.dim(0); ++i) {
    const auto row = values.subspan(static_cast<size_t>(i * width), static_cast<size_t>(width));
    if (!std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); })) rows.push_back(i);
  }
  return rows;
}

}  // namespace tyto::apps
