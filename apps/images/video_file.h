// A video, written frame by frame.
#pragma once

#include <filesystem>
#include <opencv2/videoio.hpp>

namespace tyto::apps {

// Motion JPEG in an AVI. All frames get the size of the first, made even. The file appears when it is committed; one
// that is not leaves nothing.
class VideoFile {
 public:
  VideoFile(std::filesystem::path path, double frames_per_second);
  ~VideoFile();
  VideoFile(const VideoFile&) = delete;
  VideoFile& operator=(const VideoFile&) = delete;

  void add(const cv::Mat& bgr);  // Error{File}
  void commit();  // Error{File}, also where frames were lost: a full disk. Nothing without frames

 private:
  void open(cv::Size size);

  const std::filesystem::path path_, temporary_;
  const double rate_;
  cv::VideoWriter writer_;
  cv::Size size_;
  int64_t frames_ = 0;
};

}  // namespace tyto::apps
