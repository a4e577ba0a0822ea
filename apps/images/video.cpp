#include "apps/images/video.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <new>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio/registry.hpp>
#include <set>

#include "apps/images/image_file.h"
#include "engine/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

constexpr double kUsualFrameRate = 25;
constexpr double kMaxFrames = 1e12;

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

// FFmpeg says nothing on standard error, gives no frame out of a packet that was cut off (it would be grey in part),
// and takes the containers that is_video_name() promises: a playlist in disguise would open other files.
void configure_ffmpeg() {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  ::setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);
  ::setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS",
           "fflags;discardcorrupt|protocol_whitelist;file|"
           "format_whitelist;avi,mov,matroska,mpeg,mpegvideo,mpegts,asf,m4v",
           0);
}

bool open(cv::VideoCapture& capture, const std::filesystem::path& path) {
  const auto backends = cv::videoio_registry::getStreamBackends();
  const bool ffmpeg = std::ranges::find(backends, cv::CAP_FFMPEG) != backends.end();
  try {
    // Absolute, lest FFmpeg take "a:b.avi" for a protocol.
    return capture.open(std::filesystem::absolute(path).string(), ffmpeg ? cv::CAP_FFMPEG : cv::CAP_ANY);
  } catch (const cv::Exception&) {
    return false;
  }
}

// Of the frames that a header promises, how many may be lacking in a sound file. AVI and MP4 count them, empty ones
// included; elsewhere OpenCV multiplies duration and rate, and the sound may last longer than the picture.
int64_t slack(const std::filesystem::path& path, double frame_rate) {
  static const std::set<std::string> counted = {".avi", ".mp4", ".mov", ".m4v"};
  return counted.contains(lower_extension(path)) ? 2 : static_cast<int64_t>(std::ceil(frame_rate));
}

}  // namespace

bool is_video_name(const std::filesystem::path& path) {
  static const std::set<std::string> extensions = {".avi", ".mp4",  ".mkv", ".mov", ".webm",
                                                   ".mpg", ".mpeg", ".m4v", ".wmv", ".ts"};
  return extensions.contains(lower_extension(path));
}

VideoSource::VideoSource(const std::filesystem::path& path, int64_t every) : path_(path), every_(every) {
  File{path};  // says what is wrong where it cannot be opened at all
  configure_ffmpeg();
  if (!open(capture_, path))
    throw Error(ErrorKind::Format, fmt::format("{}: no video (cannot be decoded)", path.string()));
  const double rate = capture_.get(cv::CAP_PROP_FPS), frames = capture_.get(cv::CAP_PROP_FRAME_COUNT);
  frame_rate_ = rate > 0 && std::isfinite(rate) ? rate : kUsualFrameRate;
  promised_ = frames > 0 && frames < kMaxFrames ? static_cast<int64_t>(frames) : 0;
  const double pixels = capture_.get(cv::CAP_PROP_FRAME_WIDTH) * capture_.get(cv::CAP_PROP_FRAME_HEIGHT);
  if (pixels > static_cast<double>(kMaxPixels))
    throw Error(ErrorKind::Format, fmt::format("{}: no video ({:.0f} pixels a frame; the limit is {})",
                                               path.string(), pixels, kMaxPixels));
}

std::optional<Image> VideoSource::read(int64_t index) {
  std::unique_lock lock(mutex_);
  turn_.wait(lock, [&] { return over_ || next_ == index; });
  if (over_) return std::nullopt;
  std::optional<Image> image;
  try {
    image = next_frame(index * every_);
  } catch (...) {
    over_ = true;
    turn_.notify_all();
    throw;
  }
  ++next_;
  over_ = !image;
  turn_.notify_all();
  return image;
}

std::optional<Image> VideoSource::next_frame(int64_t number) {
  cv::Mat bgr;
  try {
    while (grabbed_ <= number) {
      if (!capture_.grab()) return std::nullopt;
      ++grabbed_;
    }
    if (!capture_.retrieve(bgr) || bgr.type() != CV_8UC3) return std::nullopt;
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw std::bad_alloc();
    return std::nullopt;
  }
  Image image{bgr.cols, bgr.rows, std::vector<uint8_t>(bgr.total() * 3)};
  cv::cvtColor(bgr, cv::Mat(bgr.size(), CV_8UC3, image.rgb.data()), cv::COLOR_BGR2RGB);
  return image;
}

std::string VideoSource::name(int64_t index) const {
  return fmt::format("{}#{}", path_.string(), index * every_);
}

std::optional<int64_t> VideoSource::expected() const {
  if (promised_ == 0) return std::nullopt;
  return (promised_ + every_ - 1) / every_;
}

std::string VideoSource::broken_off() const {
  if (grabbed_ == 0) return fmt::format("{}: no video (gives no frame)", path_.string());
  const int64_t missing = promised_ - grabbed_;
  if (missing <= slack(path_, frame_rate_)) return {};
  return fmt::format(
      "{}: breaks off after frame {}, {} of the {} frames that its header promises are missing",
      path_.string(), grabbed_ - 1, missing, promised_);
}

}  // namespace tyto::apps
