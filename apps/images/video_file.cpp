#include "apps/images/video_file.h"

#include <fmt/format.h>

#include <opencv2/imgproc.hpp>
#include <system_error>
#include <utility>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* why) {
  throw Error(ErrorKind::File, fmt::format("{}: cannot write this video{}", path.string(), why));
}

cv::Size even(cv::Size size) { return {size.width + size.width % 2, size.height + size.height % 2}; }

}  // namespace

VideoFile::VideoFile(std::filesystem::path path, double frames_per_second)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp.avi"), rate_(frames_per_second) {}

VideoFile::~VideoFile() {
  writer_.release();
  std::error_code gone;
  std::filesystem::remove(temporary_, gone);
}

void VideoFile::open(cv::Size size) {
  size_ = size;
  // Absolute, lest FFmpeg take "a:b.avi" for a protocol.
  const std::string name = std::filesystem::absolute(temporary_).string();
  const int motion_jpeg = cv::VideoWriter::fourcc('M', 'J', 'P', 'G');
  try {
    if (writer_.open(name, cv::CAP_FFMPEG, motion_jpeg, rate_, even(size)) ||
        writer_.open(name, cv::CAP_ANY, motion_jpeg, rate_, even(size)))
      return;
  } catch (const cv::Exception&) {
  }
  fail(path_, "");
}

void VideoFile::add(const cv::Mat& bgr) {
  if (frames_ == 0) open(bgr.size());
  cv::Mat frame = bgr;
  if (bgr.size() != size_) cv::resize(bgr, frame, size_, 0, 0, cv::INTER_AREA);
  const cv::Size padding = even(size_) - size_;
  if (padding.width > 0 || padding.height > 0)
    cv::copyMakeBorder(frame, frame, 0, padding.height, 0, padding.width, cv::BORDER_REPLICATE);
  try {
    writer_.write(frame);
  } catch (const cv::Exception&) {
    fail(path_, "");
  }
  ++frames_;
}

// OpenCV does not say when a write failed, but without its last frame or its index a file has no last frame to go to.
void VideoFile::commit() {
  if (frames_ == 0) return;
  writer_.release();
  cv::VideoCapture written(std::filesystem::absolute(temporary_).string(), cv::CAP_FFMPEG);
  const auto last = static_cast<double>(frames_ - 1);
  if (!written.isOpened() || !written.set(cv::CAP_PROP_POS_FRAMES, last) || !written.grab())
    fail(path_, "; is the disk full?");
  written.release();
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) fail(path_, "");
}

}  // namespace tyto::apps
