#include "apps/reid/ranking_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/core.hpp>

#include "apps/console.h"
#include "apps/images/encode.h"
#include "apps/outputs.h"
#include "apps/reid/open_features.h"
#include "apps/reid/ranking_page.h"
#include "apps/reid/ranking_picture.h"
#include "files/file.h"

namespace tyto::apps {
namespace {

void write_lines(const std::filesystem::path& path, const std::vector<Ranking>& rankings,
                 const FeatureSet& queries, const FeatureSet& gallery) {
  AtomicFile out(path);
  for (const Ranking& ranking : rankings) out.write(json_line(ranking, queries, gallery) + '\n');
  out.commit();
}

// "0012_leuvenA.jpg": the query's number keeps names apart and in order, its name tells people which it is.
std::string picture_name(int64_t query, int64_t queries, const std::string& path) {
  const std::string stem = std::filesystem::path(path).stem().string();
  return fmt::format("{:0{}}_{}.jpg", query + 1, fmt::formatted_size("{}", queries), safe_file_name(stem));
}

// Draws the pictures of a chunk of queries at a time on all cores, and notes in `entries` where they are.
int64_t draw_pictures(const RankingReport& report, const FeatureSet& queries, const FeatureSet& gallery,
                      std::vector<RankingEntry>& entries) {
  constexpr int64_t kChunk = 32;
  constexpr int kQuality = 88;
  make_folder(report.folder / "pictures");
  Thumbnails thumbnails(report.images);
  const auto total = static_cast<int64_t>(entries.size());
  Progress progress("drawing", total);
  for (int64_t first = 0; first < total; first += kChunk) {
    check_interrupted();
    const int64_t last = std::min(first + kChunk, total);
    cv::parallel_for_({static_cast<int>(first), static_cast<int>(last)}, [&](const cv::Range& range) {
      for (int i = range.start; i < range.end; ++i) {
        RankingEntry& entry = entries[static_cast<size_t>(i)];
        RankingPicture drawn = draw_ranking(entry.ranking, queries, gallery, thumbnails);
        entry.picture =
            "pictures/" + picture_name(i, total, queries.paths[static_cast<size_t>(entry.ranking.query)]);
        entry.width = drawn.picture.cols;
        entry.height = drawn.picture.rows;
        entry.images = std::move(drawn.images);
        write_jpeg(report.folder / entry.picture, drawn.picture, kQuality);
      }
    });
    progress.advance(last - first);
  }
  return thumbnails.unreadable();
}

}  // namespace

int64_t write_ranking_report(const RankingReport& report, const std::vector<Ranking>& rankings,
                             const Features& features) {
  const FeatureSet& queries = features.sets.at(SetKind::Query);
  const FeatureSet& gallery = features.sets.at(SetKind::Gallery);
  make_folder(report.folder);
  write_lines(report.folder / "ranking.jsonl", rankings, queries, gallery);

  const Provenance& provenance = features.provenance;
  RankingPage page{provenance.model,          provenance.network, provenance.dataset,
                   named_feature(provenance), report.rule,        {}};
  for (const Ranking& ranking : rankings) page.entries.push_back({ranking, {}, 0, 0, {}});
  const int64_t unreadable = report.pictures ? draw_pictures(report, queries, gallery, page.entries) : 0;
  write_text(report.folder / "index.html", ranking_page(page, queries, gallery));
  return unreadable;
}

}  // namespace tyto::apps
