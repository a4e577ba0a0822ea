// Small videos: frame i is grey, 12 + 4 * i, with a little noise, so that every frame has its bytes.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <opencv2/videoio.hpp>
#include <string>

#include "tyto/image.h"

namespace tyto::apps {

constexpr int kFrames = 56, kDarkest = 12, kStep = 4, kRate = 25;

inline cv::Mat frame_of_clip(int number, cv::Size size) {
  cv::Mat noise(size, CV_8UC3);
  cv::RNG(static_cast<uint64_t>(number) + 1).fill(noise, cv::RNG::UNIFORM, 0, 2 * kDarkest + 1);
  return noise + cv::Scalar::all(number * kStep);
}

// By OpenCV's writer, in the container that the name's end tells.
inline std::filesystem::path write_clip(const std::filesystem::path& path, const std::string& fourcc = "MJPG",
                                        int frames = kFrames, cv::Size size = {64, 48}) {
  cv::VideoWriter writer(path.string(), cv::CAP_FFMPEG,
                         cv::VideoWriter::fourcc(fourcc[0], fourcc[1], fourcc[2], fourcc[3]), kRate, size);
  for (int i = 0; i < frames; ++i) writer.write(frame_of_clip(i, size));
  return path;
}

inline int64_t frame_shown(const Image& image) {
  const double sum = std::accumulate(image.rgb.begin(), image.rgb.end(), 0.0);
  return std::lround((sum / static_cast<double>(image.rgb.size()) - kDarkest) / kStep);
}

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::filesystem::path write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

}  // namespace tyto::apps
