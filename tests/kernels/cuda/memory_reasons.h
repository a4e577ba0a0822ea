// The kernels that move more sectors than 1.25 times the ideal, or conflict in shared memory's banks, and why
// they may.
#pragma once

#include <array>
#include <string_view>

namespace tyto::kernels {

struct MemoryReason {
  std::string_view kernel;  // without template arguments
  std::string_view reason;
};

inline constexpr auto kMemoryReasons = std::to_array<MemoryReason>({
    {"cv_bilinear_kernel",
     "shrinking: lanes read pixels 3 * scale bytes apart; a transposed stage would cost as many passes as it "
     "saves"},
    {"cv_halve_kernel", "as cv_bilinear_kernel"},
    {"pil_horizontal_kernel", "as cv_bilinear_kernel"},
    {"choose_anchors_kernel", "lanes count keys in the bins on which random digits fall"},
    {"choose_regions_kernel",
     "as choose_anchors_kernel; the rows of a sample stand anywhere among the regions"},
    {"anchor_totals_kernel",
     "threads read an anchor's few numbers one after the other, from sectors that L1 keeps; n of them beside "
     "n^2 measures"},
    {"triplet_totals_kernel", "as anchor_totals_kernel"},
    {"multibox_value_kernel", "as anchor_totals_kernel"},
    {"fuse_matrices_kernel", "as anchor_totals_kernel; a thread a camera beside thousands of points"},
    {"list_runs_kernel",
     "a column's runs were staged a row of columns apart, which writes them side by side"},
    {"find_cells_kernel", "as merge_tiles_kernel"},
    {"count_digits_kernel", "lanes count keys in the bins on which their digits fall"},
    {"place_entries_kernel", "as count_digits_kernel; an entry's place is what its digit says"},
    {"take_rows_kernel", "lanes count keys in the bins on which the digits of losses fall"},
    {"project_cameras_kernel", "as anchor_totals_kernel: a thread reads a camera's matrices, once a call"},
    {"merge_tiles_kernel",
     "each thread bisects the other tiles' sorted keys, and neighbours part on the way"},
    {"write_rows_kernel", "as merge_tiles_kernel; a row's neighbours in the result come from other classes"},
});

}  // namespace tyto::kernels
