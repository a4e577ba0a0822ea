#include "apps/images/encode.h"

#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "apps/images/folder.h"
#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

// Noise that is smooth in places, so that encoders have runs to find.
cv::Mat picture(int width, int height, int channels) {
  cv::Mat noise(height, width, CV_8UC(channels));
  cv::RNG random(static_cast<uint64_t>(width * 31 + channels));
  random.fill(noise, cv::RNG::UNIFORM, 0, 256);
  noise(cv::Rect(0, 0, (width + 1) / 2, height)).setTo(cv::Scalar(10, 200, 90, 128));
  return noise;
}

std::vector<uint8_t> bytes_of(const std::filesystem::path& path) {
  const std::string text = read_bytes(path, 64 << 20);
  return {text.begin(), text.end()};
}

TEST(EncodeTest, JpegIsOpenCvsByteForByte) {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair{1, 1}, {17, 9}, {64, 48}, {3, 131}})
    for (const int quality : {1, 85, 100}) {
      const cv::Mat bgr = picture(width, height, 3);
      std::vector<uint8_t> expected;
      cv::imencode(".jpg", bgr, expected, {cv::IMWRITE_JPEG_QUALITY, quality});
      write_jpeg(folder.path() / "a.jpg", bgr, quality);
      EXPECT_EQ(bytes_of(folder.path() / "a.jpg"), expected) << width << " x " << height << " at " << quality;
    }
}

TEST(EncodeTest, PngIsOpenCvsByteForByte) {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair{1, 1}, {17, 9}, {640, 480}, {3, 131}})
    for (const int channels : {1, 3, 4}) {
      const cv::Mat all = picture(width, height, channels);
      std::vector<uint8_t> expected;
      cv::imencode(".png", all, expected);
      write_png(folder.path() / "a.png", all);
      EXPECT_EQ(bytes_of(folder.path() / "a.png"), expected) << width << " x " << height << " x " << channels;
    }
}

TEST(EncodeTest, APartOfAPictureIsWrittenByItsOwnRows) {
  const TemporaryFolder folder;
  const cv::Mat part = picture(40, 30, 3)(cv::Rect(5, 7, 13, 11));
  write_png(folder.path() / "part.png", part);
  write_png(folder.path() / "copy.png", part.clone());
  EXPECT_EQ(bytes_of(folder.path() / "part.png"), bytes_of(folder.path() / "copy.png"));
}

TEST(EncodeTest, AJpegBeyondItsFormatsSideIsShrunk) {
  const TemporaryFolder folder;
  write_jpeg(folder.path() / "long.jpg", picture(70000, 2, 3), 50);
  EXPECT_EQ(cv::imread((folder.path() / "long.jpg").string()).size(), cv::Size(65500, 1));
}

TEST(EncodeTest, APictureWithoutPixelsIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  for (const auto& write :
       {+[](const std::filesystem::path& p) { write_jpeg(p, cv::Mat(0, 5, CV_8UC3), 90); },
        +[](const std::filesystem::path& p) { write_png(p, cv::Mat(0, 5, CV_8UC3)); }}) {
    try {
      write(folder.path() / "none");
      FAIL();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("none: a picture of 5 x 0 cannot be written: "),
                std::string::npos)
          << error.what();
    }
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "none"));
  }
}

}  // namespace
}  // namespace tyto::apps
