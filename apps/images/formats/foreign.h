// Files that are no images, or of formats that are not read: what they are.
#pragma once

#include <string>

#include "apps/images/image_file.h"

namespace tyto::apps {

std::string describe_foreign(
    const ImageFile& file);  // for a message: "HEIC, which is none of JPEG, PNG, ..."

}  // namespace tyto::apps
