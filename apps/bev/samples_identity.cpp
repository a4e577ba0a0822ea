#include "apps/bev/samples_identity.h"

#include "files/json.h"
#include "files/sha256.h"

namespace tyto::apps {

std::string hash_of(std::span<const Sample> samples) {
  Sha256 hash;
  const auto add = [&](const std::string& text) {
    const uint64_t size = text.size();
    hash.update(&size, sizeof size);
    hash.update(text.data(), text.size());
  };
  const auto add_matrix = [&](const auto& matrix) { hash.update(matrix.data(), sizeof matrix); };
  for (const Sample& sample : samples) {
    add(sample.id);
    add(sample.sequence);
    add_matrix(sample.lidar_to_ego);
    for (const SampleCamera& camera : sample.cameras) {
      add(camera.name);
      add(camera.image.string());
      add_matrix(camera.camera.intrinsics);
      add_matrix(camera.camera.camera_to_ego);
      add_matrix(camera.camera.augmentation);
    }
  }
  return hash.hex();
}

std::string with_samples(const std::string& identity, const std::string& hash) {
  auto json = nlohmann::ordered_json::parse(identity);
  json["samples"] = hash;
  return dump_json(json);
}

}  // namespace tyto::apps
