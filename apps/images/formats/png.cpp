#include "apps/images/formats/png.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "apps/images/formats/palette.h"

namespace tyto::apps {
namespace {

constexpr size_t kSignature = 8;
constexpr size_t kFrame = 12;  // of a chunk: length and type before the data, checksum behind it

enum ColourType : uint32_t { Grey = 0, Rgb = 2, Indexed = 3, GreyAlpha = 4, Rgba = 6 };

struct Chunk {
  size_t at = 0;      // of its length
  size_t length = 0;  // of its data
  bool is(const ImageFile& file, std::string_view type) const { return file.has(type, at + 4); }
  size_t data() const { return at + 8; }
  size_t next() const { return at + length + kFrame; }
};

Chunk chunk_at(const ImageFile& file, size_t at) { return {at, file.be32(at)}; }

struct Header {
  int64_t width = 0, height = 0;
  uint32_t depth = 0;  // bits a sample
  uint32_t type = Grey;
  bool interlaced = false;

  size_t channels() const { return type == Rgb ? 3 : type == Rgba ? 4 : type == GreyAlpha ? 2 : 1; }
  size_t pixel_bits() const { return channels() * depth; }
  size_t row_bytes(size_t pixels) const { return (pixels * pixel_bits() + 7) / 8; }
};

Header read_header(const ImageFile& file) {
  const Chunk chunk = chunk_at(file, kSignature);
  if (!chunk.is(file, "IHDR") || chunk.length < 13) file.refuse("a PNG without a header");
  const size_t at = chunk.data();
  Header header{file.be32(at), file.be32(at + 4), file.u8(at + 8), file.u8(at + 9), file.u8(at + 12) != 0};
  const uint32_t d = header.depth;
  const bool byte = d == 8 || d == 16, part = d == 1 || d == 2 || d == 4;
  const bool known = header.type == Grey ? byte || part
                     : header.type == Indexed
                         ? part || d == 8
                         : (header.type == Rgb || header.type == GreyAlpha || header.type == Rgba) && byte;
  if (!known) file.refuse(fmt::format("a PNG of colour type {} and {} bits", header.type, header.depth));
  if (file.u8(at + 11) != 0) file.refuse(fmt::format("a PNG with filters of kind {}", file.u8(at + 11)));
  return header;
}

// The chunks up to the image data, checked; returns the first chunk of data.
Chunk read_to_data(const ImageFile& file, Palette& palette) {
  for (Chunk chunk = chunk_at(file, kSignature);; chunk = chunk_at(file, chunk.next())) {
    if (chunk.is(file, "IDAT")) return chunk;
    if (chunk.is(file, "IEND")) file.refuse("a PNG without image data");
    const auto checked = file.part(chunk.at + 4, chunk.length + 4);
    if (crc32(0, checked.data(), static_cast<uInt>(checked.size())) != file.be32(chunk.next() - 4))
      file.refuse(fmt::format("wrong checksum of the chunk at byte {} of the PNG", chunk.at));
    if (chunk.is(file, "PLTE"))
      for (size_t i = 0; i < std::min<size_t>(chunk.length / 3, 256); ++i)
        palette.set(i, checked[4 + 3 * i], checked[5 + 3 * i], checked[6 + 3 * i]);
  }
}

// The inflated contents of a run of IDAT chunks.
class Data {
 public:
  Data(const ImageFile& file, Chunk first) : file_(file), chunk_(first) {
    if (inflateInit(&zlib_) != Z_OK) throw std::bad_alloc();
    open_chunk();
  }
  ~Data() { inflateEnd(&zlib_); }
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;

  void read(std::span<uint8_t> out) {
    zlib_.next_out = out.data();
    zlib_.avail_out = static_cast<uInt>(out.size());
    while (zlib_.avail_out > 0) {
      if (zlib_.avail_in == 0) next_chunk();
      const int status = inflate(&zlib_, Z_NO_FLUSH);
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status == Z_STREAM_END && zlib_.avail_out > 0) file_.refuse("a PNG with too little image data");
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        file_.refuse(
            fmt::format("a PNG whose data is damaged: {}", zlib_.msg ? zlib_.msg : "no zlib stream"));
    }
  }

 private:
  void open_chunk() {
    const size_t there = std::min(chunk_.length, file_.size() - std::min(chunk_.data(), file_.size()));
    zlib_.next_in = const_cast<uint8_t*>(file_.data()) + std::min(chunk_.data(), file_.size());
    zlib_.avail_in = static_cast<uInt>(there);
  }
  void next_chunk() {
    chunk_ = chunk_at(file_, chunk_.next());
    if (!chunk_.is(file_, "IDAT")) file_.refuse("a PNG with too little image data");
    open_chunk();
  }

  const ImageFile& file_;
  Chunk chunk_;
  z_stream zlib_{};
};

// `row` becomes what it was before it was filtered; `above` is the row before it, unfiltered, or zeros. `pixel`: bytes
// from a sample to the same one of the pixel before.
template <size_t pixel>
void unfilter_with(uint32_t filter, std::span<uint8_t> row, const uint8_t* above) {
  const size_t n = row.size();
  const size_t first = std::min(pixel, n);
  if (filter == 1) {
    for (size_t i = first; i < n; ++i) row[i] = static_cast<uint8_t>(row[i] + row[i - pixel]);
  } else if (filter == 2) {
    for (size_t i = 0; i < n; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i]);
  } else if (filter == 3) {
    for (size_t i = 0; i < first; ++i) row[i] = static_cast<uint8_t>(row[i] + above[i] / 2);
    for (size_t i = first; i < n; ++i)
      row[i] = static_cast<uint8_t>(row[i] + (row[i - pixel] + above[i]) / 2);
  } else if (filter == 4) {
    std::array<int, pixel> left{}, corner{};
    for (size_t i = 0; i < n; i += pixel)
      for (size_t c = 0; c < pixel; ++c) {
        const int a = left[c], b = above[i + c], d = corner[c];
        const int to_a = std::abs(b - d), to_b = std::abs(a - d), to_d = std::abs(a + b - 2 * d);
        const int nearest_of_two = to_b <= to_d ? b : d;
        left[c] = row[i + c] =
            static_cast<uint8_t>(row[i + c] + (to_a <= to_b && to_a <= to_d ? a : nearest_of_two));
        corner[c] = b;
      }
  }
}

void unfilter(const ImageFile& file, uint32_t filter, std::span<uint8_t> row, const uint8_t* above,
              size_t pixel) {
  if (filter > 4) file.refuse(fmt::format("a PNG with a row filtered in way {}", filter));
  switch (pixel) {
    case 1:
      return unfilter_with<1>(filter, row, above);
    case 2:
      return unfilter_with<2>(filter, row, above);
    case 3:
      return unfilter_with<3>(filter, row, above);
    case 4:
      return unfilter_with<4>(filter, row, above);
    case 6:
      return unfilter_with<6>(filter, row, above);
    default:
      return unfilter_with<8>(filter, row, above);
  }
}

// A row's pixels to `rgb`, each `step` pixels on.
void put_row(const Header& header, const Palette& palette, const uint8_t* row, size_t width, uint8_t* rgb,
             size_t step) {
  if (header.type == Rgb && header.depth == 8 && step == 1) {
    std::memcpy(rgb, row, 3 * width);
    return;
  }
  const size_t sample = header.depth / 8, channels = header.channels();
  const bool coloured = header.type == Rgb || header.type == Rgba;
  for (size_t x = 0; x < width; ++x, rgb += 3 * step) {
    if (header.depth < 8 || header.type == Indexed) {
      const uint8_t value = packed_sample(row, x, header.depth);
      if (header.type == Indexed)
        palette.paint(value, rgb);
      else
        std::fill_n(rgb, 3, static_cast<uint8_t>(value * 255 / ((1 << header.depth) - 1)));
      continue;
    }
    for (size_t c = 0; c < 3; ++c) rgb[c] = row[(x * channels + (coloured ? c : 0)) * sample];
  }
}

// The pixels x = first_x, first_x + step_x, ... of the rows y = first_y, first_y + step_y, ...
struct Pass {
  size_t first_x = 0, first_y = 0, step_x = 1, step_y = 1;
};

void read_pass(const ImageFile& file, const Header& header, const Palette& palette, const Pass& pass,
               Data& data, Image& image) {
  const size_t width = (static_cast<size_t>(image.width) + pass.step_x - 1 - pass.first_x) / pass.step_x;
  if (width == 0) return;
  const size_t row_bytes = header.row_bytes(width), pixel = std::max<size_t>(header.pixel_bits() / 8, 1);
  std::vector<uint8_t> row(1 + row_bytes), above(1 + row_bytes);  // the filter stands before the row
  for (size_t y = pass.first_y; y < static_cast<size_t>(image.height); y += pass.step_y) {
    data.read(row);
    unfilter(file, row[0], std::span(row).subspan(1), above.data() + 1, pixel);
    uint8_t* rgb = image.rgb.data() + 3 * (y * static_cast<size_t>(image.width) + pass.first_x);
    put_row(header, palette, row.data() + 1, width, rgb, pass.step_x);
    row.swap(above);
  }
}

}  // namespace

bool is_png(const ImageFile& file) { return file.has("\x89PNG\r\n\x1A\n"); }

Image decode_png(const ImageFile& file) {
  static constexpr Pass adam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                   {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  static constexpr Pass whole[] = {{}};
  const Header header = read_header(file);
  Palette palette;
  Data data(file, read_to_data(file, palette));
  Image image = file.new_image(header.width, header.height);
  const std::span<const Pass> passes =
      header.interlaced ? std::span<const Pass>(adam7) : std::span<const Pass>(whole);
  for (const Pass& pass : passes) read_pass(file, header, palette, pass, data, image);
  return image;
}

std::span<const uint8_t> png_exif(const ImageFile& file) {
  for (size_t at = kSignature; at + 8 <= file.size();) {
    const Chunk chunk = chunk_at(file, at);
    if (chunk.length > file.size() - chunk.data()) break;
    if (chunk.is(file, "eXIf")) return file.part(chunk.data(), chunk.length);
    at = chunk.next();
  }
  return {};
}

}  // namespace tyto::apps
