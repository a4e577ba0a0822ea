// A video, written frame by frame.
#pragma once

#include <opencv2/core.hpp>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>

#include "apps/images/ffmpeg.h"
#include "files/file.h"

struct AVStream;

namespace tyto::apps {

// Motion JPEG in a QuickTime file, which tells of every frame when it is shown. All frames get the size of
// the first. The file appears when it is committed; one that is not leaves nothing.
class VideoFile {
 public:
  VideoFile(std::filesystem::path path, TimeBase unit);
  VideoFile(const VideoFile&) = delete;
  VideoFile& operator=(const VideoFile&) = delete;

  // time: when the frame is shown, in the unit and after the one before. Error{File}.
  void add(const cv::Mat& bgr, int64_t time);
  void commit(int64_t end);  // of the last frame; Error{File}. Nothing without frames

 private:
  static int write_bytes(void* self, unsigned char* bytes, int size);
  static int64_t seek(void* self, int64_t offset, int whence);
  void open(const cv::Mat& first);
  void convert(const cv::Mat& bgr);
  void write_waiting(int64_t until);
  void check(int result) const;

  const std::filesystem::path path_;
  const TimeBase unit_, written_unit_;
  std::optional<AtomicFile> file_;
  int64_t position_ = 0, size_ = 0;  // in the file
  std::exception_ptr failed_;        // what happened when FFmpeg wrote
  Ffmpeg<AVIOContext> io_;
  Ffmpeg<AVFormatContext> format_;
  AVStream* stream_ = nullptr;
  Ffmpeg<AVCodecContext> codec_;
  Ffmpeg<SwsContext> scaler_;
  Ffmpeg<AVFrame> frame_;
  Ffmpeg<AVPacket> waiting_;  // the frame before, until it is known how long it is shown
  int64_t waiting_time_ = 0;  // in the written unit
};

}  // namespace tyto::apps
