/* Bird's-eye-view pooling of tyto for any trainer or engine: features of cameras are spread along their rays
 * by a distribution over depth and gathered in the cells of a grid seen from above (Lift-Splat-Shoot, Philion
 * and Fidler, ECCV 2020), forward and backward, without the lifted tensor of points x channels, the same bits
 * in every call, on x86-64 CPUs and on NVIDIA GPUs. Plain C99; the library is libtyto_bev.so.
 *
 * Three operations, each a descriptor and three functions:
 *
 *     tyto_bev_index          which points of the cameras' frustums fall into which cell: once a calibration
 *     tyto_bev_pool           maps of depth and features -> the grid's map
 *     tyto_bev_pool_backward  the gradient of the grid's map -> those of depth and features
 *
 *     tyto_bev_pool_desc pool;
 *     tyto_bev_pool_defaults(&pool, sizeof pool);
 *     pool.elements = TYTO_FLOAT;
 *     pool.samples = 1, pool.cameras = 6, ...
 *     size_t bytes;
 *     char error[256];
 *     int code = tyto_bev_pool_workspace(&pool, &bytes, error, sizeof error);
 *     ...
 *     code = tyto_bev_pool(&pool, workspace, bytes, stream, error, sizeof error);
 *
 * tyto_X_defaults sets every field: sizes and pointers to 0, options to those of Lift-Splat-Shoot. Its `size`
 * is sizeof *desc. It does nothing with a null descriptor.
 *
 * tyto_X_workspace tells the bytes of workspace that a call with these sizes and options needs. Arrays may be
 * null as yet.
 *
 * tyto_X computes. Its workspace is memory of the device, of as many bytes or more, at any address; it holds
 * nothing between calls.
 *
 * Arrays are row-major and belong to the caller. They are host memory for TYTO_ON_CPU and memory of the
 * current CUDA device for TYTO_ON_CUDA; inputs are only read. `elements` is the type of those that are void*;
 * halves are computed and summed in float.
 *
 * On the CPU a call is over when it returns; OpenMP's threads share the work, and their number does not
 * change a bit of the results. On CUDA a call starts kernels on `stream` (a cudaStream_t; null is the default
 * one) and returns; it allocates nothing and waits for nothing, so it can be captured in a CUDA graph. On the
 * CPU `stream` is ignored. Different threads may call at once, each with a workspace of its own.
 *
 * Every function returns a code, and for all but TYTO_BEV_OK one sentence in `error`, which has `error_size`
 * bytes and always ends in a 0 (null, or a size of 0: no text). After TYTO_BEV_OK the text is empty. Nothing
 * is thrown, printed or kept.
 */
#ifndef TYTO_BEV_H
#define TYTO_BEV_H

#include <stddef.h>
#include <stdint.h>

#include <tyto_elements.h>

/* Of this header. A program runs with every library of the same major number that is not older. */
#define TYTO_BEV_VERSION_MAJOR 1
#define TYTO_BEV_VERSION_MINOR 0
#define TYTO_BEV_VERSION_PATCH 0
#define TYTO_BEV_VERSION \
  (TYTO_BEV_VERSION_MAJOR * 10000 + TYTO_BEV_VERSION_MINOR * 100 + TYTO_BEV_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library: TYTO_BEV_VERSION of the header that it was built with. */
int tyto_bev_version(void);

enum tyto_bev_code {
  TYTO_BEV_OK = 0,
  TYTO_BEV_BAD_ARGUMENT = 1, /* nothing was computed: the text names the argument */
  TYTO_BEV_UNSUPPORTED = 2,  /* nothing was computed: this library was built without it */
  TYTO_BEV_DEVICE = 3,       /* CUDA refused; the text has its words */
  TYTO_BEV_INTERNAL = 4,     /* a fault of the library's own */
  /* tyto_bev_index on the CPU alone; the index is there, without the points of the camera that is named. */
  TYTO_BEV_SINGULAR_MATRIX = 16
};

/* What all descriptors have:
 * - size: sizeof the descriptor, by which a later library that knows more fields tells which are there. The
 *   defaults set it.
 * - elements: enum tyto_elements
 * - device: enum tyto_device
 * - samples, cameras: images of one moment are a sample; cameras * bins * height * width < 2^31 */

/* Points of one cell that stand one below the other in a column of one camera's map, at one depth. */
typedef struct tyto_bev_run {
  int32_t column;     /* (camera * bins + bin) * width + the feature map's column */
  uint16_t first_row; /* of the feature map */
  uint16_t rows;      /* at least 1 */
} tyto_bev_run;

/* Which of x and y a map has as its rows; the other is its columns. Lift-Splat-Shoot and BEVFusion: XY.
 * BEVDet, BEVDepth and Fast-BEV: YX. On a square grid a mistake goes unseen. */
enum tyto_bev_axes { TYTO_BEV_AXES_XY = 0, TYTO_BEV_AXES_YX = 1 };

/* How (p - lower) / step becomes a cell's index. TRUNCATE, toward zero, also takes points up to a whole cell
 * below `lower` into cell 0; all published poolings do that. */
enum tyto_bev_rounding { TYTO_BEV_TRUNCATE = 0, TYTO_BEV_FLOOR = 1 };

/* The index of a rig. Point (bin, row, column) of a camera is the pixel (u, v) of the network's input, u =
 * linspace(0, image_width - 1, width)[column], v likewise, at first_depth + bin * depth_step metres along the
 * camera's axis; it stands at rotation * K^-1 A^-1 (u d, v d, d) + translation. Cell (row * columns + column)
 * * levels + level. A camera whose matrices have no inverse or are not finite has no points; on CUDA, where a
 * call does not wait, no code says so. */
typedef struct tyto_bev_index_desc {
  size_t size;
  int32_t elements, device; /* TYTO_DOUBLE or TYTO_FLOAT: of the matrices */
  int64_t samples, cameras;
  int64_t bins, height, width;    /* of the feature maps; height and width below 65536 */
  const void* intrinsics;         /* [samples, cameras, 3, 3]  K, pixels of the camera's own image */
  const void* camera_to_grid;     /* [samples, cameras, 4, 4]  rotation and translation in metres */
  const void* image_augmentation; /* [samples, cameras, 3, 3]  A, from pixels of the camera's image to those
                                     of the network's input, last row 0 0 1; null: none */
  const int32_t* changed;         /* [samples]  0: this sample's index stays as it is; null: all are built */
  int32_t* cell_starts;           /* [samples, cells + 1]  cell i has runs cell_starts[i] ..
                                     cell_starts[i + 1] - 1 */
  tyto_bev_run* runs;             /* [samples, cameras * bins * height * width]  by cell, camera, bin, column,
                                     row; behind the last they mean nothing */
  int32_t* cells;                 /* [samples, cameras, bins, height, width]  a point's cell, -1 outside: for
                                     gradients; null: not wanted */
  int32_t grid[3];                /* 200, 200, 1  cells along x, y, z; their product is below 2^31 */
  int32_t in_float;               /* 0; 1: geometry is computed in float, of matrices of TYTO_FLOAT */
  int32_t image_height, image_width; /* 128, 352  of the network's input */
  int32_t axes;                      /* enum tyto_bev_axes: TYTO_BEV_AXES_XY */
  int32_t rounding;                  /* enum tyto_bev_rounding: TYTO_BEV_TRUNCATE */
  double first_depth, depth_step;    /* 4, 1  metres, positive */
  double lower[3];                   /* -50, -50, -10  metres, of the first cells' faces: x, y, z */
  double step[3];                    /* 0.5, 0.5, 20  a cell's sides, positive */
} tyto_bev_index_desc;
void tyto_bev_index_defaults(tyto_bev_index_desc* desc, size_t size);
int tyto_bev_index_workspace(const tyto_bev_index_desc* desc, size_t* bytes, char* error, size_t error_size);
int tyto_bev_index(const tyto_bev_index_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                   char* error, size_t error_size);

/* On CUDA runs are aligned to 8 bytes. */

enum tyto_bev_reduction {
  TYTO_BEV_SUM = 0,
  TYTO_BEV_MEAN = 1, /* over the cell's points, each counted as one whatever its depth's weight */
  TYTO_BEV_MAX = 2   /* of weight * feature, a channel at a time; of equal ones the first in the index wins */
};

enum tyto_bev_bins {
  TYTO_BEV_BINS_FIRST = 0, /* [samples, cameras, bins, height, width] */
  TYTO_BEV_BINS_LAST = 1   /* [samples, cameras, height, width, bins] */
};

enum tyto_bev_layout {
  TYTO_BEV_CHANNELS_LAST = 0, /* [samples, rows, columns, levels * channels] */
  TYTO_BEV_CHANNELS_FIRST = 1 /* [samples, levels * channels, rows, columns] */
};

/* out[sample, row, column, level * channels + c] = sum over the cell's points of weight * feature, 0 where
 * there are none; written whole. The index is that of tyto_bev_index, of the same sizes, and is trusted. */
typedef struct tyto_bev_pool_desc {
  size_t size;
  int32_t elements, device;
  int64_t samples, cameras;
  int64_t bins, height, width, channels; /* of the feature maps */
  int64_t rows, columns, levels;         /* of the grid: AXES_XY grid[0], grid[1], grid[2] */
  const void* depth;                     /* as `depth_bins` says */
  const void* features;                  /* [samples, cameras, height, width, channels] */
  const int32_t* cell_starts;            /* [samples, rows * columns * levels + 1] */
  const tyto_bev_run* runs;              /* [samples, cameras * bins * height * width] */
  void* out;                             /* as `layout` says */
  int32_t* winners;       /* [samples, rows, columns, levels, channels]  of TYTO_BEV_MAX, for its gradient:
                             the point that won, counted as `cells` of the index are, or -1; null: not wanted */
  int64_t depth_stride;   /* 0  elements from pixel to pixel, of BINS_LAST, at least `bins`; 0: bins */
  int64_t feature_stride; /* 0  likewise, at least `channels`; 0: channels */
  int32_t reduction;      /* enum tyto_bev_reduction: TYTO_BEV_SUM */
  int32_t logits;         /* 1: depth holds logits, of which the softmax over a pixel's bins is the weights;
                             0: weights */
  int32_t depth_bins;     /* enum tyto_bev_bins: TYTO_BEV_BINS_FIRST */
  int32_t layout;         /* enum tyto_bev_layout: TYTO_BEV_CHANNELS_LAST */
} tyto_bev_pool_desc;
void tyto_bev_pool_defaults(tyto_bev_pool_desc* desc, size_t size);
int tyto_bev_pool_workspace(const tyto_bev_pool_desc* desc, size_t* bytes, char* error, size_t error_size);
int tyto_bev_pool(const tyto_bev_pool_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                  char* error, size_t error_size);

/* Gradients of depth (of the logits, where it holds logits) and of features, laid out as they are and written
 * whole, but for what strides leave between pixels. A point outside the grid gets 0. On CUDA bins are at most
 * 1000. */
typedef struct tyto_bev_pool_backward_desc {
  size_t size;
  int32_t elements, device;
  int64_t samples, cameras;
  int64_t bins, height, width, channels; /* of the feature maps */
  int64_t rows, columns, levels;         /* of the grid */
  const void* depth;                     /* as `depth_bins` says */
  const void* features;                  /* [samples, cameras, height, width, channels] */
  const int32_t* cell_starts;            /* [samples, rows * columns * levels + 1] */
  const tyto_bev_run* runs;              /* [samples, cameras * bins * height * width] */
  const int32_t* cells;                  /* [samples, cameras, bins, height, width] */
  const int32_t* winners; /* [samples, rows, columns, levels, channels]  of TYTO_BEV_MAX, as the pooling left
                             them; of the others null */
  const void* out_gradient; /* as `layout` says */
  void* depth_gradient;     /* null: not wanted */
  void* features_gradient;  /* null: not wanted */
  int64_t depth_stride;     /* as for the pooling, of the gradients too */
  int64_t feature_stride;
  int32_t reduction, logits, depth_bins, layout;
} tyto_bev_pool_backward_desc;
void tyto_bev_pool_backward_defaults(tyto_bev_pool_backward_desc* desc, size_t size);
int tyto_bev_pool_backward_workspace(const tyto_bev_pool_backward_desc* desc, size_t* bytes, char* error,
                                     size_t error_size);
int tyto_bev_pool_backward(const tyto_bev_pool_backward_desc* desc, void* workspace, size_t workspace_bytes,
                           void* stream, char* error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
