#include "apps/bev/json_matrices.h"

namespace tyto::apps {

Matrix4 rotation_and_translation_in(const JsonObject& object) {
  const auto rotation = object.get<std::array<double, 4>>("rotation");
  const auto translation = object.get<std::array<double, 3>>("translation");
  try {
    return pose_of(rotation, translation);
  } catch (const Error&) {
    object.refuse("rotation", "a quaternion: its length is 0 or too large");
  }
}

Matrix4 pose_in(const JsonObject& object, const std::string& key) {
  if (object.at(key).is_object()) {
    const JsonObject parts = object.object(key);
    const Matrix4 pose = rotation_and_translation_in(parts);
    parts.finish();
    return pose;
  }
  if (!object.at(key).is_array())
    object.refuse(key,
                  "a pose: a matrix of 4 x 4 or {\"rotation\": [w, x, y, z], \"translation\": [x, y, z]}");
  const Matrix4 pose = matrix_in<4>(object, key);
  if (pose[12] != 0 || pose[13] != 0 || pose[14] != 0 || pose[15] != 1)
    object.refuse(key, "a pose: its last row is not 0 0 0 1");
  return pose;
}

}  // namespace tyto::apps
