// The detectors' own parts: anchors, heads, options; whole networks are compared with PyTorch in
// tests/parity.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/networks/heads/anchors.h"
#include "engine/networks/heads/class_names.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/small_ssd.h"

namespace tyto {
namespace {

Graph built(const Layout& layout, const std::map<std::string, std::string>& options = {},
            int64_t size = 300) {
  return network_graph("ssd300", weights(layout), {1, 3, size, size}, options);
}

Tensor anchors_of(const Graph& graph) {
  for (const Node& node : graph.nodes())
    if (std::holds_alternative<DecodeBoxes>(node.op)) return node.weights[0].load();
  throw Error(ErrorKind::Shape, "no anchors");
}

Shape output_shape(const Graph& graph, const std::string& wanted) {
  for (const auto& [name, value] : graph.outputs())
    if (name == wanted) return graph.shape(value);
  return {};
}

TEST(Ssd300, LaysThePapersAnchors) {
  const Tensor anchors = anchors_of(built(small_ssd_layout()));
  EXPECT_EQ(anchors.shape(), (Shape{kSmallSsdAnchors, 4}));
  const auto v = std::as_const(anchors).as<float>();
  const auto row = [&](size_t i) { return std::vector<float>(v.begin() + 4 * i, v.begin() + 4 * i + 4); };
  // Cell (0, 0) of the first map: centre 4 of 300 pixels; 30, then sqrt(30 * 60), then 30 * sqrt(2) both
  // ways.
  EXPECT_FLOAT_EQ(row(0)[0], 4.0f / 300);
  EXPECT_FLOAT_EQ(row(0)[2], 0.1f);
  EXPECT_FLOAT_EQ(row(1)[2], std::sqrt(0.1f * 0.2f));
  EXPECT_FLOAT_EQ(row(2)[2], 0.1f * std::sqrt(2.0f));
  EXPECT_FLOAT_EQ(row(3)[3], 0.1f * std::sqrt(2.0f));
  EXPECT_FLOAT_EQ(row(4)[0], 12.0f / 300);  // the next column, not the next row
  EXPECT_FLOAT_EQ(row(4)[1], 4.0f / 300);
  EXPECT_FLOAT_EQ(row(8728)[2], 0.88f);  // the last map
}

TEST(Ssd300, ClampsAsManyNumbersAsSsdPytorch) {
  for (const auto& [name, clamped] : {std::pair{"voc", 140}, {"coco", 122}}) {
    const auto anchors = anchors_of(built(small_ssd_layout(), {{"anchors", name}}));
    const auto v = std::as_const(anchors).as<float>();
    // The 38 x 4 anchors in the first map's last column have x = 37.5 * 8 / 300 = 1 by themselves; its last
    // row likewise.
    constexpr int kOnTheEdge = 2 * 38 * 4;
    EXPECT_EQ(std::count(v.begin(), v.end(), 1.0f), kOnTheEdge + clamped) << name;
    EXPECT_LE(*std::max_element(v.begin(), v.end()), 1.0f);
  }
}

TEST(Ssd300, ReadsTheClassesOffTheTensorsAndTheCapacityOffTheLimits) {
  const Graph coco = built(small_ssd_layout(201));
  EXPECT_EQ(output_shape(coco, "logits"), (Shape{1, kSmallSsdAnchors, 201}));
  EXPECT_EQ(output_shape(coco, "detections"), (Shape{1, 200 * 200, 6}));
  EXPECT_EQ(output_shape(built(small_ssd_layout(), {{"max_detections", "50"}}), "detections"),
            (Shape{1, 50, 6}));
}

TEST(Ssd300, RefusesHeadsOfDifferentNetworks) {
  Layout layout = small_ssd_layout();
  for (auto& [name, shape] : layout)
    if (name == "conf.1.weight")
      shape[0] = 6 * 81;
    else if (name == "conf.1.bias")
      shape[0] = 6 * 81;
  expect_error([&] { built(layout); }, ErrorKind::Format,
               {"conf.0.weight", "21 classes", "conf.1.weight", "81 classes", "mixes two heads"});
}

TEST(Ssd300, RefusesHeadsThatMakeNoSense) {
  const auto refused = [](int64_t channels, const std::vector<std::string>& words) {
    Layout layout = small_ssd_layout();
    for (auto& [name, shape] : layout)
      if (name.starts_with("conf.0")) shape[0] = channels;
    expect_error([&] { built(layout); }, ErrorKind::Format, words);
  };
  refused(83, {"conf.0.weight", "83 channels", "4 anchors"});
  refused(4, {"conf.0.weight", "background alone"});
}

TEST(Ssd300, RefusesLimitsThatAllowHoursOfWork) {
  expect_error(
      [] {
        built(small_ssd_layout(91), {{"top_k", "0"}});
      },
      ErrorKind::Usage, {"top_k=0", "8732 anchors", "90 classes", "score_threshold"});
  built(small_ssd_layout(91), {{"top_k", "0"}, {"score_threshold", "0.5"}});  // an anchor has one such class
  built(small_ssd_layout(91), {{"top_k", "0"}, {"max_per_class", "100"}});
}

TEST(Ssd300, RefusesOtherSizesAndOptions) {
  expect_error([] { built(small_ssd_layout(), {}, 512); }, ErrorKind::Shape, {"ssd300", "300", "512"});
  const auto refuses = [](const char* name, const char* value, const char* word) {
    expect_error([&] { built(small_ssd_layout(), {{name, value}}); }, ErrorKind::Usage, {name, value, word});
  };
  refuses("score_threshold", "nan", "0 to 1");
  refuses("score_threshold", "1.5", "0 to 1");
  refuses("iou_threshold", "half", "number");
  refuses("top_k", "-1", "within 0");
  refuses("top_k", "2.5", "whole number");
  refuses("clip", "yes", "none, before, after");
  refuses("anchors", "kitti", "voc, coco");
}

TEST(ClassNames, AreTheUsualOnesForTheUsualCounts) {
  EXPECT_EQ(usual_class_names("ssd300", 21)[15], "person");
  EXPECT_EQ(usual_class_names("ssd300_vgg16", 91)[90], "toothbrush");
  EXPECT_TRUE(usual_class_names("ssd300", 91).empty());
  EXPECT_TRUE(usual_class_names("ssd300_vgg16", 21).empty());
}

TEST(SamePadding, GivesTheOddPixelToTheBottomAndRight) {
  const auto sides = [](int64_t height, int64_t width, int kernel, int stride) {
    const Padding p = same_padding({1, 1, height, width}, kernel, stride);
    return std::vector<int>{p.top, p.left, p.bottom, p.right};
  };
  EXPECT_EQ(sides(300, 300, 3, 2), (std::vector<int>{0, 0, 1, 1}));
  EXPECT_EQ(sides(75, 19, 3, 2), (std::vector<int>{1, 1, 1, 1}));
  EXPECT_EQ(sides(10, 5, 3, 1), (std::vector<int>{1, 1, 1, 1}));
  EXPECT_EQ(sides(10, 5, 1, 1), (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(sides(4, 4, 1, 3), (std::vector<int>{0, 0, 0, 0}));  // a window smaller than its step
}

}  // namespace
}  // namespace tyto
