#include "apps/bev/ipm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"

namespace tyto::apps {
namespace {

// Straight down from `height` metres above (x, y), one pixel a metre of the ground: the image's upper left
// pixel's centre is `left` metres to the left of and `ahead` metres ahead of that place.
Camera looking_down(double x, double y, double height, double ahead, double left) {
  Camera camera;
  camera.intrinsics = {height, 0, left, 0, height, ahead, 0, 0, 1};
  // The camera's x is to the right, -y of the ego; its y is back, -x; it looks along -z.
  camera.camera_to_ego = {0, -1, 0, x, -1, 0, 0, y, 0, 0, -1, height, 0, 0, 0, 1};
  return camera;
}

Image image_of(int width, int height, const std::vector<uint8_t>& grey) {
  Image image{width, height, {}};
  for (const uint8_t g : grey) image.rgb.insert(image.rgb.end(), {g, static_cast<uint8_t>(g + 1), 7});
  return image;
}

// Each cell's first colour, -1 where none is.
std::vector<int> greys(const Mosaic& mosaic) {
  std::vector<int> values;
  for (size_t i = 0; i < mosaic.rgba.size(); i += 4)
    values.push_back(mosaic.rgba[i + 3] == 0 ? -1 : mosaic.rgba[i]);
  return values;
}

Mosaic mosaic_of(const std::vector<Camera>& cameras, const std::vector<Image>& images, const char* grid,
                 Blend blend = Blend::Weighted, double height = 0) {
  return ground_mosaics({cameras, kIdentity4}, images, ground_grid(grid), blend, std::array{height}).front();
}

using testing::ElementsAre;

TEST(GroundMosaic, ForwardIsUpLeftIsLeftAndCellsAreTakenAtTheirCentres) {
  // Cells' centres are x = 11, 10 and y = 21, 20, 19: exactly the pixels.
  const Camera camera = looking_down(10.5, 20, 2, 0.5, 1);
  const Mosaic m = mosaic_of({camera}, {image_of(3, 2, {10, 20, 30, 40, 50, 60})}, "9.5,11.5,18.5,21.5,1");
  EXPECT_THAT(greys(m), ElementsAre(10, 20, 30, 40, 50, 60));
  EXPECT_EQ(m.rgba[1], 11);
  EXPECT_EQ(m.rgba[2], 7);
  EXPECT_EQ(m.seen, 6);
}

TEST(GroundMosaic, ColoursBetweenPixelsAreBilinearAndBeyondTheLastCentreThereIsNone) {
  // y = 0.25, -0.25, -0.75: columns 0.25, 0.75 and 1.25 of an image with the columns 0 and 1.
  const Mosaic m =
      mosaic_of({looking_down(0, 0, 1, 0, 0.5)}, {image_of(2, 1, {100, 200})}, "-0.5,0.5,-1,0.5,0.5");
  EXPECT_EQ(m.rows, 2);
  EXPECT_THAT(greys(m), ElementsAre(-1, -1, -1, -1, -1, -1));  // x = 0.25: half a pixel above the only row
  const Mosaic on_row =
      mosaic_of({looking_down(0.25, 0, 1, 0, 0.5)}, {image_of(2, 1, {100, 200})}, "0,0.5,-1,0.5,0.5");
  EXPECT_THAT(greys(on_row), ElementsAre(125, 175, -1));
  EXPECT_EQ(on_row.seen, 2);
}

TEST(GroundMosaic, AHigherPlaneIsSeenLarger) {
  // Half way up to the camera a metre is two pixels.
  const Camera camera = looking_down(0, 0, 2, 0, 2);
  const Image image = image_of(5, 1, {10, 20, 30, 40, 50});
  EXPECT_THAT(greys(mosaic_of({camera}, {image}, "-0.5,0.5,-1.5,1.5,1")), ElementsAre(20, 30, 40));
  EXPECT_THAT(greys(mosaic_of({camera}, {image}, "-0.5,0.5,-1.5,1.5,1", Blend::Mean, 1)),
              ElementsAre(10, 30, 50));
}

TEST(GroundMosaic, TheAugmentationLeadsToTheGivenImagesPixels) {
  Camera camera = looking_down(0, 0, 2, 0, 1);
  camera.augmentation = {-1, 0, 2, 0, 1, 0, 0, 0, 1};  // mirrored, three pixels wide
  EXPECT_THAT(greys(mosaic_of({camera}, {image_of(3, 1, {10, 20, 30})}, "-0.5,0.5,-1.5,1.5,1")),
              ElementsAre(30, 20, 10));
}

TEST(GroundMosaic, ACameraSeesNothingBehindItselfOrOfAPlaneThroughItself) {
  Camera up = looking_down(0, 0, 2, 0, 1);
  for (const size_t i : {0, 4, 8, 2, 6, 10}) up.camera_to_ego[i] *= -1;  // turned about its y
  const Image image = image_of(3, 1, {10, 20, 30});
  EXPECT_EQ(mosaic_of({up}, {image}, "-0.5,0.5,-1.5,1.5,1").seen, 0);
  EXPECT_EQ(mosaic_of({looking_down(0, 0, 2, 0, 1)}, {image}, "-0.5,0.5,-1.5,1.5,1", Blend::First, 2).seen,
            0);
}

TEST(GroundMosaic, CamerasOfDifferentSizesAreBlendedAsAskedFor) {
  // The second is twice as near, and both see the middle cell in the middle of their images.
  const std::vector<Camera> cameras = {looking_down(0, 0, 4, 1, 1), looking_down(0, 0, 4, 2, 2)};
  std::vector<Camera> rig = cameras;
  rig[1].intrinsics = {8, 0, 2, 0, 8, 2, 0, 0, 1};  // two pixels a metre, so four times as many an area
  const std::vector<Image> images = {image_of(3, 3, std::vector<uint8_t>(9, 50)),
                                     image_of(5, 5, std::vector<uint8_t>(25, 150))};
  const auto middle = [&](Blend blend) {
    return greys(mosaic_of(rig, images, "-0.5,0.5,-0.5,0.5,1", blend)).front();
  };
  EXPECT_EQ(middle(Blend::First), 50);
  EXPECT_EQ(middle(Blend::Last), 150);
  EXPECT_EQ(middle(Blend::Mean), 100);
  EXPECT_EQ(middle(Blend::Weighted), 130);  // (50 + 4 * 150) / 5
}

TEST(GroundMosaic, AWeightFallsTowardsTheImagesEdge) {
  // 21 pixels: the feather is 2.1 of them. Beside a camera that sees the cell in its middle, one that sees it
  // at its very edge counts nothing, and alone everything.
  const Image dark = image_of(21, 21, std::vector<uint8_t>(441, 0)),
              light = image_of(21, 21, std::vector<uint8_t>(441, 200));
  const char* cell = "-0.5,0.5,-0.5,0.5,1";
  const Camera middle = looking_down(0, 0, 4, 10, 10), edge = looking_down(0, 0, 4, 10, 0),
               near_edge = looking_down(0, 0, 4, 10, 1);
  EXPECT_THAT(greys(mosaic_of({edge, middle}, {dark, light}, cell)), ElementsAre(200));
  EXPECT_THAT(greys(mosaic_of({edge}, {light}, cell)), ElementsAre(200));
  // 1 / 2.1 against 1.
  EXPECT_THAT(greys(mosaic_of({near_edge, middle}, {dark, light}, cell)), ElementsAre(135));
}

TEST(GroundGrid, IsReadOrRefused) {
  const GroundGrid grid = ground_grid("-1.5,1.5,0,0.3,0.1");
  EXPECT_EQ(grid.rows, 30);
  EXPECT_EQ(grid.columns, 3);
  for (const char* wrong : {"", "1,2,3,4", "0,1,0,1,1,1", "0,1,0,1,x", "0,1,0,1,0", "0,1,0,1,-1", "1,1,0,1,1",
                            "0,1,0,1,0.3", "0,1,0,1,nan", "0,1e9,0,1e9,1", "0,1,0,1,1 ", "0,1,,1,1"})
    expect_error([&] { ground_grid(wrong); }, ErrorKind::Usage, {"--grid", "x0,x1,y0,y1,step"});
}

}  // namespace
}  // namespace tyto::apps
