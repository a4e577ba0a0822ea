#include "apps/images/formats/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

namespace tyto::apps {
namespace {

constexpr size_t kSignature = 8;
constexpr size_t kFrame = 12;  // of a chunk: length and type before the data, checksum behind it

struct Chunk {
  size_t at = 0;      // of its length
  size_t length = 0;  // of its data
  bool is(const ImageFile& file, std::string_view type) const { return file.has(type, at + 4); }
  size_t data() const { return at + 8; }
  size_t next() const { return at + length + kFrame; }
};

Chunk chunk_at(const ImageFile& file, size_t at) { return {at, file.be32(at)}; }

// Where the chunks of image data begin; all before them is there.
size_t find_data(const ImageFile& file) {
  for (Chunk chunk = chunk_at(file, kSignature);; chunk = chunk_at(file, chunk.next())) {
    if (chunk.is(file, "IDAT")) return chunk.at;
    if (chunk.is(file, "IEND")) file.refuse("a PNG without image data");
    file.part(chunk.at, chunk.length + kFrame);
  }
}

// libpng's progressive reader, which decodes what there is of a file, as PIL does. libpng reports by long
// jumps. They end in read_header() and read_pixels(), whose variables need no destructor.
class Reader {
 public:
  explicit Reader(const ImageFile& file);
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool read_header(size_t data);                // the chunks before the data
  void read_pixels(size_t data, Image& image);  // leaves out those that cannot be read
  bool is_complete() const;
  [[noreturn]] void refuse() const;

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }

 private:
  void read(size_t first, size_t end);
  void ignore_other_chunks();
  void set_rgb();
  void fill_palette();
  void remark(const char* text);

  const ImageFile& file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Image* image_ = nullptr;
  std::jmp_buf failed_{};
  std::array<char, 128> remark_{};  // the first one: libpng warns of what is wrong before it fails
  bool out_of_memory_ = false;
  bool has_end_ = false;
};

Reader::Reader(const ImageFile& file) : file_(file) {
  const auto allocate = [](png_structp png, png_alloc_size_t bytes) {
    void* memory = std::malloc(bytes);
    if (!memory) static_cast<Reader*>(png_get_mem_ptr(png))->out_of_memory_ = true;
    return memory;
  };
  const auto fail = [](png_structp png, png_const_charp text) {
    Reader& reader = *static_cast<Reader*>(png_get_error_ptr(png));
    reader.remark(text);
    std::longjmp(reader.failed_, 1);
  };
  const auto warn = [](png_structp png, png_const_charp text) {
    static_cast<Reader*>(png_get_error_ptr(png))->remark(text);
  };
  png_ = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, this, fail, warn, this, allocate,
                                  [](png_structp, png_voidp memory) { std::free(memory); });
  info_ = png_create_info_struct(png_);
  if (info_) return;
  png_destroy_read_struct(&png_, nullptr, nullptr);
  throw std::bad_alloc();
}

void Reader::remark(const char* text) {
  if (remark_[0] == 0) std::strncpy(remark_.data(), text, remark_.size() - 1);
}

void Reader::read(size_t first, size_t end) {
  png_process_data(png_, info_, const_cast<uint8_t*>(file_.data()) + first, end - first);
}

bool Reader::read_header(size_t data) {
  if (setjmp(failed_)) return false;
  png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_chunk_malloc_max(png_, 0);
  ignore_other_chunks();
  png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_progressive_read_fn(
      png_, this, nullptr,
      [](png_structp png, png_bytep row, png_uint_32 y, int) {
        Image& image = *static_cast<Reader*>(png_get_progressive_ptr(png))->image_;
        png_progressive_combine_row(png, image.rgb.data() + size_t{3} * image.width * y, row);
      },
      [](png_structp png, png_infop) {
        static_cast<Reader*>(png_get_progressive_ptr(png))->has_end_ = true;
      });
  read(0, data);
  return true;
}

void Reader::ignore_other_chunks() {
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, reinterpret_cast<png_const_bytep>("tRNS"), 1);
}

void Reader::read_pixels(size_t data, Image& image) {
  if (setjmp(failed_)) return;
  image_ = &image;
  remark_ = {};
  png_set_crc_action(png_, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
  fill_palette();
  set_rgb();
  png_start_read_image(png_);
  read(data, file_.size());
}

// Colours that a file does not set are grey, as in PIL.
void Reader::fill_palette() {
  if (png_get_color_type(png_, info_) != PNG_COLOR_TYPE_PALETTE) return;
  png_colorp colours = nullptr;
  int count = 0;
  png_get_PLTE(png_, info_, &colours, &count);
  std::array<png_color, PNG_MAX_PALETTE_LENGTH> all{};
  for (size_t i = 0; i < all.size(); ++i) all[i].red = all[i].green = all[i].blue = static_cast<png_byte>(i);
  std::copy_n(colours, count, all.begin());
  png_set_PLTE(png_, info_, all.data(), 1 << png_get_bit_depth(png_, info_));
}

void Reader::set_rgb() {
  png_set_strip_16(png_);
  png_set_palette_to_rgb(png_);
  png_set_expand_gray_1_2_4_to_8(png_);
  png_set_gray_to_rgb(png_);
  png_set_strip_alpha(png_);
  png_set_interlace_handling(png_);
}

bool Reader::is_complete() const {
  constexpr int passes = 7;
  if (png_get_interlace_type(png_, info_) == PNG_INTERLACE_ADAM7)
    return png_get_current_pass_number(png_) == passes;
  return png_get_current_row_number(png_) == png_get_image_height(png_, info_);
}

void Reader::refuse() const {
  if (out_of_memory_) throw std::bad_alloc();
  if (remark_[0] != 0) file_.refuse(fmt::format("a PNG that cannot be decoded: {}", remark_.data()));
  if (!has_end_) file_.truncated();
  file_.refuse("a PNG with too little image data");
}

}  // namespace

bool is_png(const ImageFile& file) { return file.has("\x89PNG\r\n\x1A\n"); }

Image decode_png(const ImageFile& file) {
  const size_t data = find_data(file);
  Reader reader(file);
  if (!reader.read_header(data)) reader.refuse();
  Image image = file.new_image(reader.width(), reader.height());
  reader.read_pixels(data, image);
  if (!reader.is_complete()) reader.refuse();
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
