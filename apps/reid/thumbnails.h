// Small versions of images for reports.
#pragma once

#include <filesystem>
#include <mutex>
#include <opencv2/core.hpp>
#include <string>
#include <unordered_map>

#include "apps/reid/features_file.h"

namespace tyto::apps {

inline constexpr int kThumbnailHeight = 140, kThumbnailMinWidth = 70, kThumbnailMaxWidth = 250;

// Finds and shrinks images; keeps the latest ones, for a gallery image stands in many rankings. Thread-safe.
class Thumbnails {
 public:
  // `images`: a folder to look in before the folder that the features file names, below which stand the paths
  // of the features file, alone or after the name of the set's own root folder; empty: none.
  explicit Thumbnails(std::filesystem::path images) : images_(std::move(images)) {}

  // BGR, kThumbnailHeight high, its width between the two limits (a longer image is cut to its middle, a
  // narrower one stands on grey). EXIF orientation is ignored, as the networks see it. A grey tile with the
  // file's name where there is no readable image.
  cv::Mat get(const FeatureSet& set, int64_t row);

  int64_t unreadable() const { return unreadable_; }  // grey tiles made

 private:
  std::filesystem::path locate(const FeatureSet& set, int64_t row) const;

  std::filesystem::path images_;
  std::mutex mutex_;
  std::unordered_map<std::string, cv::Mat> kept_;
  int64_t unreadable_ = 0;
};

}  // namespace tyto::apps
