#include "apps/images/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <tuple>

#include "apps/images/decode.h"
#include "apps/images/folder.h"
#include "apps/images/sized_images.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

const Preprocessing kSmall = {.height = 8, .width = 6, .resampling = Resampling::PilBicubic};
constexpr size_t kRow = 3 * 8 * 6;

// Forty images of many sizes; every seventh is broken, and so are the last two.
std::vector<std::filesystem::path> write_images(const TemporaryFolder& folder) {
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < 40; ++i) {
    const std::string name = std::to_string(i) + ".png";
    const bool broken = i % 7 == 3 || i >= 38;
    paths.push_back(broken ? folder.write(name, "no image")
                           : folder.write_image(name, 1 + i * 37 % 200, 1 + i * 53 % 150, i));
  }
  return paths;
}

bool is_broken(int64_t index) { return index % 7 == 3 || index >= 38; }

std::vector<Batch> load_all(ImageLoader& loader) {
  std::vector<Batch> batches;
  while (std::optional<Batch> batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

TEST(ImageLoader, GivesEveryReadableImageInOrder) {
  const TemporaryFolder folder;
  const auto paths = write_images(folder);
  FileSource source(paths);
  ImageLoader loader(source, kSmall, {.batch = 4, .threads = 3});
  Preprocessor preprocessor(kSmall);
  std::vector<float> expected(kRow);
  int64_t next = 0;
  for (const Batch& batch : load_all(loader)) {
    for (size_t row = 0; row < batch.indices.size(); ++row) {
      while (is_broken(next)) ++next;
      ASSERT_EQ(batch.indices[row], next);
      preprocessor.run(decode(paths[static_cast<size_t>(next++)]), expected);
      EXPECT_TRUE(std::ranges::equal(batch.input.as<float>().subspan(row * kRow, kRow), expected));
    }
  }
  EXPECT_EQ(next, 38);
}

TEST(ImageLoader, NamesWhatItSkips) {
  const TemporaryFolder folder;
  const auto paths = write_images(folder);
  FileSource source(paths);
  ImageLoader loader(source, kSmall, {.batch = 4, .threads = 2});
  std::vector<int64_t> skipped;
  for (const Batch& batch : load_all(loader)) {
    for (const Skipped& image : batch.skipped) {
      skipped.push_back(image.index);
      EXPECT_THAT(image.message,
                  testing::StartsWith(paths[static_cast<size_t>(image.index)].string() + ": not an image"));
    }
  }
  EXPECT_EQ(skipped, (std::vector<int64_t>{3, 10, 17, 24, 31, 38, 39}));
}

TEST(ImageLoader, PadsTheLastBatchWithZeros) {
  const TemporaryFolder folder;
  const std::vector paths = {folder.write_image("a.png", 5, 5, 1), folder.write_image("b.png", 5, 5, 2)};
  FileSource source(paths);
  ImageLoader loader(source, {.height = 8, .width = 6, .mean = {9, 9, 9}}, {.batch = 5, .threads = 1});
  const std::vector<Batch> batches = load_all(loader);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].input.shape(), (Shape{5, 3, 8, 6}));
  EXPECT_EQ(batches[0].indices, (std::vector<int64_t>{0, 1}));
  const auto values = batches[0].input.as<float>();
  EXPECT_TRUE(std::ranges::all_of(values.first(2 * kRow), [](float v) { return v < -7; }));
  EXPECT_TRUE(std::ranges::all_of(values.subspan(2 * kRow), [](float v) { return v == 0; }));
}

TEST(ImageLoader, IsTheSameForAnyNumberOfThreads) {
  const TemporaryFolder folder;
  const auto paths = write_images(folder);
  FileSource one_source(paths);
  ImageLoader one(one_source, kSmall, {.batch = 6, .threads = 1});
  const std::vector<Batch> expected = load_all(one);
  for (const int threads : {2, 7}) {
    FileSource many_source(paths);
    ImageLoader many(many_source, kSmall, {.batch = 6, .threads = threads});
    const std::vector<Batch> got = load_all(many);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].indices, expected[i].indices);
      EXPECT_TRUE(std::ranges::equal(got[i].input.as<float>(), expected[i].input.as<float>()));
    }
  }
}

TEST(ImageLoader, UsesRecycledMemory) {
  const TemporaryFolder folder;
  std::vector<std::filesystem::path> paths(6, folder.write_image("a.png", 9, 9, 1));
  FileSource source(paths);
  ImageLoader loader(source, kSmall, {.batch = 2, .threads = 1});
  Batch first = *loader.next();
  const std::byte* memory = first.input.data();
  const Tensor kept = first.input.clone();
  loader.recycle(std::move(first));
  const Batch second = *loader.next();
  EXPECT_EQ(second.input.data(), memory);
  EXPECT_TRUE(std::ranges::equal(second.input.as<float>(), kept.as<float>()));
}

TEST(ImageLoader, CanBeAbandonedHalfway) {
  const TemporaryFolder folder;
  const auto paths = write_images(folder);
  for (int taken = 0; taken < 3; ++taken) {
    FileSource source(paths);
    ImageLoader loader(source, kSmall, {.batch = 2, .threads = 4});
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader.next());
  }
}

// Images of 1 + index pixels that do not say how many they are; index 3 is unreadable.
class EndlessUntilTheEnd : public ImageSource {
 public:
  explicit EndlessUntilTheEnd(int64_t end) : end_(end) {}
  std::optional<Image> read(int64_t index) override {
    if (index >= end_) return std::nullopt;
    if (index == 3) throw Error(ErrorKind::Format, name(index) + ": no image");
    return Image{static_cast<int>(index) + 1, 1,
                 std::vector<uint8_t>(3 * (static_cast<size_t>(index) + 1), 200)};
  }
  std::string name(int64_t index) const override { return "image " + std::to_string(index); }
  std::optional<int64_t> expected() const override { return std::nullopt; }

 private:
  const int64_t end_;
};

TEST(ImageLoader, LearnsTheEndOfASourceFromTheSource) {
  for (const int64_t end : {0, 1, 3, 4, 5, 6, 12, 13})
    for (const int threads : {1, 5}) {
      EndlessUntilTheEnd source(end);
      ImageLoader loader(source, kSmall, {.batch = 3, .threads = threads});
      std::vector<int64_t> given;
      size_t skipped = 0;
      for (const Batch& batch : load_all(loader)) {
        given.insert(given.end(), batch.indices.begin(), batch.indices.end());
        skipped += batch.skipped.size();
      }
      std::vector<int64_t> expected;
      for (int64_t i = 0; i < end; ++i)
        if (i != 3) expected.push_back(i);
      EXPECT_EQ(given, expected);
      EXPECT_EQ(skipped, end > 3 ? 1u : 0u);
      EXPECT_FALSE(loader.next());
    }
}

TEST(ImageLoader, TellsWhereImagesWentAndKeepsThemIfAsked) {
  for (const bool keep : {false, true}) {
    EndlessUntilTheEnd source(9);
    ImageLoader loader(source, kSmall, {.batch = 4, .threads = 3, .keep_images = keep});
    for (const Batch& batch : load_all(loader)) {
      ASSERT_EQ(batch.images.size(), batch.indices.size());
      ASSERT_EQ(batch.geometries.size(), batch.indices.size());
      for (size_t row = 0; row < batch.indices.size(); ++row) {
        const auto width = static_cast<int>(batch.indices[row]) + 1;
        EXPECT_EQ(batch.images[row].width, width);
        EXPECT_EQ(batch.images[row].height, 1);
        EXPECT_EQ(batch.images[row].rgb,
                  std::vector<uint8_t>(keep ? 3 * static_cast<size_t>(width) : 0, 200));
        EXPECT_EQ(batch.geometries[row], (Geometry{6.0 / width, 8, 0, 0, width, 1, 6, 8}));
      }
    }
  }
}

TEST(ImageLoader, LeavesPreprocessingToTheDeviceIfAsked) {
  const TemporaryFolder folder;
  const auto paths = write_images(folder);
  FileSource source(paths);
  ImageLoader loader(source, kSmall, {.batch = 4, .threads = 3, .preprocess = false});
  size_t given = 0;
  while (std::optional<Batch> batch = loader.next()) {
    EXPECT_EQ(batch->input.elements(), 0);
    EXPECT_TRUE(batch->geometries.empty());
    ASSERT_EQ(batch->images.size(), batch->indices.size());
    for (size_t row = 0; row < batch->indices.size(); ++row, ++given)
      EXPECT_EQ(batch->images[row].rgb, decode(paths[static_cast<size_t>(batch->indices[row])]).rgb);
    loader.recycle(std::move(*batch));
  }
  EXPECT_EQ(given, 33u);
}

const Preprocessing kSized = {.fit = Fit::ShorterSide, .shorter_side = kSizedHeight};

std::vector<std::vector<int64_t>> batches_of(SizedImages source, const LoaderOptions& options) {
  ImageLoader loader(source, kSized, options);
  std::vector<std::vector<int64_t>> indices;
  for (const Batch& batch : load_all(loader)) indices.push_back(batch.indices);
  return indices;
}

TEST(ImageLoader, GivesImagesOfOneNetworkSizeTogetherWhereSizesVary) {
  SizedImages source({9, 5, 9, 0, 5, 9, 7});
  for (const int threads : {1, 3}) {
    ImageLoader loader(source, kSized, {.batch = 3, .threads = threads});
    const std::vector<Batch> batches = load_all(loader);
    ASSERT_EQ(batches.size(), 4u);
    EXPECT_EQ(batches[0].indices, (std::vector<int64_t>{0, 2, 5}));
    EXPECT_EQ(batches[0].input.shape(), (Shape{3, 3, kSizedHeight, 9}));
    EXPECT_EQ(batches[0].geometries.size(), 3u);
    EXPECT_EQ(batches[0].all_before, 1);
    ASSERT_EQ(batches[0].skipped.size(), 1u);
    EXPECT_EQ(batches[0].skipped[0].index, 3);
    for (const auto& [which, index, width, all_before] :
         {std::tuple{1, 1, 5, 4}, {2, 4, 5, 6}, {3, 6, 7, 8}}) {
      const Batch& alone = batches[static_cast<size_t>(which)];
      EXPECT_EQ(alone.indices, std::vector<int64_t>{index});
      EXPECT_EQ(alone.input.shape(), (Shape{1, 3, kSizedHeight, width}));
      EXPECT_EQ(alone.input.as<float>()[0], static_cast<float>(index) / 255);
      EXPECT_EQ(alone.all_before, all_before);
    }
    const auto values = batches[0].input.as<float>();
    EXPECT_EQ(values[2 * 3 * kSizedHeight * 9], 5.0f / 255);
  }
}

TEST(ImageLoader, CountsWhatIsHeldOfAnImageTowardsItsWindow) {
  const std::vector<int> widths = {9, 5, 5, 5, 5, 9};
  const LoaderOptions inputs = {.batch = 2, .threads = 3, .reorder_window = 4 * 3 * 4 * (9 + 4 * 5)};
  EXPECT_EQ(batches_of(SizedImages(widths), inputs),
            (std::vector<std::vector<int64_t>>{{1, 2}, {3, 4}, {0, 5}}));  // 0 to 4 are a full window
  LoaderOptions less = inputs;
  --less.reorder_window;
  EXPECT_EQ(batches_of(SizedImages(widths), less),
            (std::vector<std::vector<int64_t>>{{1, 2}, {3, 4}, {0}, {5}}));
  LoaderOptions both = inputs;
  both.keep_images = true;
  EXPECT_EQ(batches_of(SizedImages(widths), both),
            (std::vector<std::vector<int64_t>>{{1, 2}, {0}, {3, 4}, {5}}));
  LoaderOptions pixels = inputs;
  pixels.preprocess = false;
  pixels.reorder_window = 3 * 4 * (9 + 4 * 5);
  EXPECT_EQ(batches_of(SizedImages(widths), pixels),
            (std::vector<std::vector<int64_t>>{{1, 2}, {3, 4}, {0, 5}}));
}

TEST(ImageLoader, ImagesThatWereDoneBeforeKeepTheirPlacesInBatches) {
  SizedImages source({9, 5, 9, 9, 9, 5}, {true, true, false, true, false, true});
  ImageLoader loader(source, kSized, {.batch = 2, .threads = 3});
  const std::vector<Batch> batches = load_all(loader);
  ASSERT_EQ(batches.size(), 2u);
  for (const Batch& batch : batches) {
    EXPECT_EQ(batch.indices.size(), 1u);
    EXPECT_EQ(batch.done_before, 1);
    EXPECT_EQ(batch.input.shape(), (Shape{2, 3, kSizedHeight, 9}));
    const auto values = batch.input.as<float>();
    EXPECT_EQ(values[0], static_cast<float>(batch.indices[0]) / 255);
    EXPECT_EQ(values[values.size() / 2], 0);
  }
}

TEST(ImageLoader, NamesAnImageWhoseInputWouldBeTooLarge) {
  SizedImages source({9, kLargestSide + 1, 9});
  ImageLoader loader(source, kSized, {.batch = 2, .threads = 2, .preprocess = false});
  const std::vector<Batch> batches = load_all(loader);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].indices, (std::vector<int64_t>{0, 2}));
  ASSERT_EQ(batches[0].skipped.size(), 1u);
  EXPECT_THAT(batches[0].skipped[0].message, testing::StartsWith("image 1: an image of 16385 x 4 pixels"));
}

TEST(ImageLoader, PassesOverImagesThatWereDoneBefore) {
  SizedImages source({9, 5, 9, 0, 7}, {true, false, true, false, false});
  ImageLoader loader(source, kSmall, {.batch = 4, .threads = 2});
  const std::vector<Batch> batches = load_all(loader);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].indices, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(batches[0].all_before, 6);
  EXPECT_EQ(batches[0].skipped.size(), 1u);
}

TEST(ImageLoader, ThrowsWhatIsNoImagesFault) {
  class Exhausted : public EndlessUntilTheEnd {
   public:
    using EndlessUntilTheEnd::EndlessUntilTheEnd;
    std::optional<Image> read(int64_t index) override {
      if (index == 5) throw std::bad_alloc();
      return EndlessUntilTheEnd::read(index);
    }
  };
  Exhausted source(9);
  ImageLoader loader(source, kSmall, {.batch = 2, .threads = 3});
  EXPECT_TRUE(loader.next());
  EXPECT_TRUE(loader.next());
  try {
    loader.next();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::Memory);
    EXPECT_STREQ(e.what(), "image 5: not enough memory to decode it");
  }
}

TEST(ImageLoader, HasNothingToGiveWithoutPaths) {
  FileSource source({});
  ImageLoader loader(source, kSmall, {.batch = 2, .threads = 4});
  EXPECT_FALSE(loader.next());
}

TEST(ImageLoader, RefusesEmptyBatchesAndNoThreads) {
  FileSource source({});
  EXPECT_THROW(ImageLoader(source, kSmall, {.batch = 0, .threads = 1}), Error);
  EXPECT_THROW(ImageLoader(source, kSmall, {.batch = 1, .threads = 0}), Error);
}

}  // namespace
}  // namespace tyto::apps
