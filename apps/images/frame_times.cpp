#include "apps/images/frame_times.h"

#include <algorithm>
#include <cmath>

namespace tyto::apps {
namespace {

constexpr double kUsualFramesPerSecond = 25;
constexpr int64_t kMax = 2'000'000'000'000'000'000;  // units of time: sums of four stay within 64 bits

int64_t units(double seconds, TimeBase unit) {
  const double count = seconds * unit.denominator / unit.numerator;
  return std::max<int64_t>(std::llround(std::min(count, static_cast<double>(kMax))), 1);
}

}  // namespace

FrameTimes::FrameTimes(TimeBase unit, double frames_per_second, double longest_gap)
    : longest_gap_(units(longest_gap, unit)),
      presumed_distance_(
          std::min(longest_gap_,
                   units(1 / (frames_per_second > 0 ? frames_per_second : kUsualFramesPerSecond), unit))) {}

int64_t FrameTimes::usual_distance() const {
  // A file may claim thousands of frames a second and have none of them.
  constexpr int64_t kCredible = 4;
  if (duration_ > 0 && duration_ >= smallest_distance_ / kCredible) return duration_;
  return smallest_distance_ > 0 ? smallest_distance_ : presumed_distance_;
}

int64_t FrameTimes::next(std::optional<int64_t> stamp, int64_t duration) {
  if (stamp && (*stamp < -kMax || *stamp > kMax)) stamp.reset();  // no time, but a file's whim
  int64_t distance = stamp && shift_ && last_ ? *stamp + *shift_ - *last_ : 0;
  if (distance > 0 && distance <= longest_gap_)
    smallest_distance_ = smallest_distance_ > 0 ? std::min(smallest_distance_, distance) : distance;
  else if (last_)
    distance = usual_distance();
  const int64_t time = last_ ? std::min(*last_ + distance, kMax) : 0;
  if (stamp) shift_ = time - *stamp;
  last_ = time;
  duration_ = duration > 0 && duration <= longest_gap_ ? duration : 0;
  return time;
}

int64_t FrameTimes::end() const { return last_ ? *last_ + usual_distance() : 0; }

}  // namespace tyto::apps
