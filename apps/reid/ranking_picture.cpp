#include "apps/reid/ranking_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "apps/images/drawing.h"

namespace tyto::apps {
namespace {

constexpr int kMargin = 16, kGap = 12, kQueryGap = 34, kBorder = 4;
constexpr int kTitleHeight = 30, kLabelHeight = 30;
constexpr double kTitleSize = 9, kLabelSize = 9;

const cv::Scalar& colour_of(const std::optional<bool>& correct) {
  return !correct ? ink::grey : *correct ? ink::good : ink::bad;
}

void paste(cv::Mat& picture, const cv::Mat& thumbnail, const cv::Rect& at, const cv::Scalar& border) {
  cv::rectangle(picture, at + cv::Point(-kBorder, -kBorder) + cv::Size(2 * kBorder, 2 * kBorder), border,
                cv::FILLED);
  thumbnail.copyTo(picture(at));
}

}  // namespace

RankingPicture draw_ranking(const Ranking& ranking, const FeatureSet& queries, const FeatureSet& gallery,
                            Thumbnails& thumbnails) {
  std::vector<cv::Mat> tiles = {thumbnails.get(queries, ranking.query)};
  for (const Ranked& image : ranking.images) tiles.push_back(thumbnails.get(gallery, image.row));

  RankingPicture out;
  int x = kMargin + kBorder;
  for (size_t i = 0; i < tiles.size(); ++i) {
    if (i > 0) x += 2 * kBorder + (i == 1 ? kQueryGap : kGap);
    out.images.emplace_back(x, kMargin + kTitleHeight + kBorder, tiles[i].cols, kThumbnailHeight);
    x += tiles[i].cols;
  }
  const int width = x + kBorder + kMargin;
  const int height = 2 * kMargin + kTitleHeight + 2 * kBorder + kThumbnailHeight + kLabelHeight;
  out.picture = cv::Mat(height, width, CV_8UC3, ink::paper);

  const std::string& path = queries.paths[static_cast<size_t>(ranking.query)];
  draw_text(out.picture, fit_text(path, kTitleSize, width - 2 * kMargin), kMargin, kMargin + kTitleSize + 4,
            kTitleSize, ink::black);
  const int base = kMargin + kTitleHeight + 2 * kBorder + kThumbnailHeight + 20;
  paste(out.picture, tiles[0], out.images[0], ink::black);
  draw_text(out.picture, "query", out.images[0].x, base, kLabelSize, ink::black, Align::Left, true);
  for (size_t i = 0; i < ranking.images.size(); ++i) {
    const cv::Rect& at = out.images[i + 1];
    const cv::Scalar& colour = colour_of(ranking.images[i].correct);
    paste(out.picture, tiles[i + 1], at, colour);
    draw_text(out.picture, fmt::format("{}", i + 1), at.x, base, kLabelSize, colour, Align::Left, true);
    draw_text(out.picture, fmt::format("{:.3f}", ranking.images[i].score), at.x + at.width, base, kLabelSize,
              ink::grey, Align::Right);
  }
  return out;
}

}  // namespace tyto::apps
