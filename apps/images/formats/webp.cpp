#include "apps/images/formats/webp.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>

namespace tyto::apps {
namespace {

using Animation = std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)>;

Image first_frame(const ImageFile& file) {
  const WebPData data{file.data(), file.size()};
  const Animation animation(WebPAnimDecoderNew(&data, nullptr), WebPAnimDecoderDelete);
  WebPAnimInfo info{};
  uint8_t* rgba = nullptr;
  int milliseconds = 0;
  if (!animation || !WebPAnimDecoderGetInfo(animation.get(), &info) ||
      !WebPAnimDecoderGetNext(animation.get(), &rgba, &milliseconds))
    file.refuse("an animated WebP whose first frame cannot be decoded");
  Image image = file.new_image(info.canvas_width, info.canvas_height);
  for (size_t i = 0; i < image.rgb.size(); i += 3, rgba += 4) std::copy_n(rgba, 3, image.rgb.data() + i);
  return image;
}

}  // namespace

bool is_webp(const ImageFile& file) { return file.has("RIFF") && file.has("WEBP", 8); }

Image decode_webp(const ImageFile& file) {
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(file.data(), file.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) file.truncated();
  if (status != VP8_STATUS_OK) file.refuse("a WebP whose header cannot be read");
  file.part(8, file.le32(4));
  file.check_size(features.width, features.height);
  if (features.has_animation) return first_frame(file);
  Image image = file.new_image(features.width, features.height);
  if (!WebPDecodeRGBInto(file.data(), file.size(), image.rgb.data(), image.rgb.size(), 3 * image.width))
    file.refuse("a WebP whose data cannot be decoded");
  return image;
}

std::span<const uint8_t> webp_exif(const ImageFile& file) {
  for (size_t at = 12; at + 8 <= file.size();) {
    const size_t length = file.le32(at + 4);
    if (length > file.size() - at - 8) break;
    if (file.has("EXIF", at)) return file.part(at + 8, length);
    at += 8 + length + length % 2;
  }
  return {};
}

}  // namespace tyto::apps
