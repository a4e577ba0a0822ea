// When a video's frames are shown.
#pragma once

#include <cstdint>
#include <optional>

#include "apps/images/ffmpeg.h"

namespace tyto::apps {

// Brings the time stamps of a video into an order that a copy of it can be given: from 0 on, rising, in the
// unit of the stamps. Where stamps are lacking, go backwards (clips joined into one file) or leap by more
// than `longest_gap` seconds, time goes on by the usual distance of frames, and later stamps are taken
// relative to that.
class FrameTimes {
 public:
  FrameTimes(TimeBase unit, double frames_per_second, double longest_gap);

  // Of the next frame; how long it is shown, 0 where nothing tells.
  int64_t next(std::optional<int64_t> stamp, int64_t duration);

  int64_t end() const;  // when the frames so far are over

 private:
  int64_t usual_distance() const;

  const int64_t longest_gap_, presumed_distance_;
  std::optional<int64_t> shift_;   // from a stamp to a time
  std::optional<int64_t> last_;    // frame's time
  int64_t duration_ = 0;           // of the last frame, by the file
  int64_t smallest_distance_ = 0;  // of frames so far; 0: none is known
};

}  // namespace tyto::apps
