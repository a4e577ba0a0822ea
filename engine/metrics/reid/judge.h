// What each gallery image is to one query: a match, another identity, or left out of the ranking.
#pragma once

#include <cstdint>

namespace tyto {

enum class Judgement : uint8_t {
  Negative,  // another identity
  Positive,  // the query's identity
  Junk,      // not to be ranked
};

enum class CameraRule : uint8_t {
  Baseline,  // junk: id -1, and the query's identity seen by the query's camera (Market-1501 and its likes)
  None,      // no junk
  Sysu,      // junk: camera 2 for queries of camera 3, which stand in the same room (SYSU-MM01)
};

// ids, cameras [n] of the gallery; -1: unknown. An unknown identity matches none, an unknown camera is no
// other's. judgement    [n]
void judge(int64_t query_id, int64_t query_camera, const int64_t* ids, const int64_t* cameras, int64_t n,
           CameraRule rule, Judgement* judgement);

}  // namespace tyto
