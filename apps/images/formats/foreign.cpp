#include "apps/images/formats/foreign.h"

#include <fmt/format.h>

#include <string_view>

namespace tyto::apps {
namespace {

using namespace std::string_view_literals;

struct Kind {
  size_t at = 0;
  std::string_view magic;
  const char* name = nullptr;
};

constexpr Kind kKinds[] = {
    {4, "ftypavi"sv, "AVIF"},
    {4, "ftyphe"sv, "HEIC"},
    {4, "ftypmif1"sv, "HEIF"},
    {4, "ftypmsf1"sv, "HEIF"},
    {4, "ftypcrx"sv, "a CR3 raw photograph"},
    {4, "ftyp"sv, "an MP4 or QuickTime file"},
    {0, "\0\0\0\x0CjP  \r\n\x87\n"sv, "JPEG 2000"},
    {0, "\xFF\x4F\xFF\x51"sv, "JPEG 2000"},
    {0, "\0\0\0\x0CJXL \r\n\x87\n"sv, "JPEG XL"},
    {0, "\xFF\x0A"sv, "JPEG XL"},
    {0, "8BPS"sv, "a Photoshop document"},
    {0, "gimp xcf"sv, "a GIMP document"},
    {0, "\0\0\1\0"sv, "an icon (ICO)"},
    {0, "icns"sv, "an icon (ICNS)"},
    {0, "P7\n"sv, "PAM"},
    {0, "Pf\n"sv, "PFM, with floating-point samples"},
    {0, "PF\n"sv, "PFM, with floating-point samples"},
    {0, "\x76\x2F\x31\x01"sv, "OpenEXR"},
    {0, "#?RADIANCE"sv, "Radiance HDR"},
    {0, "#?RGBE"sv, "Radiance HDR"},
    {0, "DDS "sv, "DDS"},
    {0, "\x01\xDA"sv, "SGI"},
    {0, "\x59\xA6\x6A\x95"sv, "a Sun raster"},
    {0, "SIMPLE  ="sv, "FITS"},
    {128, "DICM"sv, "DICOM"},
    {0, "II\xBC\x01"sv, "JPEG XR"},
    {0, "IIRO"sv, "an Olympus raw photograph"},
    {0, "IIU\0"sv, "a Panasonic raw photograph"},
    {0, "FUJIFILM"sv, "a Fujifilm raw photograph"},
    {0, "BPG\xFB"sv, "BPG"},
    {0, "qoif"sv, "QOI"},
    {0, "farbfeld"sv, "farbfeld"},
    {0, "\x8AMNG\r\n\x1A\n"sv, "MNG"},
    {0, "AT&TFORM"sv, "DjVu"},
    {0, "%PDF"sv, "PDF"},
    {0, "%!PS"sv, "PostScript"},
    {0, "<svg"sv, "SVG"},
    {0, "<?xml"sv, "XML"},
    {0, "<html"sv, "an HTML page, as a failed download leaves it"},
    {0, "<!DOCTYPE"sv, "an HTML page, as a failed download leaves it"},
    {0, "<!doctype"sv, "an HTML page, as a failed download leaves it"},
    {0, "version https://git-lfs"sv, "a Git LFS pointer, for which `git lfs pull` fetches the file"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "RIFF"sv, "a RIFF file, perhaps AVI or WAV"},
    {0, "\x1A\x45\xDF\xA3"sv, "Matroska or WebM"},
    {0, "PK\x03\x04"sv, "a zip archive"},
    {0, "\x1F\x8B"sv, "a gzip file"},
};

// Targa has no mark at its beginning; newer files have one at their end.
bool is_targa(const ImageFile& file) {
  if (file.size() < 18) return false;
  if (file.has("TRUEVISION-XFILE."sv, file.size() - 18)) return true;
  const uint32_t indexed = file.u8(1), kind = file.u8(2), bits = file.u8(16);
  const bool pictures = kind >= 1 && (kind & ~8u) <= 3;
  return indexed <= 1 && pictures && (kind % 8 == 1) == (indexed == 1) && file.u8(17) < 64 &&
         (bits == 8 || bits == 15 || bits == 16 || bits == 24 || bits == 32);
}

}  // namespace

std::string describe_foreign(const ImageFile& file) {
  constexpr const char* read = "none of JPEG, PNG, WebP, GIF, BMP, TIFF and PNM";
  if (file.size() == 0) return "the file is empty";
  for (const Kind& kind : kKinds)
    if (file.has(kind.magic, kind.at)) return fmt::format("{}: {}", kind.name, read);
  if (is_targa(file)) return fmt::format("Targa: {}", read);
  return read;
}

}  // namespace tyto::apps
