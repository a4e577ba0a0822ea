#include "apps/images/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

void write_encoded(const std::filesystem::path& path, const cv::Mat& picture, const char* format,
                   const std::vector<int>& options) {
  std::vector<uint8_t> bytes;
  if (!cv::imencode(format, picture, bytes, options))
    throw Error(ErrorKind::File, fmt::format("{}: OpenCV cannot write {}", path.string(), format));
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace

cv::Mat to_bgr(const Image& image) {
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.rgb.data()));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

void write_jpeg(const std::filesystem::path& path, const cv::Mat& bgr, int quality) {
  constexpr int kMaxSide = 65500;
  if (const int side = std::max(bgr.cols, bgr.rows); side > kMaxSide) {
    const double scale = static_cast<double>(kMaxSide) / side;
    cv::Mat smaller;
    cv::resize(
        bgr, smaller,
        {std::max(1, static_cast<int>(bgr.cols * scale)), std::max(1, static_cast<int>(bgr.rows * scale))}, 0,
        0, cv::INTER_AREA);
    return write_jpeg(path, smaller, quality);
  }
  write_encoded(path, bgr, ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

void write_png(const std::filesystem::path& path, const cv::Mat& picture) {
  write_encoded(path, picture, ".png", {});
}

}  // namespace tyto::apps
