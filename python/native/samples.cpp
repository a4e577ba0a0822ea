// Files of calibrated samples.
#include "apps/bev/samples_file.h"
#include "files/json.h"
#include "python/native/call.h"
#include "tyto/bev_segmenter.h"

namespace tyto::python {
namespace {

using nlohmann::ordered_json;

ordered_json described(const apps::Sample& sample) {
  auto cameras = ordered_json::array();
  for (const apps::SampleCamera& c : sample.cameras)
    cameras.push_back({{"name", c.name},
                       {"image", c.image.string()},
                       {"intrinsics", c.camera.intrinsics},
                       {"camera_to_ego", c.camera.camera_to_ego},
                       {"augmentation", c.camera.augmentation}});
  return {{"id", sample.id},
          {"sequence", sample.sequence},
          {"ego_pose", sample.ego_pose},
          {"lidar_to_ego", sample.lidar_to_ego},
          {"cameras", cameras}};
}

}  // namespace
}  // namespace tyto::python

using namespace tyto;
using namespace tyto::python;

extern "C" int32_t tyto_python_read_samples(const char* file, tyto_python_text* text) noexcept {
  return answer(text, [&] {
    apps::SkippedInputs skipped;
    auto samples = nlohmann::ordered_json::array();
    for (const apps::Sample& sample : apps::read_samples_file(file, skipped)) try {
        check_rig(sample.rig());
        samples.push_back(described(sample));
      } catch (const Error& error) {
        skipped.push_back("sample " + sample.id + ": " + error.what());
      }
    return dump_json({{"samples", samples}, {"skipped", skipped}});
  });
}
