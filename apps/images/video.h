// The frames of a video file.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

#include "apps/images/source.h"
#include "apps/images/video_decoder.h"

namespace tyto::apps {

// Every Nth frame, from frame 0 on, named "clip.avi#120" by its number in the file. Frames come one after the
// other out of a decoder, so read() waits until all frames before its own were asked for, each of which must
// be, once.
class VideoSource : public ImageSource {
 public:
  VideoSource(const std::filesystem::path& path, int64_t every);  // Error: see VideoDecoder

  std::optional<Image> read(int64_t index) override;  // std::bad_alloc; what cannot be decoded is left out
  std::string name(int64_t index) const override;
  std::optional<int64_t> expected() const override;

  // When an image that was read is shown, and when the last frame is over, once the end was met: in
  // time_base().
  TimeBase time_base() const { return decoder_.time_base(); }
  int64_t time(int64_t index) const;
  int64_t end() const { return decoder_.end(); }

  std::string problem() const { return decoder_.problem(); }  // after the end: what was lost, or empty

 private:
  std::optional<Image> next_image();

  const std::filesystem::path path_;
  const int64_t every_;
  VideoDecoder decoder_;
  int64_t decoded_ = 0;  // frames

  mutable std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<int64_t> times_;  // of the images read
  bool over_ = false;
};

}  // namespace tyto::apps
