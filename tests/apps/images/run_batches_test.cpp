#include "apps/images/run_batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "apps/images/sized_images.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

const Preprocessing kSized = {.fit = Fit::ShorterSide, .shorter_side = kSizedHeight, .scale = 1};

constexpr int kRefused = 6;  // for the network below

// Of an image its byte, and how many rows ran together.
struct Label {
  int label;
  float rows;
};
Label take_row(std::vector<Label>& found, size_t row) { return found[row]; }

// An ImagePipeline of which that is the result.
class Labels {
 public:
  explicit Labels(bool on_device) : on_device_(on_device) {}

  bool preprocesses() const { return on_device_; }
  int in_flight() const { return 2; }

  void submit(const std::vector<Image>& images) {
    std::vector<Label> found;
    check_width(images.front().width);
    for (const Image& image : images) {
      EXPECT_EQ(image.width, images.front().width);
      found.push_back(row(image.rgb.at(0), images.size()));
    }
    push(std::move(found));
  }
  void submit(const Tensor& input, const std::vector<Geometry>& geometries) {
    EXPECT_EQ(input.shape().rank(), 4u);
    EXPECT_EQ(input.dim(2), kSizedHeight);
    check_width(geometries.front().width);
    const auto rows = static_cast<size_t>(input.dim(0));
    const auto values = input.as<float>();
    std::vector<Label> found;
    for (size_t i = 0; i < geometries.size(); ++i)
      found.push_back(row(values[i * values.size() / rows], rows));
    push(std::move(found));
  }
  std::vector<Label> collect() {
    std::vector<Label> first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }

 private:
  static Label row(float byte, size_t rows) {
    return {.label = static_cast<int>(std::lround(byte)), .rows = static_cast<float>(rows)};
  }
  static void check_width(int width) {
    if (width == kRefused) throw Error(ErrorKind::Shape, "a window does not fit");
  }
  void push(std::vector<Label> found) {
    EXPECT_LT(waiting_.size(), 2u);
    waiting_.push_back(std::move(found));
  }

  bool on_device_;
  std::deque<std::vector<Label>> waiting_;
};

struct Ran {
  std::vector<int64_t> indices;
  std::vector<int> labels;
  std::vector<float> rows;  // that ran together with each
  std::vector<std::string> skipped;
  size_t most_at_once = 0;
};

Ran run(SizedImages source, bool on_device, int batch, bool keep_images = false) {
  Ran ran;
  Labels pipeline(on_device);
  Progress progress("testing", 0);
  run_batches(source, kSized, pipeline, {.batch = batch, .decoders = 3}, keep_images, progress, ran.skipped,
              [&](std::vector<ImageResult<Label>> images) {
                ran.most_at_once = std::max(ran.most_at_once, images.size());
                for (const auto& [index, image, found] : images) {
                  ran.indices.push_back(index);
                  ran.labels.push_back(found.label);
                  ran.rows.push_back(found.rows);
                  EXPECT_EQ(image.rgb.empty(), !keep_images);
                }
              });
  return ran;
}

TEST(RunBatches, HandsOverInTheSourcesOrderWhatRanBySize) {
  const std::vector<int> widths = {9, 5, 9, 0, 7, 5, 9, 9, 5, 0};
  for (const bool on_device : {false, true})
    for (const bool keep : {false, true}) {
      const Ran ran = run(SizedImages(widths), on_device, 2, keep);
      EXPECT_THAT(ran.indices, ElementsAre(0, 1, 2, 4, 5, 6, 7, 8));
      EXPECT_THAT(ran.labels, ElementsAre(0, 1, 2, 4, 5, 6, 7, 8));
      EXPECT_THAT(ran.rows, ElementsAre(2, 2, 2, 1, 2, 2, 2, 1));
      EXPECT_THAT(ran.skipped, ElementsAre("image 3: no image", "image 9: no image"));
    }
}

TEST(RunBatches, AnImageOfASizeThatTheNetworkCannotTakeIsSkipped) {
  for (const bool on_device : {false, true}) {
    const Ran ran = run(SizedImages({9, kRefused, 5, 9, kRefused, kRefused}), on_device, 2);
    EXPECT_THAT(ran.labels, ElementsAre(0, 2, 3));
    EXPECT_THAT(ran.skipped, testing::UnorderedElementsAre("image 1: a window does not fit",
                                                           "image 4: a window does not fit",
                                                           "image 5: a window does not fit"));
  }
}

TEST(RunBatches, ImagesOfOneSizeAreHandedOverBatchByBatch) {
  const Ran ran = run(SizedImages(std::vector<int>(9, 5)), false, 4);
  EXPECT_EQ(ran.most_at_once, 4u);
  EXPECT_THAT(ran.rows, ElementsAre(4, 4, 4, 4, 4, 4, 4, 4, 1));
}

// Whatever was done before, the rest runs as it would have: together or alone.
TEST(RunBatches, WhatWasDoneBeforeChangesNothingOfTheRest) {
  const std::vector<int> widths = {9, 5, 9, 0, 7, 5, 9, 9, 5, 9, 9};
  for (const bool on_device : {false, true}) {
    const Ran whole = run(SizedImages(widths), on_device, 4);
    for (size_t done = 0; done <= widths.size(); ++done)
      for (const bool holes : {false, true}) {
        std::vector<bool> before(widths.size());
        for (size_t i = 0; i < done; ++i) before[i] = widths[i] != 0 && (!holes || i % 3 != 1);
        const Ran rest = run(SizedImages(widths, before), on_device, 4);
        std::vector<int64_t> indices;
        std::vector<float> rows;
        for (size_t i = 0; i < whole.indices.size(); ++i) {
          if (before[static_cast<size_t>(whole.indices[i])]) continue;
          indices.push_back(whole.indices[i]);
          rows.push_back(whole.rows[i]);
        }
        EXPECT_THAT(rest.indices, ElementsAreArray(indices));
        EXPECT_THAT(rest.rows, ElementsAreArray(rows));
        EXPECT_EQ(rest.skipped, whole.skipped);
      }
  }
}

}  // namespace
}  // namespace tyto::apps
