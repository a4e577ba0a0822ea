// The frames of a video file.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <opencv2/videoio.hpp>

#include "apps/images/source.h"

namespace tyto::apps {

bool is_video_name(const std::filesystem::path& path);  // .avi .mp4 .mkv .mov .webm .mpg .mpeg .m4v .wmv .ts

// Every Nth frame, from frame 0 on, named "clip.avi#120" by its number in the file. Frames come one after the other
// out of a decoder, so read() waits until all frames before its own were asked for, each of which must be, once.
class VideoSource : public ImageSource {
 public:
  // Error{File} where it cannot be opened, Error{Format} "NAME: no video (...)". Sets the environment variables
  // through which OpenCV hands FFmpeg its options, unless they are set: no other thread may read them meanwhile.
  VideoSource(const std::filesystem::path& path, int64_t every);

  std::optional<Image> read(int64_t index) override;  // Error{Memory}; whatever cannot be decoded is the end
  std::string name(int64_t index) const override;
  std::optional<int64_t> expected() const override;

  double frame_rate() const {
    return frame_rate_;
  }  // of the file, in frames per second; 25 where it has none

  // After the end: empty, or a sentence that says where the video broke off, if its header promised more, or that it
  // gave no frame at all.
  std::string broken_off() const;

 private:
  std::optional<Image> next_frame(int64_t number);

  const std::filesystem::path path_;
  const int64_t every_;
  cv::VideoCapture capture_;
  double frame_rate_ = 0;
  int64_t promised_ = 0;  // frames, by the header; 0: unknown
  int64_t grabbed_ = 0;   // frames that the decoder gave

  std::mutex mutex_;
  std::condition_variable turn_;
  int64_t next_ = 0;  // the index to be read next
  bool over_ = false;
};

}  // namespace tyto::apps
