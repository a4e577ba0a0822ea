#include "apps/images/formats/gif.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "apps/images/formats/palette.h"

namespace tyto::apps {
namespace {

constexpr unsigned kMaxCodeBits = 12;
constexpr size_t kCodes = size_t{1} << kMaxCodeBits;

struct Frame {
  size_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  size_t data = 0;  // where its compressed pixels begin: with the width of a code
};

struct Gif {
  size_t width = 0, height = 0;
  Palette palette;
  uint8_t background = 0;  // what surrounds the frame
  Frame frame;
};

// Reads a palette if the flags say so; returns where what follows begins.
size_t read_palette(const ImageFile& file, size_t at, uint32_t flags, Palette& palette) {
  if (!(flags & 0x80)) return at;
  const size_t colours = size_t{2} << (flags & 7);
  const auto rgb = file.part(at, 3 * colours);
  palette = Palette();
  for (size_t i = 0; i < colours; ++i) palette.set(i, rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]);
  return at + 3 * colours;
}

Gif read_to_frame(const ImageFile& file) {
  constexpr uint32_t extension = '!', image = ',', end = ';', graphic_control = 0xF9;
  Gif gif{.width = file.le16(6), .height = file.le16(8)};
  for (size_t at = read_palette(file, 13, file.u8(10), gif.palette);;) {
    const uint32_t block = file.u8(at++);
    if (block == end) file.refuse("a GIF without a picture");
    if (block == extension) {
      if (file.u8(at++) == graphic_control && file.u8(at) >= 4 && (file.u8(at + 1) & 1))
        gif.background = static_cast<uint8_t>(file.u8(at + 4));
      while (const uint32_t bytes = file.u8(at)) at += 1 + bytes;
      ++at;
    }
    if (block == image) {
      gif.frame = {file.le16(at), file.le16(at + 2), file.le16(at + 4), file.le16(at + 6),
                   (file.u8(at + 8) & 0x40) != 0};
      gif.frame.data = read_palette(file, at + 9, file.u8(at + 8), gif.palette);
      gif.width = std::max(gif.width, gif.frame.left + gif.frame.width);
      gif.height = std::max(gif.height, gif.frame.top + gif.frame.height);
      return gif;
    }
  }
}

// The codes of a frame, whose bits run through blocks of up to 255 bytes.
class Codes {
 public:
  Codes(const ImageFile& file, size_t at) : file_(file), at_(at) {}

  uint32_t next(unsigned bits) {
    for (; count_ < bits; count_ += 8) {
      if (left_ == 0) left_ = file_.u8(at_++);
      if (left_ == 0) file_.refuse("a GIF with too little image data");
      held_ |= file_.u8(at_++) << count_;
      --left_;
    }
    const uint32_t code = held_ & ((1u << bits) - 1);
    held_ >>= bits;
    count_ -= bits;
    return code;
  }

 private:
  const ImageFile& file_;
  size_t at_;
  uint32_t left_ = 0;  // bytes of the block
  uint32_t held_ = 0;  // bits, the next one lowest
  unsigned count_ = 0;
};

// LZW: `count` colour indices.
std::vector<uint8_t> read_pixels(const ImageFile& file, size_t at, size_t count) {
  const uint32_t first_bits = file.u8(at);
  if (first_bits >= kMaxCodeBits) file.refuse(fmt::format("a GIF with codes of {} bits", first_bits));
  const uint32_t clear = 1u << first_bits, end = clear + 1;
  // A code stands for the string of the code `prefix` and the byte `last`.
  std::array<uint16_t, kCodes> prefix{};
  std::array<uint8_t, kCodes> last{};
  std::array<uint8_t, kCodes + 1> text{};  // of a code, backwards
  Codes codes(file, at + 1);
  std::vector<uint8_t> pixels;
  pixels.reserve(count);
  constexpr uint32_t none = kCodes;
  uint32_t before = none, free = clear + 2;
  unsigned bits = first_bits + 1;
  uint8_t first = 0;  // byte of the string before
  while (pixels.size() < count) {
    const uint32_t code = codes.next(bits);
    if (code == clear) {
      before = none;
      free = clear + 2;
      bits = first_bits + 1;
      continue;
    }
    if (code == end) file.refuse("a GIF with too little image data");
    if (code > (before == none ? clear : free)) file.refuse("a GIF with a code that no code precedes");
    size_t length = 0;
    uint32_t c = code;
    if (before != none && code == free) {  // the string being defined: the one before and its own first byte
      text[length++] = first;
      c = before;
    }
    for (; c >= clear; c = prefix[c]) text[length++] = last[c];
    text[length++] = first = static_cast<uint8_t>(c);
    if (before != none && free < kCodes) {
      prefix[free] = static_cast<uint16_t>(before);
      last[free] = first;
      if (++free == 1u << bits && bits < kMaxCodeBits) ++bits;
    }
    before = code;
    for (size_t i = length; i-- > 0 && pixels.size() < count;) pixels.push_back(text[i]);
  }
  return pixels;
}

// Where the rows lie that follow one another in the file.
std::vector<size_t> row_order(size_t height, bool interlaced) {
  std::vector<size_t> order;
  const auto add = [&](size_t first, size_t step) {
    for (size_t y = first; y < height; y += step) order.push_back(y);
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
  const Gif gif = read_to_frame(file);
  const Frame& frame = gif.frame;
  const auto check = [&](size_t width, size_t height) {
    file.check_size(static_cast<int64_t>(width), static_cast<int64_t>(height));
  };
  check(frame.width, frame.height);
  check(gif.width, gif.height);
  const std::vector<uint8_t> pixels = read_pixels(file, frame.data, frame.width * frame.height);
  Image image = file.new_image(static_cast<int64_t>(gif.width), static_cast<int64_t>(gif.height));
  if (frame.width < gif.width || frame.height < gif.height)
    for (size_t i = 0; i < image.rgb.size(); i += 3) gif.palette.paint(gif.background, image.rgb.data() + i);
  const uint8_t* pixel = pixels.data();
  for (const size_t y : row_order(frame.height, frame.interlaced)) {
    uint8_t* rgb = image.rgb.data() + 3 * ((frame.top + y) * gif.width + frame.left);
    for (size_t x = 0; x < frame.width; ++x, rgb += 3) gif.palette.paint(*pixel++, rgb);
  }
  return image;
}

}  // namespace tyto::apps
