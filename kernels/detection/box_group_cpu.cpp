#include "kernels/detection/box_group_cpu.h"

#include "kernels/common/multiversion.h"

namespace tyto::kernels {
namespace {

// A group's numbers each by itself.
struct Columns {
  float at[4][kBoxGroup];
};

[[gnu::always_inline]] inline void to_columns(const float* rows, Columns& columns) {
  for (int64_t i = 0; i < kBoxGroup; ++i)
    for (int64_t k = 0; k < 4; ++k) columns.at[k][i] = rows[4 * i + k];
}

[[gnu::always_inline]] inline void to_rows(const Columns& columns, float* rows) {
  for (int64_t i = 0; i < kBoxGroup; ++i)
    for (int64_t k = 0; k < 4; ++k) rows[4 * i + k] = columns.at[k][i];
}

template <bool Corners>
[[gnu::always_inline]] inline void decode_group(const float* offsets, const float* references,
                                                const BoxCoding& coding, GroupRows& boxes) {
  Columns offset, reference, box;
  to_columns(offsets, offset);
  to_columns(references, reference);
  const int x = coding.y_first ? 1 : 0, y = 1 - x;
  for (int64_t i = 0; i < kBoxGroup; ++i) {
    const Box corners = {reference.at[0][i], reference.at[1][i], reference.at[2][i], reference.at[3][i]};
    const CentredBox from =
        Corners ? centred(corners) : CentredBox{corners.x1, corners.y1, corners.x2, corners.y2};
    const Box to =
        decode({offset.at[x][i], offset.at[y][i], offset.at[2 + x][i], offset.at[2 + y][i]}, from, coding);
    box.at[0][i] = to.x1;
    box.at[1][i] = to.y1;
    box.at[2][i] = to.x2;
    box.at[3][i] = to.y2;
  }
  to_rows(box, boxes);
}

}  // namespace

TYTO_MULTIVERSION void decode_from_corners(const float* offsets, const float* references,
                                           const BoxCoding& coding, GroupRows& boxes) {
  decode_group<true>(offsets, references, coding, boxes);
}

TYTO_MULTIVERSION void decode_from_centres(const float* offsets, const float* references,
                                           const BoxCoding& coding, GroupRows& boxes) {
  decode_group<false>(offsets, references, coding, boxes);
}

TYTO_MULTIVERSION void clip_boxes(float width, float height, GroupRows& boxes) {
  for (int64_t i = 0; i < 4 * kBoxGroup; i += 4)
    write(clipped({boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]}, width, height), boxes + i);
}

}  // namespace tyto::kernels
