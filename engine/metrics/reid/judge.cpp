#include "engine/metrics/reid/judge.h"

namespace tyto {
namespace {

constexpr int64_t kUnknown = -1;
constexpr int64_t kSysuInfraredCamera = 3, kSysuVisibleCameraOfTheSameRoom = 2;

}  // namespace

void judge(int64_t query_id, int64_t query_camera, const int64_t* ids, const int64_t* cameras, int64_t n,
           CameraRule rule, Judgement* judgement) {
  const bool skips_camera = rule == CameraRule::Sysu && query_camera == kSysuInfraredCamera;
  const bool drops_unknown = rule == CameraRule::Baseline;
  const bool drops_same_camera = rule == CameraRule::Baseline && query_camera != kUnknown;
  for (int64_t i = 0; i < n; ++i) {
    const bool same = ids[i] == query_id && query_id != kUnknown;
    const bool junk = (skips_camera && cameras[i] == kSysuVisibleCameraOfTheSameRoom) ||
                      (drops_unknown && ids[i] == kUnknown) ||
                      (drops_same_camera && same && cameras[i] == query_camera);
    judgement[i] = junk ? Judgement::Junk : same ? Judgement::Positive : Judgement::Negative;
  }
}

}  // namespace tyto
