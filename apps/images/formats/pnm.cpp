#include "apps/images/formats/pnm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "apps/images/formats/palette.h"

namespace tyto::apps {
namespace {

constexpr size_t kMaxDigits = 10;  // of a number, as in PIL

bool is_space(uint32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Walks the text: numbers between white space and comments.
class Text {
 public:
  Text(const ImageFile& file, size_t at) : file_(file), at_(at) {}

  size_t at() const { return at_; }

  // The next character that is neither white space nor in a comment; nullopt at the end.
  std::optional<char> next_character() {
    for (; at_ < file_.size(); ++at_) {
      if (file_.u8(at_) == '#')
        skip_comment();
      else if (!is_space(file_.u8(at_)))
        return static_cast<char>(file_.u8(at_++));
    }
    return std::nullopt;
  }

  // And the one white space behind it.
  uint32_t number() {
    std::string digits;
    for (std::optional<char> c = next_character(); c; c = this_character()) {
      if (*c < '0' || *c > '9' || digits.size() == kMaxDigits)
        file_.refuse(fmt::format("a PNM that has no number at byte {}", at_ - 1));
      digits += *c;
    }
    if (digits.empty()) file_.truncated();
    return static_cast<uint32_t>(std::min(std::stoull(digits), 0xFFFFFFFFull));
  }

 private:
  // The character here; nullopt behind a white space, which ends a number, or at the end.
  std::optional<char> this_character() {
    while (at_ < file_.size() && file_.u8(at_) == '#') skip_comment(), ++at_;
    if (at_ >= file_.size() || is_space(file_.u8(at_++))) return std::nullopt;
    return static_cast<char>(file_.u8(at_ - 1));
  }

  void skip_comment() {  // to the character that ends its line
    while (at_ < file_.size() && file_.u8(at_) != '\n' && file_.u8(at_) != '\r') ++at_;
  }

  const ImageFile& file_;
  size_t at_;
};

struct Header {
  bool text = false;
  int channels = 1;
  uint32_t maximum = 1;  // white; of bitmaps, black
  bool bitmap = false;
  size_t data = 0;  // where it begins
};

// What each sample is in the image.
std::vector<uint8_t> scale_table(const Header& header) {
  const bool deep_grey = header.channels == 1 && header.maximum > 255;
  const double white = deep_grey ? 65535 : 255;
  std::vector<uint8_t> table(header.maximum + 1);
  for (size_t v = 0; v < table.size(); ++v) {
    const auto scaled =
        static_cast<uint32_t>(std::nearbyint(static_cast<double>(v) / header.maximum * white));
    table[v] = static_cast<uint8_t>(deep_grey ? scaled >> 8 : scaled);
  }
  return table;
}

// `next` gives the samples of a line one by one; grey goes to all three channels.
template <class Next>
void fill(Image& image, int channels, Next next) {
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    image.rgb[i] = next();
    for (size_t c = 1; c < 3; ++c) image.rgb[i + c] = channels == 1 ? image.rgb[i] : next();
  }
}

void read_text(const ImageFile& file, const Header& header, Image& image) {
  Text text(file, header.data);
  if (header.bitmap) {
    fill(image, 1, [&] {
      const std::optional<char> c = text.next_character();
      if (!c) file.truncated();
      if (*c != '0' && *c != '1') file.refuse(fmt::format("a PBM that has no bit at byte {}", text.at() - 1));
      return uint8_t(*c == '1' ? 0 : 255);
    });
    return;
  }
  fill(image, header.channels, [&, table = scale_table(header)] {
    const uint32_t value = text.number();
    if (value > header.maximum)
      file.refuse(fmt::format("a PNM with a sample of {} before byte {}; its header says at most {}", value,
                              text.at(), header.maximum));
    return table[value];
  });
}

void read_binary(const ImageFile& file, const Header& header, Image& image) {
  const size_t width = static_cast<size_t>(image.width), height = static_cast<size_t>(image.height);
  if (header.bitmap) {
    const size_t row_bytes = (width + 7) / 8;
    const uint8_t* rows = file.part(header.data, row_bytes * height).data();
    for (size_t y = 0; y < height; ++y)
      for (size_t x = 0; x < width; ++x)
        std::fill_n(image.rgb.data() + 3 * (y * width + x), 3,
                    uint8_t(packed_sample(rows + y * row_bytes, x, 1) ? 0 : 255));
    return;
  }
  const size_t sample_bytes = header.maximum > 255 ? 2 : 1;
  const size_t samples = width * height * static_cast<size_t>(header.channels);
  const uint8_t* at = file.part(header.data, samples * sample_bytes).data();
  fill(image, header.channels, [&, table = scale_table(header)] {
    uint32_t value = *at++;
    if (sample_bytes == 2) value = value << 8 | *at++;
    return table[std::min(value, header.maximum)];
  });
}

}  // namespace

bool is_pnm(const ImageFile& file) {
  return file.size() > 2 && file.u8(0) == 'P' && file.u8(1) >= '1' && file.u8(1) <= '6' &&
         is_space(file.u8(2));
}

Image decode_pnm(const ImageFile& file) {
  const uint32_t kind = file.u8(1) - '0';
  Header header{.text = kind <= 3, .channels = kind % 3 == 0 ? 3 : 1, .bitmap = kind % 3 == 1};
  Text text(file, 2);
  const int64_t width = text.number(), height = text.number();
  if (!header.bitmap) {
    header.maximum = text.number();
    if (header.maximum < 1 || header.maximum > 65535)
      file.refuse(fmt::format("a PNM whose white is {}; it can be 1 to 65535", header.maximum));
  }
  header.data = text.at();
  Image image = file.new_image(width, height);
  if (header.text)
    read_text(file, header, image);
  else
    read_binary(file, header, image);
  return image;
}

}  // namespace tyto::apps
