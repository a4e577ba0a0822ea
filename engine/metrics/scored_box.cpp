#include "engine/metrics/scored_box.h"

#include <fmt/format.h>

#include "tyto/error.h"

namespace tyto {

void check_place(int64_t image, int category, int64_t images, int categories) {
  if (image < 0 || image >= images || category < 0 || category >= categories)
    throw Error(ErrorKind::Usage,
                fmt::format("a box has image {} and category {}, but there are {} images and {} categories",
                            image, category, images, categories));
}

}  // namespace tyto
