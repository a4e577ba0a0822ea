// The naive meaning of the detection operators.
#pragma once

#include <vector>

#include "engine/graph/operators.h"
#include "engine/reference/array.h"

namespace tyto {

Array concat_maps_reference(const std::vector<const Array*>& maps, const ConcatMaps& op, const Shape& shape);
Array decode_boxes_reference(const Array& offsets, const std::vector<double>& anchors, const DecodeBoxes& op);
Array class_scores_reference(const Array& logits, const ClassScores& op, const Shape& shape);
Array nms_reference(const Array& boxes, const Array& scores, const Nms& op, const Shape& shape);

}  // namespace tyto
