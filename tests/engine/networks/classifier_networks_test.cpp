// What classifiers read off their tensors beside their layers; whole networks are compared with PyTorch in
// tests/parity.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/network_graph.h"
#include "support/shapes_only.h"

namespace tyto {
namespace {

Weights shapes(const std::map<std::string, Shape>& shapes) {
  return Weights(std::make_shared<ShapesOnly>(shapes));
}

Preprocessing rule_of(const Network& network, const Weights& weights) {
  return preprocessing_from_json(network.inputs(weights, Options(network, {})).at(0).preprocessing);
}

// Of square patches, on images of so many a side.
Weights vision_transformer_of(int64_t width, int64_t patch, int64_t side) {
  return shapes({{"conv_proj.weight", {width, 3, patch, patch}},
                 {"encoder.pos_embedding", {1, side * side + 1, width}}});
}

TEST(ConvNext, IsGivenWhatTorchvisionGivesItsSize) {
  const auto shorter_side = [](int64_t width, bool deep) {
    std::map<std::string, Shape> stem = {{"features.0.0.weight", {width, 3, 4, 4}}};
    if (deep) stem["features.5.9.layer_scale"] = {4 * width, 1, 1};
    return rule_of(convnext(), shapes(stem)).shorter_side;
  };
  EXPECT_EQ(shorter_side(96, false), 236);
  EXPECT_EQ(shorter_side(96, true), 230);
  EXPECT_EQ(shorter_side(128, true), 232);
  EXPECT_EQ(shorter_side(192, true), 232);
}

// Of a stem's width, a head's and so many blocks.
int efficientnet_side(int64_t stem, int64_t head, int blocks) {
  std::map<std::string, Shape> tensors = {{"_conv_stem.weight", {stem, 3, 3, 3}},
                                          {"_conv_head.weight", {head, head / 4, 1, 1}}};
  for (int i = 0; i < blocks; ++i) tensors[fmt::format("_blocks.{}._project_conv.weight", i)] = {1, 1, 1, 1};
  const Preprocessing rule = rule_of(efficientnet(), shapes(tensors));
  EXPECT_EQ(rule.height, rule.width);
  EXPECT_EQ(rule.height, rule.shorter_side);
  return rule.height;
}

TEST(EfficientNet, IsGivenWhatThePackageGivesItsSize) {
  const struct {
    int64_t stem, head;
    int blocks, side;
  } known[] = {{32, 1280, 16, 224}, {32, 1280, 23, 240}, {32, 1408, 23, 260}, {40, 1536, 26, 300},
               {48, 1792, 32, 380}, {48, 2048, 39, 456}, {56, 2304, 45, 528}, {64, 2560, 55, 600}};
  for (const auto& k : known) EXPECT_EQ(efficientnet_side(k.stem, k.head, k.blocks), k.side);
}

TEST(VisionTransformer, IsGivenWhatTorchvisionGivesItsSize) {
  const struct {
    int64_t width, patch, side;
    int size, shorter_side;
    Resampling resampling;
  } known[] = {{768, 16, 14, 224, 256, Resampling::PilBilinear},   // vit_b_16
               {768, 32, 7, 224, 256, Resampling::PilBilinear},    // vit_b_32
               {1024, 16, 14, 224, 242, Resampling::PilBilinear},  // vit_l_16
               {1024, 32, 7, 224, 256, Resampling::PilBilinear},   // vit_l_32
               {768, 16, 24, 384, 384, Resampling::PilBicubic},    // vit_b_16 of SWAG
               {1280, 14, 16, 224, 224, Resampling::PilBicubic},   // vit_h_14 of SWAG, linear
               {1280, 14, 37, 518, 518, Resampling::PilBicubic}};  // vit_h_14 of SWAG
  for (const auto& k : known) {
    const Preprocessing rule = rule_of(vision_transformer(), vision_transformer_of(k.width, k.patch, k.side));
    EXPECT_EQ(rule.height, k.size);
    EXPECT_EQ(rule.width, k.size);
    EXPECT_EQ(rule.shorter_side, k.shorter_side) << k.width << "/" << k.patch;
    EXPECT_EQ(rule.resampling, k.resampling) << k.width << "/" << k.patch;
  }
}

TEST(VisionTransformer, SaysForWhichImagesItsPositionsAre) {
  const Weights weights = vision_transformer_of(768, 16, 14);
  for (const Shape& images : {Shape{1, 3, 224, 256}, Shape{1, 3, 256, 224}})
    expect_error([&] { network_graph("vision_transformer", weights, images); }, ErrorKind::Shape,
                 {"position embedding", "224 x 224", "256"});
}

}  // namespace
}  // namespace tyto
