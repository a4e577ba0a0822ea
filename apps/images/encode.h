// Pictures to files.
#pragma once

#include <filesystem>
#include <opencv2/core.hpp>

#include "tyto/image.h"

namespace tyto::apps {

cv::Mat to_bgr(const Image& image);  // a copy, as OpenCV wants it

// JPEG of quality 0..100, shrunk where a side is beyond the 65,500 pixels that JPEG can hold; the file
// appears when it is whole. Error{File}.
void write_jpeg(const std::filesystem::path& path, const cv::Mat& bgr, int quality);

// Likewise, grey, BGR or BGRA, 8 bits.
void write_png(const std::filesystem::path& path, const cv::Mat& picture);

}  // namespace tyto::apps
