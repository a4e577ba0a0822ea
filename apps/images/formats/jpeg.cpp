#include "apps/images/formats/jpeg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>

#include <jpeglib.h>  // after <cstdio>, whose FILE it needs

#include <jerror.h>

#include "apps/images/formats/cmyk.h"

namespace tyto::apps {
namespace {

// libjpeg reports by long jumps. They end in start() and read_rows(), whose variables need no destructor.
class Reader {
 public:
  explicit Reader(const ImageFile& file) : file_(file) {}
  ~Reader() { jpeg_destroy_decompress(&jpeg_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool start();
  bool read_rows(Image& image);
  [[noreturn]] void refuse() const;

  int64_t width() const { return jpeg_.image_width; }
  int64_t height() const { return jpeg_.image_height; }

  // The file ended before libjpeg had all it wanted. Of a single scan it wants an end marker, which may be
  // missing, and warns if bits are missing, too. Of several scans nobody knows how many were to come, and
  // arithmetic coding may go on with zeros for ever.
  bool lacks_data() const {
    return past_the_end_ && (missed_bits_ || jpeg_.arith_code || has_several_scans_);
  }

 private:
  static Reader& of(j_common_ptr jpeg) { return *static_cast<Reader*>(jpeg->client_data); }
  static Reader& of(j_decompress_ptr jpeg) { return of(reinterpret_cast<j_common_ptr>(jpeg)); }
  void set_error_handlers();
  void set_source();

  const ImageFile& file_;
  jpeg_decompress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  std::jmp_buf failed_{};
  std::array<char, JMSG_LENGTH_MAX> message_{};
  bool past_the_end_ = false;
  bool missed_bits_ = false;
  bool has_several_scans_ = false;
};

void Reader::set_error_handlers() {
  jpeg_.err = jpeg_std_error(&errors_);
  jpeg_.client_data = this;
  errors_.error_exit = [](j_common_ptr jpeg) {
    jpeg->err->format_message(jpeg, of(jpeg).message_.data());
    std::longjmp(of(jpeg).failed_, 1);
  };
  errors_.emit_message = [](j_common_ptr jpeg, int level) {
    if (level < 0 && of(jpeg).past_the_end_) of(jpeg).missed_bits_ = true;
  };
  errors_.output_message = [](j_common_ptr) {};
}

void Reader::set_source() {
  source_.next_input_byte = file_.data();
  source_.bytes_in_buffer = file_.size();
  source_.init_source = source_.term_source = [](j_decompress_ptr) {};
  source_.resync_to_restart = jpeg_resync_to_restart;
  source_.fill_input_buffer = [](j_decompress_ptr jpeg) -> boolean {
    static constexpr std::array<JOCTET, 2> end_marker = {0xFF, JPEG_EOI};
    of(jpeg).past_the_end_ = true;
    jpeg->src->next_input_byte = end_marker.data();
    jpeg->src->bytes_in_buffer = end_marker.size();
    return TRUE;
  };
  source_.skip_input_data = [](j_decompress_ptr jpeg, long bytes) {
    const size_t skipped = std::min(static_cast<size_t>(std::max(bytes, 0L)), jpeg->src->bytes_in_buffer);
    jpeg->src->next_input_byte += skipped;
    jpeg->src->bytes_in_buffer -= skipped;
  };
  jpeg_.src = &source_;
}

bool Reader::start() {
  set_error_handlers();
  if (setjmp(failed_)) return false;
  jpeg_create_decompress(&jpeg_);
  set_source();
  jpeg_read_header(&jpeg_, TRUE);
  jpeg_.out_color_space = jpeg_.num_components == 4 ? JCS_CMYK : JCS_RGB;
  has_several_scans_ = jpeg_has_multiple_scans(&jpeg_) != 0;
  return true;
}

bool Reader::read_rows(Image& image) {
  if (setjmp(failed_)) return false;
  jpeg_start_decompress(&jpeg_);
  const size_t row_bytes = size_t{3} * jpeg_.output_width;
  JSAMPARRAY ink = nullptr;
  if (jpeg_.out_color_space == JCS_CMYK)
    ink = jpeg_.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&jpeg_), JPOOL_IMAGE, 4 * jpeg_.output_width,
                                  1);
  while (jpeg_.output_scanline < jpeg_.output_height) {
    uint8_t* rgb = image.rgb.data() + row_bytes * jpeg_.output_scanline;
    jpeg_read_scanlines(&jpeg_, ink ? ink : &rgb, 1);
    if (!ink) continue;
    uint8_t* cmyk = ink[0];
    for (JDIMENSION x = 0; x < jpeg_.output_width; ++x, rgb += 3, cmyk += 4) {
      for (int c = 0; c < 4; ++c) cmyk[c] = static_cast<uint8_t>(255 - cmyk[c]);
      cmyk_to_rgb(cmyk, rgb);
    }
  }
  return true;
}

void Reader::refuse() const {
  if (past_the_end_) file_.truncated();
  if (errors_.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
  file_.refuse(fmt::format("a JPEG that cannot be decoded: {}", message_.data()));
}

}  // namespace

bool is_jpeg(const ImageFile& file) { return file.has("\xFF\xD8\xFF"); }

Image decode_jpeg(const ImageFile& file) {
  Reader reader(file);
  if (!reader.start()) reader.refuse();
  Image image = file.new_image(reader.width(), reader.height());
  if (!reader.read_rows(image)) reader.refuse();
  if (reader.lacks_data()) file.truncated();
  return image;
}

std::span<const uint8_t> jpeg_exif(const ImageFile& file) {
  constexpr uint32_t start_of_scan = 0xDA, app1 = 0xE1;
  for (size_t at = 2; at + 4 <= file.size() && file.u8(at) == 0xFF;) {
    if (file.u8(at + 1) == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    const uint32_t marker = file.u8(at + 1), length = file.be16(at + 2);
    if (marker == start_of_scan || length < 2 || length > file.size() - at - 2) break;
    if (marker == app1 && file.has({"Exif\0\0", 6}, at + 4)) return file.part(at + 4, length - 2);
    at += 2 + length;
  }
  return {};
}

}  // namespace tyto::apps
