// Matrices and poses as JSON writes them.
#pragma once

#include <array>
#include <string>

#include "engine/images/pose.h"
#include "files/json_object.h"

namespace tyto::apps {

// N lists of N numbers, row-major. Errors as of JsonObject.
template <size_t N>
std::array<double, N * N> matrix_in(const JsonObject& object, const std::string& key) {
  using Rows = std::array<std::array<double, N>, N>;
  const auto& json = object.at(key);
  if (!JsonType<Rows>::holds(json))
    object.refuse(key, "a matrix: " + std::to_string(N) + " lists of " + std::to_string(N) + " numbers");
  std::array<double, N * N> matrix;
  for (size_t i = 0; i < matrix.size(); ++i) matrix[i] = json[i / N][i % N].template get<double>();
  return matrix;
}

// "rotation": [w, x, y, z], of any length but 0, and "translation": [x, y, z].
Matrix4 rotation_and_translation_in(const JsonObject& object);

// A matrix of 4 x 4 with the last row 0 0 0 1, or an object of a rotation and a translation and nothing else.
Matrix4 pose_in(const JsonObject& object, const std::string& key);

}  // namespace tyto::apps
