#include "apps/images/image_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

[[noreturn]] void fail(const std::string& name, const std::string& why) {
  throw Error(ErrorKind::Format, fmt::format("{}: not an image ({})", name, why));
}

// Integers of either byte order. Reading past the end is Error{Format}: the file is truncated.
class Bytes {
 public:
  Bytes(std::span<const std::byte> file, const std::string& name, const char* format)
      : file_(file), name_(name), format_(format) {}

  size_t size() const { return file_.size(); }
  uint32_t u8(size_t at) const {
    if (at >= file_.size()) truncated();
    return std::to_integer<uint32_t>(file_[at]);
  }
  uint32_t be16(size_t at) const { return u8(at) << 8 | u8(at + 1); }
  uint32_t be32(size_t at) const { return be16(at) << 16 | be16(at + 2); }
  uint32_t le16(size_t at) const { return u8(at) | u8(at + 1) << 8; }
  uint32_t le32(size_t at) const { return le16(at) | le16(at + 2) << 16; }
  bool starts_with(std::string_view magic, size_t at = 0) const {
    return at + magic.size() <= file_.size() &&
           std::equal(magic.begin(), magic.end(), file_.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  }
  std::span<const std::byte> part(size_t at, size_t bytes) const {
    if (bytes > file_.size() || at > file_.size() - bytes) truncated();
    return file_.subspan(at, bytes);
  }

  [[noreturn]] void truncated() const {
    fail(name_, fmt::format("truncated {} at byte {}", format_, file_.size()));
  }
  [[noreturn]] void damaged(const std::string& what, size_t at) const {
    fail(name_, fmt::format("{} at byte {} of the {}", what, at, format_));
  }

 private:
  std::span<const std::byte> file_;
  const std::string& name_;
  const char* format_;
};

bool is_start_of_frame(uint32_t marker) {  // SOF0..SOF15 without DHT, JPG and DAC, which lie between them
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// The position of the next marker's code, from `at` on. In entropy-coded data FF 00 is a data byte and
// RST0..RST7 (D0..D7) belong to it; elsewhere libjpeg skips stray bytes likewise.
size_t next_jpeg_marker(const Bytes& file, size_t at) {
  for (;; ++at) {
    if (file.u8(at) != 0xFF) continue;
    while (file.u8(at) == 0xFF) ++at;  // fill bytes
    const uint32_t code = file.u8(at);
    if (code != 0 && !(code >= 0xD0 && code <= 0xD7)) return at;
  }
}

ImageHeader read_jpeg(const Bytes& file) {
  constexpr uint32_t end_of_image = 0xD9;
  ImageHeader header{.format = ImageFormat::Jpeg};
  for (size_t at = 2;;) {
    at = next_jpeg_marker(file, at);
    const uint32_t marker = file.u8(at);
    if (marker == end_of_image) break;
    const uint32_t length = file.be16(at + 1);
    if (length < 2) file.damaged("broken segment", at);
    if (is_start_of_frame(marker)) {
      header.height = file.be16(at + 4);
      header.width = file.be16(at + 6);
    }
    at += 1 + length;
  }
  return header;
}

uint32_t crc32(std::span<const std::byte> bytes) {
  static constexpr auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0xEDB88320u : 0);
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (const std::byte b : bytes) crc = crc >> 8 ^ table[(crc ^ std::to_integer<uint32_t>(b)) & 0xFF];
  return ~crc;
}

constexpr size_t kPngSignature = 8;
constexpr size_t kPngChunkFrame = 12;  // length, type and checksum

ImageHeader read_png(const Bytes& file) {
  if (!file.starts_with("IHDR", kPngSignature + 4)) file.damaged("no header", kPngSignature);
  for (size_t at = kPngSignature;;) {
    const size_t length = file.be32(at);
    const auto checked = file.part(at + 4, length + 4);
    if (crc32(checked) != file.be32(at + 8 + length)) file.damaged("wrong checksum of the chunk", at);
    if (file.starts_with("IEND", at + 4)) break;
    at += length + kPngChunkFrame;
  }
  return {.format = ImageFormat::Png, .width = file.be32(16), .height = file.be32(20)};
}

ImageHeader read_webp(const Bytes& file) {
  file.part(8, file.le32(4));
  ImageHeader header{.format = ImageFormat::WebP, .width = 1, .height = 1};
  if (file.starts_with("VP8X", 12)) {  // the others cannot declare more than 2^28 pixels
    header.width = 1 + (file.le16(24) | file.u8(26) << 16);
    header.height = 1 + (file.le16(27) | file.u8(29) << 16);
  }
  return header;
}

ImageHeader read_bmp(const Bytes& file) {
  constexpr uint32_t core_header = 12;  // OS/2, with 16-bit sizes
  if (file.le32(14) == core_header)
    return {.format = ImageFormat::Bmp, .width = file.le16(18), .height = file.le16(20)};
  const auto height = static_cast<int32_t>(file.le32(22));  // negative: stored top row first
  return {.format = ImageFormat::Bmp,
          .width = static_cast<int32_t>(file.le32(18)),
          .height = std::abs(static_cast<int64_t>(height))};
}

// The width and height among the tags of the first directory.
ImageHeader read_tiff(const Bytes& file) {
  constexpr uint32_t width_tag = 256, height_tag = 257, type_short = 3;
  const bool little = file.starts_with("II");
  const auto u16 = [&](size_t at) { return little ? file.le16(at) : file.be16(at); };
  const auto u32 = [&](size_t at) { return little ? file.le32(at) : file.be32(at); };
  ImageHeader header{.format = ImageFormat::Tiff};
  const size_t directory = u32(4);
  const size_t entries = u16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    const uint32_t value = u16(entry + 2) == type_short ? u16(entry + 8) : u32(entry + 8);
    if (u16(entry) == width_tag) header.width = value;
    if (u16(entry) == height_tag) header.height = value;
  }
  return header;
}

// P1..P6: width and height are decimal, between white space and comments.
ImageHeader read_pnm(const Bytes& file) {
  size_t at = 2;
  const auto number = [&] {
    while (std::isspace(static_cast<int>(file.u8(at))) || file.u8(at) == '#') {
      if (file.u8(at) == '#')
        while (file.u8(at) != '\n') ++at;
      ++at;
    }
    int64_t value = 0;
    for (; std::isdigit(static_cast<int>(file.u8(at))); ++at)
      value = std::min(value * 10 + (file.u8(at) - '0'), kMaxPixels + 1);
    return value;
  };
  ImageHeader header{.format = ImageFormat::Pnm};
  header.width = number();
  header.height = number();
  return header;
}

ImageHeader read_any(std::span<const std::byte> bytes, const std::string& name) {
  const auto as = [&](const char* format) { return Bytes(bytes, name, format); };
  const Bytes file = as("file");
  if (file.starts_with("\xFF\xD8\xFF")) return read_jpeg(as("JPEG"));
  if (file.starts_with("\x89PNG\r\n\x1A\n")) return read_png(as("PNG"));
  if (file.starts_with("RIFF") && file.starts_with("WEBP", 8)) return read_webp(as("WebP"));
  if (file.starts_with("BM")) return read_bmp(as("BMP"));
  if (file.starts_with({"II*\0", 4}) || file.starts_with({"MM\0*", 4})) return read_tiff(as("TIFF"));
  if (file.size() > 2 && file.u8(0) == 'P' && file.u8(1) >= '1' && file.u8(1) <= '6' &&
      std::isspace(static_cast<int>(file.u8(2))))
    return read_pnm(as("PNM"));
  fail(name, bytes.empty() ? "the file is empty" : "none of JPEG, PNG, WebP, BMP, TIFF and PNM");
}

}  // namespace

ImageHeader read_image_header(std::span<const std::byte> file, const std::string& name) {
  const ImageHeader header = read_any(file, name);
  if (header.width < 1 || header.height < 1) fail(name, "it declares no pixels");
  if (header.width > kMaxPixels / header.height)
    fail(name,
         fmt::format("it declares {} x {} pixels; the limit is {}", header.width, header.height, kMaxPixels));
  return header;
}

std::vector<std::byte> essential_png(std::span<const std::byte> file) {
  static constexpr std::string_view kept[] = {"IHDR", "PLTE", "tRNS", "IDAT", "IEND", "eXIf"};
  const Bytes bytes(file, "", "PNG");
  std::vector<std::byte> out(file.begin(), file.begin() + kPngSignature);
  for (size_t at = kPngSignature; at < file.size();) {
    const auto chunk = bytes.part(at, bytes.be32(at) + kPngChunkFrame);
    const auto is_this = [&](std::string_view type) { return bytes.starts_with(type, at + 4); };
    if (std::any_of(std::begin(kept), std::end(kept), is_this))
      out.insert(out.end(), chunk.begin(), chunk.end());
    if (is_this("IEND")) break;
    at += chunk.size();
  }
  return out;
}

}  // namespace tyto::apps
