// The naive meaning of the operators on views of an image.
#pragma once

#include <vector>

#include "engine/graph/operators.h"
#include "engine/reference/array.h"

namespace tyto {

Array flip_horizontal_reference(const Array& x, const FlipHorizontal& op);
Array rescale_bicubic_reference(const Array& x, const RescaleBicubic& op, const Shape& shape);
Array normalized_sum_reference(const std::vector<const Array*>& features);

}  // namespace tyto
