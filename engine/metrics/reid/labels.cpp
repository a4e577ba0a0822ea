#include "engine/metrics/reid/labels.h"

#include <fmt/format.h>

namespace tyto {

void check_features(const Tensor& t, const char* name) {
  if (t.dtype() != DType::F32 || t.shape().rank() != 2)
    throw Error(ErrorKind::Shape, fmt::format("{} features are {} {}, not F32 [rows, width]", name,
                                              name_of(t.dtype()), t.shape().str()));
}

void check_labels(const Tensor& t, const Labels& labels, const char* name) {
  check_features(t, name);
  const auto rows = static_cast<size_t>(t.dim(0));
  if (labels.ids.size() != rows || labels.cameras.size() != rows)
    throw Error(ErrorKind::Shape, fmt::format("{} {} features come with {} identities and {} cameras", rows,
                                              name, labels.ids.size(), labels.cameras.size()));
}

}  // namespace tyto
