// A query and its ranking as one picture.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "apps/reid/ranking.h"
#include "apps/reid/thumbnails.h"

namespace tyto::apps {

struct RankingPicture {
  cv::Mat picture;               // BGR
  std::vector<cv::Rect> images;  // where the thumbnails stand: the query's, then those of the ranking
};

// The query's path above; the query, then its ranked images, each with rank and score and a border: green for
// the query's identity, red for another, grey where one is unknown.
RankingPicture draw_ranking(const Ranking& ranking, const FeatureSet& queries, const FeatureSet& gallery,
                            Thumbnails& thumbnails);

}  // namespace tyto::apps
