// Image files, for whoever wants their pixels or their names.
#include <cstring>

#include "apps/images/decode.h"
#include "apps/reid/image_folder.h"
#include "files/json.h"
#include "python/native/call.h"
#include "python/native/objects.h"
#include "python/native/options.h"
#include "tyto/image.h"

namespace tyto::python {
namespace {

struct DecodedImage : Object {
  static constexpr const char* kName = "image";
  Image image;
};

}  // namespace
}  // namespace tyto::python

using namespace tyto;
using namespace tyto::python;

extern "C" int32_t tyto_python_image_open(const char* path, const char* options, uint64_t* image,
                                          int32_t* height, int32_t* width, tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const auto decoded = std::make_shared<DecodedImage>();
    decoded->image = apps::decode(path, CallOptions(options).flag("exif_orientation", false));
    *height = decoded->image.height;
    *width = decoded->image.width;
    *image = keep(decoded);
  });
}

extern "C" int32_t tyto_python_image_copy(uint64_t image, uint8_t* rgb, size_t bytes,
                                          tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const std::vector<uint8_t>& pixels = find<DecodedImage>(image)->image.rgb;
    if (bytes != pixels.size()) throw Error(ErrorKind::Shape, "an image has another size than its copy");
    std::memcpy(rgb, pixels.data(), bytes);
  });
}

extern "C" int32_t tyto_python_list_images(const char* root, tyto_python_text* text) noexcept {
  return answer(text, [&] {
    apps::SkippedInputs skipped;
    const apps::ImageFolder folder = apps::list_folder(
        apps::SetKind::Gallery, root, apps::NameRule::dataset("plain"), apps::shard_from(""), skipped);
    return dump_json({{"names", folder.names}, {"skipped", skipped}});
  });
}
