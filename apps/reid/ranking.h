// Rankings of gallery images per query: made, and written as JSON lines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/reid/features_file.h"
#include "engine/metrics/reid/judge.h"
#include "engine/pipelines/retrieval.h"

namespace tyto::apps {

struct Ranked {
  int64_t row = 0;              // in the gallery
  float score = 0;              // inner product; NaN where a feature is broken
  std::optional<bool> correct;  // the query's identity; nothing where one of the two is unknown
};

struct Ranking {
  int64_t query = 0;  // row in the query set
  std::vector<Ranked> images;
};

// The first `top_k` images for every query. Left out are junk by the camera rule, and the query's own file
// where the gallery holds it too.
std::vector<Ranking> rank_gallery(const FeatureSet& queries, const FeatureSet& gallery, int64_t top_k,
                                  CameraRule rule, const QueriesDone& done = {});

// {"query": path, "id": 2, "camera": 1, "ranking": [{"rank": 1, "path": ..., "score": 0.953, "id": ...,
// "camera": ..., "correct": true}, ...]}: one line without its end. Scores have the digits that give the same
// float back; NaN is null, and so is an unknown "correct".
std::string json_line(const Ranking& ranking, const FeatureSet& queries, const FeatureSet& gallery);

// Rows with a NaN or an infinity.
std::vector<int64_t> broken_rows(const Tensor& features);

}  // namespace tyto::apps
