// What the launches of the selection on CUDA share: a call's sizes, and its workspace.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/detection/nms_lists.h"

namespace tyto::kernels {

inline constexpr int kNmsTile =
    4096;  // candidates whose keys fit into the shared memory that every device has

struct NmsSizes {
  NmsLists lists;
  int tiles;       // of a list
  int run;         // the most candidates that go on from a tile
  int candidates;  // the most of a list
  int kept;        // the most that suppression leaves of a list
  int rows;        // of an image's result

  TYTO_HOST_DEVICE int64_t image_scores() const { return int64_t{lists.classes} * lists.count; }
  TYTO_HOST_DEVICE int64_t image_boxes() const { return lists.class_boxes ? image_scores() : lists.count; }
};

struct NmsWorkspace {
  float* kept_boxes;     // [n, lists, kept, 4]
  uint64_t* runs;        // [n, lists, tiles, run]    keys of score and candidate
  uint64_t* candidates;  // [n, lists, candidates]    likewise
  uint64_t* shown;       // [n, lists, kept]          keys of score and place among the image's kept boxes
  int* kept_candidates;  // [n, lists, kept]
  int* run_lengths;      // [n, lists, tiles]
  int* shown_lengths;    // [n, lists]
};

}  // namespace tyto::kernels
