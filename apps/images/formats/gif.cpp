#include "apps/images/formats/gif.h"

#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <new>
#include <vector>

#include "apps/images/formats/palette.h"

namespace tyto::apps {
namespace {

// giflib over the bytes of a file.
class Reader {
 public:
  explicit Reader(const ImageFile& file);
  ~Reader() { DGifCloseFile(gif_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void find_frame();                   // the first one
  std::vector<uint8_t> read_pixels();  // its colour indices, the rows as they follow one another in the file

  const GifFileType& gif() const { return *gif_; }
  uint8_t background() const { return background_; }  // what surrounds the frame

 private:
  int read(GifByteType* out, size_t bytes);
  void read_extension();
  [[noreturn]] void refuse(int error) const;

  const ImageFile& file_;
  size_t at_ = 0;
  bool past_the_end_ = false;
  bool may_end_ = false;  // with what was read last
  GifFileType* gif_ = nullptr;
  uint8_t background_ = 0;
};

Reader::Reader(const ImageFile& file) : file_(file) {
  int error = D_GIF_SUCCEEDED;
  gif_ = DGifOpen(
      this,
      [](GifFileType* gif, GifByteType* out, int bytes) {
        return static_cast<Reader*>(gif->UserData)->read(out, static_cast<size_t>(bytes));
      },
      &error);
  if (!gif_) refuse(error);
}

// Behind the last pixel giflib wants the empty block that ends the data; a file may end without it.
int Reader::read(GifByteType* out, size_t bytes) {
  const size_t there = std::min(bytes, file_.size() - at_);
  std::copy_n(file_.data() + at_, there, out);
  at_ += there;
  if (there == bytes) return static_cast<int>(bytes);
  past_the_end_ = true;
  if (!may_end_ || bytes != 1) return static_cast<int>(there);
  *out = 0;
  return 1;
}

void Reader::find_frame() {
  GifRecordType record = UNDEFINED_RECORD_TYPE;
  while (record != IMAGE_DESC_RECORD_TYPE) {
    if (DGifGetRecordType(gif_, &record) == GIF_ERROR && gif_->Error != D_GIF_ERR_WRONG_RECORD)
      refuse(gif_->Error);
    if (record == TERMINATE_RECORD_TYPE) file_.refuse("a GIF without a picture");
    if (record == EXTENSION_RECORD_TYPE) read_extension();
  }
  if (DGifGetImageDesc(gif_) == GIF_ERROR) refuse(gif_->Error);
}

void Reader::read_extension() {
  int code = 0;
  GifByteType* block = nullptr;  // its length comes first
  int status = DGifGetExtension(gif_, &code, &block);
  if (status == GIF_OK && code == GRAPHICS_EXT_FUNC_CODE && block && block[0] >= 4 && (block[1] & 1))
    background_ = block[4];
  while (status == GIF_OK && block) status = DGifGetExtensionNext(gif_, &block);
  if (status == GIF_ERROR) refuse(gif_->Error);
}

std::vector<uint8_t> Reader::read_pixels() {
  const auto width = static_cast<size_t>(gif_->Image.Width);
  const auto height = static_cast<size_t>(gif_->Image.Height);
  std::vector<uint8_t> pixels;
  pixels.reserve(width * height);
  may_end_ = true;
  for (size_t y = 0; y < height; ++y) {
    pixels.resize(pixels.size() + width);
    if (DGifGetLine(gif_, pixels.data() + y * width, gif_->Image.Width) == GIF_ERROR) refuse(gif_->Error);
  }
  return pixels;
}

void Reader::refuse(int error) const {
  if (past_the_end_) file_.truncated();
  if (error == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
  if (error == D_GIF_ERR_READ_FAILED) file_.refuse("a GIF with codes of more than 8 bits");
  const char* reason = GifErrorString(error);
  file_.refuse(fmt::format("a GIF that cannot be decoded: {}", reason ? reason : "no reason is known"));
}

Palette palette_of(const GifFileType& gif) {
  Palette palette;
  const ColorMapObject* map = gif.Image.ColorMap ? gif.Image.ColorMap : gif.SColorMap;
  for (int i = 0; map && i < map->ColorCount; ++i) {
    const GifColorType& colour = map->Colors[i];
    palette.set(static_cast<size_t>(i), colour.Red, colour.Green, colour.Blue);
  }
  return palette;
}

// Where the rows lie that follow one another in the file.
std::vector<int> row_order(int height, bool interlaced) {
  std::vector<int> order;
  const auto add = [&](int first, int step) {
    for (int y = first; y < height; y += step) order.push_back(y);
  };
  if (interlaced) {
    add(0, 8);
    add(4, 8);
    add(2, 4);
    add(1, 2);
  } else {
    add(0, 1);
  }
  return order;
}

}  // namespace

bool is_gif(const ImageFile& file) { return file.has("GIF87a") || file.has("GIF89a"); }

Image decode_gif(const ImageFile& file) {
  Reader reader(file);
  reader.find_frame();
  const GifFileType& gif = reader.gif();
  const GifImageDesc& frame = gif.Image;
  const int width = std::max(gif.SWidth, frame.Left + frame.Width);
  const int height = std::max(gif.SHeight, frame.Top + frame.Height);
  file.check_size(frame.Width, frame.Height);
  file.check_size(width, height);
  const std::vector<uint8_t> pixels = reader.read_pixels();
  const Palette palette = palette_of(gif);
  Image image = file.new_image(width, height);
  if (frame.Width < width || frame.Height < height)
    for (size_t i = 0; i < image.rgb.size(); i += 3) palette.paint(reader.background(), image.rgb.data() + i);
  const uint8_t* pixel = pixels.data();
  for (const int y : row_order(frame.Height, frame.Interlace)) {
    uint8_t* rgb = image.rgb.data() + 3 * (size_t(frame.Top + y) * size_t(width) + size_t(frame.Left));
    for (int x = 0; x < frame.Width; ++x, rgb += 3) palette.paint(*pixel++, rgb);
  }
  return image;
}

}  // namespace tyto::apps
