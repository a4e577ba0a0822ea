#include "apps/images/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "apps/images/decode.h"
#include "apps/images/folder.h"
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
  ImageLoader loader(paths, kSmall, {.batch = 4, .threads = 3});
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
  ImageLoader loader(paths, kSmall, {.batch = 4, .threads = 2});
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
  ImageLoader loader(paths, {.height = 8, .width = 6, .mean = {9, 9, 9}}, {.batch = 5, .threads = 1});
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
  ImageLoader one(paths, kSmall, {.batch = 6, .threads = 1});
  const std::vector<Batch> expected = load_all(one);
  for (const int threads : {2, 7}) {
    ImageLoader many(paths, kSmall, {.batch = 6, .threads = threads});
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
  ImageLoader loader(paths, kSmall, {.batch = 2, .threads = 1});
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
    ImageLoader loader(paths, kSmall, {.batch = 2, .threads = 4});
    for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader.next());
  }
}

TEST(ImageLoader, HasNothingToGiveWithoutPaths) {
  ImageLoader loader({}, kSmall, {.batch = 2, .threads = 4});
  EXPECT_FALSE(loader.next());
}

TEST(ImageLoader, RefusesEmptyBatchesAndNoThreads) {
  EXPECT_THROW(ImageLoader({}, kSmall, {.batch = 0, .threads = 1}), Error);
  EXPECT_THROW(ImageLoader({}, kSmall, {.batch = 1, .threads = 0}), Error);
}

}  // namespace
}  // namespace tyto::apps
