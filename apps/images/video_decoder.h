// A video file's pictures and their times, by FFmpeg.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "apps/images/ffmpeg.h"
#include "apps/images/frame_times.h"
#include "files/file.h"
#include "tyto/image.h"

struct AVStream;

namespace tyto::apps {

// The frames of a file's first picture track that a player would show, one after the other, turned upright as
// the track says, with the pixels of OpenCV's player. Opens no other file, whatever the file says. Packets
// that cannot be decoded are passed over, as players do, and remembered; the part of a frame at a torn end is
// none. Not thread-safe.
class VideoDecoder {
 public:
  // Error{File} where it cannot be opened, Error{Format} "NAME: no video (...)".
  explicit VideoDecoder(const std::filesystem::path& path);
  VideoDecoder(const VideoDecoder&) = delete;
  VideoDecoder& operator=(const VideoDecoder&) = delete;

  bool next();    // goes to the next frame; false at the end. std::bad_alloc
  Image image();  // of the frame. std::bad_alloc; Error{Format} for pixels that cannot be converted

  TimeBase time_base() const;
  int64_t time() const { return time_; }         // of the frame, in time_base(); the first one's is 0
  int64_t end() const { return times_->end(); }  // when the last frame so far is over

  std::optional<int64_t> expected_frames() const;  // by the file's headers, which may be wrong

  // After the end: a sentence on what could not be decoded, or empty.
  std::string problem() const;

 private:
  static int read_bytes(void* self, unsigned char* into, int size);
  static int64_t seek(void* self, int64_t offset, int whence);
  void open_container();
  void open_codec();
  bool read_packet();
  bool torn_off() const;
  void take_frame();
  void count_damage();

  const File file_;
  uint64_t position_ = 0;  // in the file
  const Ffmpeg<AVIOContext> io_;
  Ffmpeg<AVFormatContext> format_;
  AVStream* stream_ = nullptr;
  Ffmpeg<AVCodecContext> codec_;
  Ffmpeg<AVPacket> packet_, waiting_;  // one is held back, for it may be the last
  const Ffmpeg<AVFrame> frame_;
  Ffmpeg<SwsContext> scaler_;
  std::optional<FrameTimes> times_;
  int64_t time_ = 0;
  bool ended_ = false, draining_ = false, over_ = false;  // the file; the packets; the frames

  int64_t packets_ = 0, last_marked_ = -1;    // of the packets, as out of a part that was cut off
  bool torn_ = false;                         // the file ends before its video does
  int64_t frames_ = 0;                        // so far
  int64_t whole_ = 0;                         // frames up to the last whole one
  int64_t damages_ = 0, damages_at_end_ = 0;  // before and after the last whole frame
  int64_t first_damage_ = 0;                  // frames before it
};

}  // namespace tyto::apps
