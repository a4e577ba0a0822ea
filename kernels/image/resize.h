// Resampling of 8-bit RGB images to such, bit for bit as Pillow and OpenCV do it. (Those whose results are
// floats are resize_bilinear.h's.)
//
// Pil*: PIL.Image.resize (Pillow 9.4, Resample.c): antialiased, two passes (horizontal, then vertical) with
// 8-bit pixels in between, weights in fixed point with 22 fractional bits; a pass that changes no size is
// skipped. CvBilinear: cv2.resize with INTER_LINEAR (OpenCV 4.6, resize.cpp): not antialiased, weights with
// 11 fractional bits, and the mean of 2x2 pixels where both sizes are exactly halved.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/stream.h"
#include "kernels/image/resample_axis.h"

namespace tyto::kernels {

struct ResizeParams {
  int in_width = 0, in_height = 0;    // the image, >= 1
  int out_width = 0, out_height = 0;  // what the whole image is resampled to, >= 1
  // The part of the resampled image that is computed and written; the rest costs nothing.
  int window_x = 0, window_y = 0, window_width = 0, window_height = 0;
  Resampling resampling = Resampling::PilBilinear;

  bool operator==(const ResizeParams&) const = default;
};

// What resize_cpu keeps between calls: weights (reused while the sizes stay) and rows in progress. It grows
// to the largest image seen. One per thread.
struct ResizeScratch {
  ResampleAxis horizontal, vertical;
  std::vector<uint8_t> columns;               // Pillow: a strip of source rows, turned to columns
  std::vector<const uint8_t*> column_starts;  // one for each column of the strip
  std::vector<uint8_t> ring;                  // rows after the horizontal pass, the last few
  std::vector<const uint8_t*> row_starts;     // the rows that one output row is made of
  std::vector<int32_t> sums;                  // OpenCV: two rows after the horizontal pass
};

// std::invalid_argument if a size is not positive or the window is not inside the resampled image.
void check_window(const ResizeParams&);

// Which outputs of each axis the window takes.
AxisRange horizontal_range(const ResizeParams&);
AxisRange vertical_range(const ResizeParams&);

// Whether OpenCV takes the mean of 2x2 pixels.
bool halves(const ResizeParams&);

// image  [in_height, in_width, 3]
// out    [window_height, window_width, 3], its rows out_row_bytes apart
// std::invalid_argument as check_window, and for a resampling that gives floats. One thread; no allocation
// once the scratch has grown. Not in place.
void resize_cpu(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams&,
                ResizeScratch&);

// The same bytes on CUDA, from and to device memory. `tables` is the device's copy of what make_resize_tables
// (resize_tables.h) made for the same parameters. No allocation, no host synchronisation.
// Workspace: resize_workspace_bytes(), aligned to 16; 0 bytes for CvBilinear.
int64_t resize_workspace_bytes(const ResizeParams&);
void resize(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams&,
            const int32_t* tables, void* workspace, Stream);

}  // namespace tyto::kernels
