// A folder that shows rankings: ranking.jsonl, pictures/ and index.html.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/reid/ranking.h"

namespace tyto::apps {

struct RankingReport {
  std::filesystem::path folder;
  std::filesystem::path images;  // where pictures are looked for first, see Thumbnails; empty: nowhere else
  bool pictures = true;          // else the page shows names only
  std::string rule;              // the camera rule, in words
};

// Every file appears whole or not at all, ranking.jsonl first and the page last. Returns the number of images
// that could not be shown.
int64_t write_ranking_report(const RankingReport& report, const std::vector<Ranking>& rankings,
                             const Features& features);

}  // namespace tyto::apps
