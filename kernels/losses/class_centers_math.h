// What group_rows and the losses on groups share between the CPU and CUDA.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/losses/class_centers.h"

namespace tyto::kernels {

// Sorts rows by label, then modality, then number.
TYTO_HOST_DEVICE inline uint64_t group_key(int32_t label, int32_t modality, int64_t row) {
  const uint64_t group = static_cast<uint64_t>(static_cast<uint32_t>(label)) << 1 | (modality != 0);
  return group << 32 | static_cast<uint64_t>(row);  // a label that is no fault has 31 bits
}
TYTO_HOST_DEVICE inline int32_t row_of_key(uint64_t key) { return static_cast<int32_t>(key & 0x7fffffff); }
TYTO_HOST_DEVICE inline int32_t label_of_key(uint64_t key) { return static_cast<int32_t>(key >> 33); }
TYTO_HOST_DEVICE inline bool same_group(uint64_t a, uint64_t b) { return a >> 32 == b >> 32; }

// How many rows the class of a group has, over both modalities, whose groups are neighbours.
TYTO_HOST_DEVICE inline int32_t class_size(const RowGroups& groups, int32_t count, int32_t group) {
  const int32_t label = groups.labels[group];
  const bool before = group > 0 && groups.labels[group - 1] == label;
  const bool behind = group + 1 < count && groups.labels[group + 1] == label;
  return groups.begins[group + 1 + behind] - groups.begins[group - before];
}

// The group of a label, where groups are classes; -1: none.
TYTO_HOST_DEVICE inline int32_t find_group(const RowGroups& groups, int32_t label) {
  int32_t begin = 0, end = *groups.count;
  while (begin < end) {
    const int32_t middle = begin + (end - begin) / 2;
    if (groups.labels[middle] < label)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin < *groups.count && groups.labels[begin] == label ? begin : -1;
}

}  // namespace tyto::kernels
