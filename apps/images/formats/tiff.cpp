#include "apps/images/formats/tiff.h"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "apps/images/formats/cmyk.h"
#include "apps/images/formats/palette.h"
#include "apps/images/orientation.h"

namespace tyto::apps {
namespace {

constexpr int64_t kMaxBlockBytes = 4 * kMaxPixels;  // of a strip or tile

// What libtiff reads from, and where it complains.
struct Stream {
  const ImageFile& file;
  uint64_t at = 0;
  std::string complaint;  // the first, since it was cleared

  static Stream& of(thandle_t handle) { return *static_cast<Stream*>(handle); }
};

int complain(TIFF*, void* stream, const char*, const char* format, va_list arguments) {
  std::array<char, 256> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string& complaint = Stream::of(stream).complaint;
  if (complaint.empty()) complaint = text.data();
  return 1;  // nobody else needs to hear of it
}

int ignore(TIFF*, void*, const char*, const char*, va_list) { return 1; }

tmsize_t read(thandle_t handle, void* out, tmsize_t bytes) {
  Stream& stream = Stream::of(handle);
  const uint64_t left = stream.file.size() - std::min<uint64_t>(stream.at, stream.file.size());
  const size_t count =
      static_cast<size_t>(std::min<uint64_t>(left, static_cast<uint64_t>(std::max<tmsize_t>(bytes, 0))));
  if (count > 0) std::memcpy(out, stream.file.data() + stream.at, count);
  stream.at += count;
  return static_cast<tmsize_t>(count);
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  Stream& stream = Stream::of(handle);
  stream.at = offset + (whence == SEEK_CUR ? stream.at : whence == SEEK_END ? stream.file.size() : 0);
  return stream.at;
}

toff_t size(thandle_t handle) { return Stream::of(handle).file.size(); }

int map(thandle_t handle, void** base, toff_t* bytes) {
  *base = const_cast<uint8_t*>(Stream::of(handle).file.data());
  *bytes = Stream::of(handle).file.size();
  return 1;
}

using Tiff = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

Tiff open(Stream& stream) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxBlockBytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), complain, &stream);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore, nullptr);
  return {TIFFClientOpenExt(
              "", "r", &stream, read, [](thandle_t, void*, tmsize_t) { return tmsize_t{0}; }, seek,
              [](thandle_t) { return 0; }, size, map, [](thandle_t, void*, toff_t) {}, options.get()),
          TIFFClose};
}

template <class T>
T tag(const Tiff& tiff, uint32_t name, T otherwise) {
  T value{};
  return TIFFGetFieldDefaulted(tiff.get(), name, &value) ? value : otherwise;
}

struct Layout {
  uint32_t width = 0, height = 0;
  uint16_t photometric = 0, bits = 1, samples = 1, extra = 0;
  uint16_t compression = COMPRESSION_NONE, orientation = ORIENTATION_TOPLEFT;
  bool planes = false;            // each sample's values apart from the others'
  bool associated_alpha = false;  // the sample behind the colours is alpha, and they were multiplied with it

  int colours() const { return samples - extra; }
  bool is_grey() const {
    return photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
  }
};

Layout read_layout(const ImageFile& file, const Tiff& tiff) {
  Layout layout;
  layout.width = tag<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
  layout.height = tag<uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
  layout.compression = tag<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  layout.photometric = tag<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
  if (layout.compression == COMPRESSION_OJPEG) layout.photometric = PHOTOMETRIC_YCBCR;
  layout.bits = tag<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  layout.samples = tag<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  layout.orientation = tag<uint16_t>(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  layout.planes = layout.samples > 1 &&
                  tag<uint16_t>(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  uint16_t* kinds = nullptr;
  if (!TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_EXTRASAMPLES, &layout.extra, &kinds)) layout.extra = 0;
  layout.associated_alpha = layout.extra > 0 && kinds[0] == EXTRASAMPLE_ASSOCALPHA;
  file.check_size(layout.width, layout.height);
  return layout;
}

const char* name_of_colours(uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
      return "a grey (white is 0)";
    case PHOTOMETRIC_MINISBLACK:
      return "a grey";
    case PHOTOMETRIC_RGB:
      return "an RGB";
    case PHOTOMETRIC_PALETTE:
      return "an indexed";
    case PHOTOMETRIC_MASK:
      return "a mask";
    case PHOTOMETRIC_SEPARATED:
      return "a CMYK";
    case PHOTOMETRIC_YCBCR:
      return "a YCbCr";
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB:
      return "a CIE Lab";
    case PHOTOMETRIC_CFA:
      return "a raw sensor";
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV:
      return "a logarithmic";
    default:
      return "an unknown";
  }
}

const char* name_of_samples(uint16_t format) {
  switch (format) {
    case SAMPLEFORMAT_UINT:
      return "unsigned";
    case SAMPLEFORMAT_INT:
      return "signed";
    case SAMPLEFORMAT_IEEEFP:
      return "floating-point";
    case SAMPLEFORMAT_COMPLEXINT:
    case SAMPLEFORMAT_COMPLEXIEEEFP:
      return "complex";
    default:
      return "untyped";
  }
}

void check_layout(const ImageFile& file, const Tiff& tiff, const Layout& layout) {
  constexpr int most_samples = 6;  // as in PIL
  const uint16_t format = tag<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  const int bits = layout.bits, colours = layout.colours();
  const bool bytes = bits == 8 || bits == 16, part = bits == 1 || bits == 2 || bits == 4;
  bool known = false;
  switch (layout.photometric) {
    case PHOTOMETRIC_MINISWHITE:
      known = colours == 1 && (part || bits == 8) && !layout.associated_alpha;
      break;
    case PHOTOMETRIC_MINISBLACK:
      known = colours == 1 && (part || bytes) && !layout.associated_alpha;
      break;
    case PHOTOMETRIC_PALETTE:
      known = colours == 1 && (part || bits == 8) && !layout.associated_alpha;
      break;
    case PHOTOMETRIC_RGB:
      known = colours == 3 && bytes;
      break;
    case PHOTOMETRIC_SEPARATED:
      known = colours == 4 && bytes && !layout.associated_alpha;
      break;
    case PHOTOMETRIC_YCBCR:
      known = colours == 3 && bits == 8 && layout.extra == 0;
      break;
    default:
      break;
  }
  if (!known || format != SAMPLEFORMAT_UINT || layout.samples > most_samples)
    file.refuse(fmt::format("{} TIFF of {}-bit {} samples, {} a pixel; 8-bit grey or RGB would do",
                            name_of_colours(layout.photometric), bits, name_of_samples(format),
                            layout.samples));
}

Palette read_palette(const Tiff& tiff, const Layout& layout) {
  Palette palette;
  uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (layout.photometric == PHOTOMETRIC_PALETTE &&
      TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &red, &green, &blue))
    for (size_t i = 0; i < size_t{1} << layout.bits; ++i)
      palette.set(i, static_cast<uint8_t>(red[i] >> 8), static_cast<uint8_t>(green[i] >> 8),
                  static_cast<uint8_t>(blue[i] >> 8));
  return palette;
}

// A colour that was multiplied with alpha before, and is not any more.
uint8_t without_alpha(uint8_t value, uint8_t alpha) {
  return alpha == 0 ? uint8_t{0} : static_cast<uint8_t>(std::min(value * 255 / alpha, 255));
}

// A row of pixels: the first `samples` of `rows` lead to each sample's first value, `stride` values apart.
void put_row(const Layout& layout, const Palette& palette, std::span<const uint8_t* const> rows,
             size_t stride, size_t width, uint8_t* rgb) {
  const unsigned bits = layout.bits;
  std::array<uint8_t, 5> v{};  // four colours, or three and alpha, or one
  const size_t used = std::min(v.size(), rows.size());
  for (size_t x = 0; x < width; ++x, rgb += 3) {
    for (size_t s = 0; s < used; ++s)  // native byte order: the high byte is the second
      v[s] = bits == 16 ? rows[s][2 * x * stride + 1] : packed_sample(rows[s], x * stride, bits);
    if (layout.photometric == PHOTOMETRIC_PALETTE) {
      palette.paint(v[0], rgb);
    } else if (layout.photometric == PHOTOMETRIC_SEPARATED) {
      cmyk_to_rgb(v.data(), rgb);
    } else if (layout.is_grey()) {
      const int grey = bits == 16 ? v[0] : v[0] * 255 / ((1 << bits) - 1);
      std::fill_n(rgb, 3,
                  static_cast<uint8_t>(layout.photometric == PHOTOMETRIC_MINISWHITE ? 255 - grey : grey));
    } else {
      for (size_t c = 0; c < 3; ++c) rgb[c] = layout.associated_alpha ? without_alpha(v[c], v[3]) : v[c];
    }
  }
}

// Strips are tiles that are as wide as the picture.
struct Blocks {
  bool tiled = false;
  uint32_t width = 0, height = 0;
  size_t row_bytes = 0;  // of one plane

  size_t bytes() const { return row_bytes * height; }
};

Blocks read_blocks(const ImageFile& file, const Tiff& tiff, const Layout& layout) {
  Blocks blocks{.tiled = TIFFIsTiled(tiff.get()) != 0};
  if (blocks.tiled) {
    blocks.width = tag<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0);
    blocks.height = tag<uint32_t>(tiff, TIFFTAG_TILELENGTH, 0);
    blocks.row_bytes = TIFFTileRowSize64(tiff.get());
  } else {
    blocks.width = layout.width;
    blocks.height = std::min(tag<uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, layout.height), layout.height);
    blocks.row_bytes = TIFFScanlineSize64(tiff.get());
  }
  const uint64_t samples = uint64_t{blocks.width} * (layout.planes ? 1 : layout.samples);
  if (blocks.width == 0 || blocks.height == 0 || blocks.row_bytes < (samples * layout.bits + 7) / 8)
    file.refuse("a TIFF whose strips or tiles make no sense");
  if (blocks.row_bytes >
      static_cast<uint64_t>(kMaxBlockBytes) / blocks.height / (layout.planes ? layout.samples : 1))
    file.refuse(fmt::format("a TIFF of tiles of {} x {} pixels; the limit is {} bytes", blocks.width,
                            blocks.height, kMaxBlockBytes));
  return blocks;
}

[[noreturn]] void refuse(const Stream& stream) {
  stream.file.refuse(fmt::format("a TIFF that cannot be decoded: {}",
                                 stream.complaint.empty() ? "libtiff does not say why" : stream.complaint));
}

void read_block(const Stream& stream, const Tiff& tiff, const Blocks& blocks, uint32_t x, uint32_t y,
                uint32_t rows, uint16_t plane, uint8_t* out) {
  // Of the last strip the rows that the picture has, of a tile always all.
  const auto bytes = static_cast<tmsize_t>(blocks.row_bytes * (blocks.tiled ? blocks.height : rows));
  const tmsize_t got =
      blocks.tiled ? TIFFReadEncodedTile(tiff.get(), TIFFComputeTile(tiff.get(), x, y, 0, plane), out, bytes)
                   : TIFFReadEncodedStrip(tiff.get(), TIFFComputeStrip(tiff.get(), y, plane), out, bytes);
  if (got != bytes) refuse(stream);
}

void read_pixels(const Stream& stream, const Tiff& tiff, const Layout& layout, Image& image) {
  const Palette palette = read_palette(tiff, layout);
  const Blocks blocks = read_blocks(stream.file, tiff, layout);
  const uint16_t planes = layout.planes ? layout.samples : uint16_t{1};
  const size_t stride = layout.planes ? 1 : layout.samples;
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(blocks.bytes() * planes);
  std::array<const uint8_t*, 6> sample_rows{};
  for (uint32_t y = 0; y < layout.height; y += std::min(blocks.height, layout.height - y))
    for (uint32_t x = 0; x < layout.width; x += std::min(blocks.width, layout.width - x)) {
      const uint32_t rows = std::min(blocks.height, layout.height - y);
      const uint32_t columns = std::min(blocks.width, layout.width - x);
      for (uint16_t plane = 0; plane < planes; ++plane)
        read_block(stream, tiff, blocks, x, y, rows, plane, buffer.get() + plane * blocks.bytes());
      for (uint32_t row = 0; row < rows; ++row) {
        for (size_t s = 0; s < layout.samples; ++s)
          sample_rows[s] = buffer.get() + row * blocks.row_bytes +
                           (layout.planes ? s * blocks.bytes() : s * (layout.bits / 8));
        put_row(layout, palette, std::span(sample_rows).first(layout.samples), stride, columns,
                image.rgb.data() + 3 * (size_t{y + row} * layout.width + x));
      }
    }
}

// Subsampled colours, which libtiff itself turns into RGB.
void read_ycbcr(const Stream& stream, const Tiff& tiff, const Layout& layout, Image& image) {
  TIFFSetField(tiff.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);  // else it would turn them, too
  const size_t pixels = size_t{layout.width} * layout.height;
  const auto rgba = std::make_unique_for_overwrite<uint32_t[]>(pixels);
  if (!TIFFReadRGBAImageOriented(tiff.get(), layout.width, layout.height, rgba.get(), ORIENTATION_TOPLEFT, 1))
    refuse(stream);
  for (size_t i = 0; i < pixels; ++i) {
    image.rgb[3 * i] = TIFFGetR(rgba[i]);
    image.rgb[3 * i + 1] = TIFFGetG(rgba[i]);
    image.rgb[3 * i + 2] = TIFFGetB(rgba[i]);
  }
}

}  // namespace

bool is_tiff(const ImageFile& file) {
  using namespace std::string_view_literals;
  return file.has("II*\0"sv) || file.has("MM\0*"sv) || file.has("II+\0"sv) || file.has("MM\0+"sv);
}

Image decode_tiff(const ImageFile& file) {
  Stream stream{file};
  const Tiff tiff = open(stream);
  if (!tiff) refuse(stream);
  Layout layout = read_layout(file, tiff);
  check_layout(file, tiff, layout);
  Image image = file.new_image(layout.width, layout.height);
  stream.complaint.clear();
  bool converted = layout.photometric != PHOTOMETRIC_YCBCR;
  if (!converted && layout.compression == COMPRESSION_JPEG && !layout.planes) {
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    layout.photometric = PHOTOMETRIC_RGB;
    converted = true;
  }
  if (converted)
    read_pixels(stream, tiff, layout, image);
  else
    read_ycbcr(stream, tiff, layout, image);
  if (!stream.complaint.empty()) refuse(stream);  // some codecs complain and go on
  return upright(std::move(image), layout.orientation);
}

}  // namespace tyto::apps
