// Who is on an image, and which camera took it.
#pragma once

#include <cstdint>
#include <span>

#include "tyto/tensor.h"

namespace tyto {

// Identity and camera of every row of a feature matrix; -1: unknown or junk.
struct Labels {
  std::span<const int64_t> ids, cameras;
};

// Error{Shape}, with `name` for the set: not F32 [rows, width]; labels that are not one a row.
void check_features(const Tensor& features, const char* name);
void check_labels(const Tensor& features, const Labels& labels, const char* name);

}  // namespace tyto
