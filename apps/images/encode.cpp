#include "apps/images/encode.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <opencv2/imgproc.hpp>
#include <vector>

#include <jpeglib.h>  // after <cstdio>, whose FILE it needs

#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

// Both write what OpenCV's own encoders, which stand on the same libraries, make of a picture. The libraries
// report by long jumps. They end in encode(), whose variables need no destructor.
class JpegWriter {
 public:
  JpegWriter() = default;
  ~JpegWriter() {
    jpeg_destroy_compress(&jpeg_);
    std::free(bytes_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  bool encode(const cv::Mat& bgr, int quality);
  const uint8_t* data() const { return bytes_; }
  size_t size() const { return size_; }
  const char* message() const { return message_.data(); }

 private:
  jpeg_compress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf failed_{};
  std::array<char, JMSG_LENGTH_MAX> message_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};

bool JpegWriter::encode(const cv::Mat& bgr, int quality) {
  jpeg_.err = jpeg_std_error(&errors_);
  jpeg_.client_data = this;
  errors_.error_exit = [](j_common_ptr jpeg) {
    auto& writer = *static_cast<JpegWriter*>(jpeg->client_data);
    jpeg->err->format_message(jpeg, writer.message_.data());
    std::longjmp(writer.failed_, 1);
  };
  errors_.output_message = [](j_common_ptr) {};
  if (setjmp(failed_)) return false;
  jpeg_create_compress(&jpeg_);
  jpeg_mem_dest(&jpeg_, &bytes_, &size_);
  jpeg_.image_width = static_cast<JDIMENSION>(bgr.cols);
  jpeg_.image_height = static_cast<JDIMENSION>(bgr.rows);
  jpeg_.input_components = 3;
  jpeg_.in_color_space = JCS_EXT_BGR;
  jpeg_set_defaults(&jpeg_);
  jpeg_set_quality(&jpeg_, quality, TRUE);
  jpeg_start_compress(&jpeg_, TRUE);
  while (jpeg_.next_scanline < jpeg_.image_height) {
    auto* row = const_cast<uint8_t*>(bgr.ptr(static_cast<int>(jpeg_.next_scanline)));
    jpeg_write_scanlines(&jpeg_, &row, 1);
  }
  jpeg_finish_compress(&jpeg_);
  return true;
}

class PngWriter {
 public:
  PngWriter() = default;
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  bool encode(const cv::Mat& picture);
  const uint8_t* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  const char* message() const { return message_.data(); }

 private:
  static PngWriter& of(png_structp png) { return *static_cast<PngWriter*>(png_get_error_ptr(png)); }
  void append(const uint8_t* bytes, size_t count);

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf failed_{};
  std::array<char, 128> message_{"out of memory"};
  std::vector<uint8_t> bytes_;
};

void PngWriter::append(const uint8_t* bytes, size_t count) {
  try {
    bytes_.insert(bytes_.end(), bytes, bytes + count);
    return;
  } catch (const std::bad_alloc&) {
  }
  png_error(png_, "out of memory");
}

bool PngWriter::encode(const cv::Mat& picture) {
  if (setjmp(failed_)) return false;
  png_ = png_create_write_struct(
      PNG_LIBPNG_VER_STRING, this,
      [](png_structp png, png_const_charp text) {
        PngWriter& writer = of(png);
        std::snprintf(writer.message_.data(), writer.message_.size(), "%s", text);
        std::longjmp(writer.failed_, 1);
      },
      [](png_structp, png_const_charp) {});
  if (png_) info_ = png_create_info_struct(png_);
  if (!info_) return false;
  png_set_write_fn(
      png_, this, [](png_structp png, png_bytep bytes, size_t count) { of(png).append(bytes, count); },
      [](png_structp) {});
  constexpr int kRunLengths = 3;  // zlib's Z_RLE
  png_set_filter(png_, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
  png_set_compression_level(png_, 1);
  png_set_compression_strategy(png_, kRunLengths);
  const int colors = picture.channels() == 1   ? PNG_COLOR_TYPE_GRAY
                     : picture.channels() == 3 ? PNG_COLOR_TYPE_RGB
                                               : PNG_COLOR_TYPE_RGBA;
  png_set_IHDR(png_, info_, static_cast<png_uint_32>(picture.cols), static_cast<png_uint_32>(picture.rows), 8,
               colors, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png_, info_);
  png_set_bgr(png_);
  for (int y = 0; y < picture.rows; ++y) png_write_row(png_, picture.ptr(y));
  png_write_end(png_, info_);
  return true;
}

template <typename Writer, typename... Options>
void write_encoded(const std::filesystem::path& path, const cv::Mat& picture, Options... options) {
  Writer writer;
  if (!writer.encode(picture, options...))
    throw Error(ErrorKind::File, fmt::format("{}: a picture of {} x {} cannot be written: {}", path.string(),
                                             picture.cols, picture.rows, writer.message()));
  AtomicFile file(path);
  file.write(writer.data(), writer.size());
  file.commit();
}

}  // namespace

cv::Mat to_bgr(const Image& image) {
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.rgb.data()));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  return bgr;
}

void write_jpeg(const std::filesystem::path& path, const cv::Mat& bgr, int quality) {
  constexpr int kMaxSide = 65500;
  if (const int side = std::max(bgr.cols, bgr.rows); side > kMaxSide) {
    const double scale = static_cast<double>(kMaxSide) / side;
    cv::Mat smaller;
    cv::resize(
        bgr, smaller,
        {std::max(1, static_cast<int>(bgr.cols * scale)), std::max(1, static_cast<int>(bgr.rows * scale))}, 0,
        0, cv::INTER_AREA);
    return write_jpeg(path, smaller, quality);
  }
  write_encoded<JpegWriter>(path, bgr, quality);
}

void write_png(const std::filesystem::path& path, const cv::Mat& picture) {
  write_encoded<PngWriter>(path, picture);
}

}  // namespace tyto::apps
