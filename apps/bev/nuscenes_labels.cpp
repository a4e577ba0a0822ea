#include "apps/bev/nuscenes_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <unordered_set>

#include "apps/bev/json_matrices.h"
#include "engine/images/pose.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using Tokens = std::unordered_set<std::string>;

// A row's token under `key`, which must be among those of another table.
std::string token_in(const JsonObject& row, const char* key, const auto& known, const char* table) {
  auto token = row.get<std::string>(key);
  if (!known.contains(token))
    row.fail(fmt::format("has the {} {}, which is in no row of {}.json", key, token, table));
  return token;
}

// Instances, by their tokens, and whether they are vehicles.
std::unordered_map<std::string, bool> read_instances(const NuscenesTree& tree) {
  std::unordered_map<std::string, bool> vehicle_categories, instances;
  for_each_row(tree.table("category"), {"token", "name"}, [&](const JsonObject& row) {
    const auto name = row.get<std::string>("name");
    vehicle_categories[row.get<std::string>("token")] = name.substr(0, name.find('.')) == "vehicle";
  });
  for_each_row(tree.table("instance"), {"token", "category_token"}, [&](const JsonObject& row) {
    instances[row.get<std::string>("token")] =
        vehicle_categories.at(token_in(row, "category_token", vehicle_categories, "category"));
  });
  return instances;
}

Tokens read_tokens(const std::filesystem::path& table) {
  Tokens tokens;
  for_each_row(table, {"token"},
               [&](const JsonObject& row) { tokens.insert(row.get<std::string>("token")); });
  return tokens;
}

}  // namespace

VehicleBoxes read_vehicle_boxes(const NuscenesTree& tree, const std::vector<Sample>& samples) {
  VehicleBoxes boxes;
  for (const Sample& sample : samples) boxes[sample.id];
  const std::unordered_map<std::string, bool> instances = read_instances(tree);
  const Tokens all_samples = read_tokens(tree.table("sample"));
  for_each_row(tree.table("sample_annotation"),
               {"sample_token", "instance_token", "translation", "rotation", "size"},
               [&](const JsonObject& row) {
                 const std::string sample = token_in(row, "sample_token", all_samples, "sample");
                 const std::string instance = token_in(row, "instance_token", instances, "instance");
                 const auto of_sample = boxes.find(sample);
                 if (of_sample == boxes.end() || !instances.at(instance)) return;
                 of_sample->second.push_back(
                     {rotation_and_translation_in(row), row.get<std::array<double, 3>>("size")});
               });
  return boxes;
}

Tensor vehicle_labels(const Sample& sample, const std::vector<AnnotatedBox>& boxes, const BevGridInfo& grid) {
  const auto row_axis = static_cast<size_t>(grid.rows_are_x ? 0 : 1), column_axis = 1 - row_axis;
  const int rows = grid.cells[row_axis], columns = grid.cells[column_axis];
  Tensor labels = Tensor::zeros(DType::U8, {1, rows, columns});
  cv::Mat picture(rows, columns, CV_8U, labels.data());
  const Matrix4 grid_to_world =
      grid.lidar_frame ? multiply(sample.ego_pose, sample.lidar_to_ego) : sample.ego_pose;
  for (const AnnotatedBox& box : boxes) {
    const Matrix4 box_to_grid = multiply(inverse_pose(grid_to_world), box.pose);
    const auto [width, length, height] = box.size;
    const std::array<std::array<double, 2>, 4> corners = {{{1, -1}, {1, 1}, {-1, 1}, {-1, -1}}};
    std::vector<cv::Point> polygon;
    for (const auto& [along, across] : corners) {
      const std::array<double, 3> corner =
          transform(box_to_grid, {along * length / 2, across * width / 2, -height / 2});
      const auto cell = [&](size_t axis) {
        return std::nearbyint((corner[axis] - grid.lower[axis]) / grid.step[axis]);
      };
      // Far beyond the grid all are alike to the drawing, whose coordinates have 16 bits.
      const auto drawn = [](double at) { return static_cast<int>(std::clamp(at, -32000.0, 32000.0)); };
      polygon.emplace_back(drawn(cell(column_axis)), drawn(cell(row_axis)));
    }
    if ((cv::boundingRect(polygon) & cv::Rect(0, 0, columns, rows)).empty()) continue;
    cv::fillPoly(picture, std::vector<std::vector<cv::Point>>{polygon}, 1);
  }
  return labels;
}

}  // namespace tyto::apps
