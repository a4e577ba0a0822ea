#include "apps/images/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "apps/images/formats/bmp.h"
#include "apps/images/formats/foreign.h"
#include "apps/images/formats/gif.h"
#include "apps/images/formats/jpeg.h"
#include "apps/images/formats/png.h"
#include "apps/images/formats/pnm.h"
#include "apps/images/formats/tiff.h"
#include "apps/images/formats/webp.h"
#include "apps/images/image_file.h"
#include "apps/images/orientation.h"
#include "files/file.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

struct Format {
  const char* name = nullptr;
  bool (*is_this)(const ImageFile&) = nullptr;
  Image (*decode)(const ImageFile&) = nullptr;
  std::span<const uint8_t> (*exif)(const ImageFile&) =
      nullptr;  // null where PIL turns the image unasked, or never
};

constexpr Format kFormats[] = {
    {"JPEG", is_jpeg, decode_jpeg, jpeg_exif},
    {"PNG", is_png, decode_png, png_exif},
    {"WebP", is_webp, decode_webp, webp_exif},
    {"GIF", is_gif, decode_gif},
    {"BMP", is_bmp, decode_bmp},
    {"TIFF", is_tiff, decode_tiff},
    {"PNM", is_pnm, decode_pnm},
    {"BMP", is_dib, decode_bmp},
};

void check_size(uint64_t bytes, const std::string& name) {
  if (bytes > kMaxImageFileBytes)
    throw Error(ErrorKind::Format,
                fmt::format("{}: not an image ({} bytes; the limit is {})", name, bytes, kMaxImageFileBytes));
}

}  // namespace

Image decode_bytes(std::span<const std::byte> bytes, const std::string& name, bool apply_exif_orientation) {
  check_size(bytes.size(), name);
  const ImageFile unknown(bytes, name, "file");
  const auto* format = std::ranges::find_if(kFormats, [&](const Format& f) { return f.is_this(unknown); });
  if (format == std::end(kFormats)) unknown.refuse(describe_foreign(unknown));
  const ImageFile file(bytes, name, format->name);
  try {
    Image image = format->decode(file);
    if (!apply_exif_orientation || !format->exif) return image;
    return upright(std::move(image), exif_orientation(format->exif(file)));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::Memory, fmt::format("{}: not enough memory to decode it", name));
  }
}

Image decode(const std::filesystem::path& path, bool apply_exif_orientation) {
  const File file(path);
  check_size(file.size(), path.string());
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  return decode_bytes(bytes, path.string(), apply_exif_orientation);
}

}  // namespace tyto::apps
