#include "apps/reid/thumbnails.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "apps/images/decode.h"
#include "apps/images/drawing.h"
#include "apps/images/encode.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr size_t kMaxKept = 2000;  // 2000 tiles of 140 x 250 are 210 MB at most
const cv::Scalar kGrey(216, 213, 210);

// BGR; empty where there is no readable image
cv::Mat read_image(const std::filesystem::path& file) {
  try {
    return to_bgr(decode(file));
  } catch (const Error&) {
    return {};
  }
}

cv::Mat shrink(const cv::Mat& image) {
  const double scale = static_cast<double>(kThumbnailHeight) / image.rows;
  const int kept = std::clamp(static_cast<int>(kThumbnailMaxWidth / scale), 1, image.cols);
  const cv::Mat middle = image(cv::Rect((image.cols - kept) / 2, 0, kept, image.rows));
  const int width = std::clamp(static_cast<int>(std::lround(kept * scale)), 1, kThumbnailMaxWidth);
  cv::Mat thumbnail;
  cv::resize(middle, thumbnail, {width, kThumbnailHeight}, 0, 0,
             scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  if (width >= kThumbnailMinWidth) return thumbnail;
  cv::Mat tile(kThumbnailHeight, kThumbnailMinWidth, CV_8UC3, kGrey);
  thumbnail.copyTo(tile(cv::Rect((kThumbnailMinWidth - width) / 2, 0, width, kThumbnailHeight)));
  return tile;
}

cv::Mat grey_tile(const std::string& name) {
  constexpr int kWidth = 105;
  cv::Mat tile(kThumbnailHeight, kWidth, CV_8UC3, kGrey);
  draw_text(tile, "no image", kWidth / 2.0, kThumbnailHeight / 2.0 - 6, 8, ink::black, Align::Centre);
  draw_text(tile, fit_text(name, 6, kWidth - 12), kWidth / 2.0, kThumbnailHeight / 2.0 + 14, 6, ink::grey,
            Align::Centre);
  return tile;
}

}  // namespace

std::filesystem::path Thumbnails::locate(const FeatureSet& set, int64_t row) const {
  const std::filesystem::path relative = set.paths[static_cast<size_t>(row)];
  if (!images_.empty()) {
    const std::filesystem::path root = std::filesystem::path(set.root).lexically_normal();
    const auto folder = root.has_filename() ? root.filename() : root.parent_path().filename();
    std::error_code error;
    for (const auto& candidate : {images_ / relative, images_ / folder / relative})
      if (std::filesystem::exists(candidate, error)) return candidate;
  }
  return set.file(row);
}

cv::Mat Thumbnails::get(const FeatureSet& set, int64_t row) {
  const std::filesystem::path file = locate(set, row);
  const std::string key = file.string();
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = kept_.find(key); it != kept_.end()) return it->second;
  }
  const cv::Mat image = read_image(file);
  const cv::Mat thumbnail = image.empty() ? grey_tile(file.filename().string()) : shrink(image);
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kMaxKept) kept_.clear();
  if (kept_.emplace(key, thumbnail).second && image.empty()) ++unreadable_;
  return thumbnail;
}

}  // namespace tyto::apps
