#include "apps/images/formats/bmp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "apps/images/formats/palette.h"

namespace tyto::apps {
namespace {

enum Compression : uint32_t { Raw = 0, RunLengths8 = 1, RunLengths4 = 2, Masks = 3, Jpeg = 4, Png = 5 };

using ChannelMasks = std::array<uint32_t, 4>;  // red, green, blue, alpha

struct Header {
  size_t start = 0, bytes = 0;  // of the header in the file
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0;  // a pixel
  uint32_t compression = Raw;
  uint32_t colours = 0;  // in the palette
  size_t colour_bytes = 4;
  ChannelMasks masks{};

  size_t palette() const {  // where it begins: masks may stand between
    return start + bytes + (compression == Masks && bytes == 40 ? 12 : 0);
  }
  size_t row_bytes() const { return (static_cast<size_t>(width) * bits + 31) / 32 * 4; }
};

bool is_header_size(uint32_t bytes) {  // OS/2, Windows, with masks, with alpha, OS/2 2, version 4, version 5
  return bytes == 12 || bytes == 40 || bytes == 52 || bytes == 56 || bytes == 64 || bytes == 108 ||
         bytes == 124;
}

ChannelMasks read_masks(const ImageFile& file, const Header& header) {
  if (header.compression != Masks) {
    if (header.bits == 16) return {0x7C00, 0x3E0, 0x1F, 0};
    return {0xFF0000, 0xFF00, 0xFF, 0};
  }
  ChannelMasks masks{};
  for (size_t c = 0; c < (header.bytes >= 56 ? 4 : 3); ++c) masks[c] = file.le32(header.start + 40 + 4 * c);
  static constexpr ChannelMasks of_16_and_24_bits[] = {
      {0xF800, 0x7E0, 0x1F}, {0x7C00, 0x3E0, 0x1F}, {0xFF0000, 0xFF00, 0xFF}};
  static constexpr ChannelMasks of_32_bits[] = {
      {0xFF0000, 0xFF00, 0xFF, 0},          {0xFF000000, 0xFF0000, 0xFF00, 0},
      {0xFF000000, 0xFF0000, 0xFF00, 0xFF}, {0xFF, 0xFF00, 0xFF0000, 0xFF000000},
      {0xFF0000, 0xFF00, 0xFF, 0xFF000000}, {0, 0, 0, 0}};
  bool known = false;
  if (header.bits == 32) known = std::ranges::find(of_32_bits, masks) != std::end(of_32_bits);
  if (header.bits == 16 || header.bits == 24) {
    masks[3] = 0;
    const auto* found = std::ranges::find(of_16_and_24_bits, masks);
    known = found != std::end(of_16_and_24_bits) && (found == &of_16_and_24_bits[2]) == (header.bits == 24);
  }
  if (!known)
    file.refuse(fmt::format("a BMP of {} bits a pixel with the masks {:x}, {:x}, {:x} and {:x}", header.bits,
                            masks[0], masks[1], masks[2], masks[3]));
  if (masks == ChannelMasks{}) return {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
  return masks;
}

Header read_header(const ImageFile& file, size_t start) {
  Header header{.start = start, .bytes = file.le32(start)};
  if (!is_header_size(file.le32(start)))
    file.refuse(fmt::format("a BMP with a header of {} bytes", header.bytes));
  if (header.bytes == 12) {
    header.width = file.le16(start + 4);
    header.height = file.le16(start + 6);
    header.bits = file.le16(start + 10);
    header.colour_bytes = 3;
  } else {
    header.width = file.le32(start + 4);
    const uint32_t height = file.le32(start + 8);
    header.top_down = height >> 24 == 0xFF;  // a negative height
    header.height = header.top_down ? uint32_t{0} - height : height;
    header.bits = file.le16(start + 14);
    header.compression = file.le32(start + 16);
    header.colours = file.le32(start + 32);
  }
  static constexpr uint32_t depths[] = {1, 4, 8, 16, 24, 32};
  if (std::ranges::find(depths, header.bits) == std::end(depths))
    file.refuse(fmt::format("a BMP of {} bits a pixel", header.bits));
  if (header.compression == Jpeg || header.compression == Png)
    file.refuse(fmt::format("a BMP that holds a {}", header.compression == Jpeg ? "JPEG" : "PNG"));
  if (header.compression > Png || (header.compression == RunLengths8 && header.bits != 8) ||
      (header.compression == RunLengths4 && header.bits != 4))
    file.refuse(
        fmt::format("a BMP of {} bits a pixel, compressed in way {}", header.bits, header.compression));
  if (header.colours == 0 && header.bits <= 8) header.colours = 1u << header.bits;
  header.masks = read_masks(file, header);
  return header;
}

// Where the pixels begin. `declared`: by the file header, or 0.
size_t data_start(const Header& header, size_t declared) {
  const size_t palette_bytes = header.bits <= 8 ? header.colour_bytes * header.colours : 0;
  if (declared == 0) return header.palette() + palette_bytes;
  // Some programs leave the palette out of account.
  if (declared == header.start + header.bytes && header.bits <= 8)
    return declared + size_t{4} * header.colours;
  return declared;
}

Palette read_palette(const ImageFile& file, const Header& header) {
  Palette palette;
  for (size_t i = 0; i < std::min<size_t>(header.colours, 256); ++i) {
    const auto bgr = file.part(header.palette() + header.colour_bytes * i, 3);
    palette.set(i, bgr[2], bgr[1], bgr[0]);
  }
  return palette;
}

// One byte a pixel, in the file's order of rows; 0 where the code skips.
std::vector<uint8_t> expand_run_lengths(const ImageFile& file, const Header& header, size_t at) {
  enum Escape : uint32_t { EndOfLine = 0, EndOfBitmap = 1, Skip = 2 };
  const size_t width = static_cast<size_t>(header.width), size = width * static_cast<size_t>(header.height);
  const bool half_bytes = header.compression == RunLengths4;
  std::vector<uint8_t> pixels;
  pixels.reserve(size);
  const auto add = [&](size_t count, auto value_of) {
    for (size_t i = 0; i < count && pixels.size() < size; ++i) pixels.push_back(value_of(i));
  };
  const auto skip = [&](size_t count) {
    pixels.resize(pixels.size() + std::min(count, size - pixels.size()));
  };
  size_t x = 0;
  while (pixels.size() < size) {
    const uint32_t count = file.u8(at), value = file.u8(at + 1);
    at += 2;
    if (count > 0) {  // a run, which ends with its row
      const size_t fitting = std::min<size_t>(count, width - std::min(x, width));
      add(fitting, [&](size_t i) {
        return static_cast<uint8_t>(!half_bytes ? value : i % 2 == 0 ? value >> 4 : value & 15);
      });
      x += fitting;
    } else if (value == EndOfLine) {
      skip((width - pixels.size() % width) % width);
      x = 0;
    } else if (value == EndOfBitmap) {
      file.refuse("a BMP whose run lengths end before its pixels");
    } else if (value == Skip) {
      skip(file.u8(at) + size_t{file.u8(at + 1)} * width);
      at += 2;
      x = pixels.size() % width;
    } else {  // as many pixels one by one, up to an even byte of the file
      const auto bytes = file.part(at, half_bytes ? (value + 1) / 2 : value);
      add(value, [&](size_t i) { return packed_sample(bytes.data(), i, half_bytes ? 4 : 8); });
      at += bytes.size();
      at += at % 2;
      x += value;
    }
  }
  return pixels;
}

// A channel of a pixel, spread over 0..255.
uint8_t channel(uint32_t pixel, uint32_t mask) {
  const uint32_t value = (pixel & mask) >> std::countr_zero(mask), most = mask >> std::countr_zero(mask);
  return static_cast<uint8_t>(most == 255 ? value : value * 255 / most);
}

Image decode(const ImageFile& file, size_t header_start, size_t declared_data) {
  const Header header = read_header(file, header_start);
  file.check_size(header.width, header.height);
  const size_t width = static_cast<size_t>(header.width), height = static_cast<size_t>(header.height);
  const size_t start = data_start(header, declared_data);
  size_t row_bytes = header.row_bytes();
  uint32_t bits = header.bits;
  std::vector<uint8_t> expanded;
  const uint8_t* rows = nullptr;
  if (header.compression == RunLengths8 || header.compression == RunLengths4) {
    expanded = expand_run_lengths(file, header, start);
    rows = expanded.data();
    row_bytes = width;
    bits = 8;
  } else {  // the last row may lack its padding
    rows = file.part(start, row_bytes * (height - 1) + (width * bits + 7) / 8).data();
  }
  Image image = file.new_image(header.width, header.height);
  const Palette palette = bits <= 8 ? read_palette(file, header) : Palette();
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* row = rows + row_bytes * (header.top_down ? y : height - 1 - y);
    uint8_t* rgb = image.rgb.data() + 3 * width * y;
    for (size_t x = 0; x < width; ++x, rgb += 3) {
      if (bits <= 8) {
        palette.paint(packed_sample(row, x, bits), rgb);
        continue;
      }
      uint32_t pixel = 0;
      for (uint32_t byte = 0; byte < bits / 8; ++byte) pixel |= uint32_t{*row++} << 8 * byte;
      for (size_t c = 0; c < 3; ++c) rgb[c] = channel(pixel, header.masks[c]);
    }
  }
  return image;
}

constexpr size_t kFileHeader = 14;

}  // namespace

bool is_bmp(const ImageFile& file) { return file.has("BM"); }

bool is_dib(const ImageFile& file) {
  constexpr size_t planes = 12;  // always 1
  return file.size() > 16 && file.le32(0) >= 40 && is_header_size(file.le32(0)) && file.le16(planes) == 1;
}

Image decode_bmp(const ImageFile& file) {
  return is_bmp(file) ? decode(file, kFileHeader, file.le32(10)) : decode(file, 0, 0);
}

}  // namespace tyto::apps
