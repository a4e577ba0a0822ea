#include "apps/images/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <utility>

#include "apps/images/image_file.h"
#include "engine/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

void check_size(uint64_t bytes, const std::string& name) {
  if (bytes > kMaxImageFileBytes)
    throw Error(ErrorKind::Format,
                fmt::format("{}: not an image ({} bytes; the limit is {})", name, bytes, kMaxImageFileBytes));
}

// Into `pixels`, which OpenCV replaces where its size is another one; false where OpenCV gives up, whichever
// way it says so.
bool decode_bgr(std::span<const std::byte> file, const std::string& name, int flags, cv::Mat& pixels) {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8U, const_cast<std::byte*>(file.data()));
  try {
    return !cv::imdecode(bytes, flags, &pixels).empty() && pixels.type() == CV_8UC3;
  } catch (const cv::Exception& error) {
    if (error.code != cv::Error::StsNoMem) return false;
    throw Error(ErrorKind::Memory, fmt::format("{}: not enough memory to decode it", name));
  }
}

Image new_image(int64_t width, int64_t height) {
  return {static_cast<int>(width), static_cast<int>(height),
          std::vector<uint8_t>(static_cast<size_t>(width * height) * 3)};
}

}  // namespace

Image decode_bytes(std::span<const std::byte> file, const std::string& name, bool apply_exif_orientation) {
  check_size(file.size(), name);
  const ImageHeader header = read_image_header(file, name);
  std::vector<std::byte> png;
  if (header.format == ImageFormat::Png) {
    png = essential_png(file);
    file = png;
  }
  const int flags = cv::IMREAD_COLOR | (apply_exif_orientation ? 0 : cv::IMREAD_IGNORE_ORIENTATION);
  Image image = new_image(header.width, header.height);
  cv::Mat pixels(image.height, image.width, CV_8UC3, image.rgb.data());
  if (!decode_bgr(file, name, flags, pixels))
    throw Error(ErrorKind::Format, fmt::format("{}: not an image (its data cannot be decoded)", name));
  if (pixels.data != image.rgb.data()) {  // turned upright, or a WebP, whose header is not read for its size
    image = new_image(pixels.cols, pixels.rows);
    std::copy_n(pixels.data, image.rgb.size(), image.rgb.data());
  }
  for (size_t i = 0; i < image.rgb.size(); i += 3) std::swap(image.rgb[i], image.rgb[i + 2]);  // BGR to RGB
  return image;
}

Image decode(const std::filesystem::path& path, bool apply_exif_orientation) {
  const File file(path);
  check_size(file.size(), path.string());
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  return decode_bytes(bytes, path.string(), apply_exif_orientation);
}

}  // namespace tyto::apps
