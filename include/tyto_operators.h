/* Operators of tyto for any trainer or engine: attention without its map of queries x keys, position
 * attention, pooling of regions of interest, and non-maximum suppression of a whole batch; with gradients,
 * the same bits in every call, on x86-64 CPUs and on NVIDIA GPUs. Plain C99; the library is
 * libtyto_operators.so.
 *
 * An operation is a descriptor and three functions:
 *
 *     tyto_attention, tyto_attention_backward
 *     tyto_position_attention, tyto_position_attention_backward
 *     tyto_roi_pool, tyto_roi_pool_backward
 *     tyto_roi_align, tyto_roi_align_backward
 *     tyto_nms
 *
 *     tyto_roi_align_desc align;
 *     tyto_roi_align_defaults(&align, sizeof align);
 *     align.elements = TYTO_FLOAT;
 *     align.images = 2, align.channels = 256, ...
 *     size_t bytes;
 *     char error[256];
 *     int code = tyto_roi_align_workspace(&align, &bytes, error, sizeof error);
 *     ...
 *     code = tyto_roi_align(&align, workspace, bytes, stream, error, sizeof error);
 *
 * tyto_X_defaults sets every field: sizes and pointers to 0, options to those of PyTorch and torchvision. Its
 * `size` is sizeof *desc. It does nothing with a null descriptor.
 *
 * tyto_X_workspace tells the bytes of workspace that a call with these sizes and options needs; on the CPU by
 * as many threads as OpenMP has. Arrays may be null as yet.
 *
 * tyto_X computes. Its workspace is memory of the device, of as many bytes or more, at any address; it holds
 * nothing between calls.
 *
 * Arrays are row-major and belong to the caller. They are host memory for TYTO_ON_CPU and memory of the
 * current CUDA device for TYTO_ON_CUDA; inputs are only read. `elements` is the type of those that are void*:
 * TYTO_FLOAT, TYTO_HALF or TYTO_BFLOAT16; TYTO_DOUBLE is refused. Halves are computed and summed in float; on
 * CUDA attention rounds the probabilities to them before it multiplies the values.
 *
 * On the CPU a call is over when it returns; OpenMP's threads share the work, and their number does not
 * change a bit of the results. On CUDA a call starts kernels on `stream` (a cudaStream_t; null is the default
 * one) and returns; it allocates nothing and waits for nothing, so it can be captured in a CUDA graph. On the
 * CPU `stream` is ignored. Different threads may call at once, each with a workspace of its own.
 *
 * Every function returns a code, and for all but TYTO_OPERATORS_OK one sentence in `error`, which has
 * `error_size` bytes and always ends in a 0 (null, or a size of 0: no text). After TYTO_OPERATORS_OK the text
 * is empty. Nothing is thrown, printed or kept.
 */
#ifndef TYTO_OPERATORS_H
#define TYTO_OPERATORS_H

#include <stddef.h>
#include <stdint.h>

#include <tyto_elements.h>

/* Of this header. A program runs with every library of the same major number that is not older. */
#define TYTO_OPERATORS_VERSION_MAJOR 1
#define TYTO_OPERATORS_VERSION_MINOR 0
#define TYTO_OPERATORS_VERSION_PATCH 0
#define TYTO_OPERATORS_VERSION \
  (TYTO_OPERATORS_VERSION_MAJOR * 10000 + TYTO_OPERATORS_VERSION_MINOR * 100 + TYTO_OPERATORS_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library: TYTO_OPERATORS_VERSION of the header that it was built with. */
int tyto_operators_version(void);

enum tyto_operators_code {
  TYTO_OPERATORS_OK = 0,
  TYTO_OPERATORS_BAD_ARGUMENT = 1, /* nothing was computed: the text names the argument */
  TYTO_OPERATORS_UNSUPPORTED = 2,  /* nothing was computed: this library was built without it */
  TYTO_OPERATORS_DEVICE = 3,       /* CUDA refused; the text has its words */
  TYTO_OPERATORS_INTERNAL = 4      /* a fault of the library's own */
};

/* What all descriptors have:
 * - size: sizeof the descriptor, by which a later library that knows more fields tells which are there. The
 *   defaults set it.
 * - elements: enum tyto_elements
 * - device: enum tyto_device
 * A gradient that is null is not wanted. Gradients are written, not added to. */

/* Where a map's channels stand. On CUDA and for halves FIRST is turned in the workspace. */
enum tyto_operators_layout {
  TYTO_OPERATORS_CHANNELS_LAST = 0, /* [images, height, width, channels] */
  TYTO_OPERATORS_CHANNELS_FIRST = 1 /* [images, channels, height, width] */
};

/* --- attention --- */

/* Scaled dot-product attention (Vaswani et al., NeurIPS 2017): y = softmax over the keys of (scale q . k +
 * bias) times v, of the keys that the mask leaves. 0 for a query that has no key, or -infinity for all of
 * them (torch: NaN); NaN or +infinity among a query's scores make its row NaN.
 *
 * The heads of a token stand side by side, and so may more: a stride is the elements from token to token, at
 * least those of all heads, and 0 is just as many. A tensor [batch, heads, tokens, depth] is one of batch *
 * heads items of one head. Bias and mask repeat along the batch: item b takes b % bias_batch, so that
 * bias_batch divides the batch, and mask_batch likewise.
 *
 * queries, keys and batch * heads are each below 2^31. On CUDA depth is at most 256. */
typedef struct tyto_attention_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, heads, queries, keys; /* keys may be 0 */
  int64_t depth, width;                /* of a head: values of a query and key, of a value */
  int64_t bias_batch, bias_heads;      /* 1, 1  bias_heads is 1 or heads */
  int64_t mask_batch, mask_queries;    /* 1, 1  mask_queries is 1 or queries */
  const void* q;                       /* [batch, queries, q_stride]  heads * depth of them */
  const void* k;                       /* [batch, keys, k_stride]  heads * depth */
  const void* v;                       /* [batch, keys, v_stride]  heads * width */
  const void* bias;                    /* [bias_batch, bias_heads, queries, keys]  null: none */
  const int32_t* mask; /* [mask_batch, mask_queries, keys]  0: not to this key; null: to all */
  void* y;             /* [batch, queries, y_stride]  heads * width */
  float* maximum;      /* [batch, heads, queries]  of a row's scores, for the gradient; null: not
                          wanted */
  float* sum;          /* [batch, heads, queries]  of e^(score - maximum), likewise */
  int64_t q_stride, k_stride, v_stride, y_stride; /* 0 */
  double scale;                                   /* 0: 1 / sqrt(depth) */
} tyto_attention_desc;
void tyto_attention_defaults(tyto_attention_desc* desc, size_t size);
int tyto_attention_workspace(const tyto_attention_desc* desc, size_t* bytes, char* error, size_t error_size);
int tyto_attention(const tyto_attention_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                   char* error, size_t error_size);

/* Its gradients, from what it left of its rows. Keys and values are finite, those that the mask leaves out as
 * well. Half loses gradients of scores below 2^-25, so that training in it scales its loss. */
typedef struct tyto_attention_backward_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, heads, queries, keys;
  int64_t depth, width;
  int64_t bias_batch, bias_heads;   /* 1, 1 */
  int64_t mask_batch, mask_queries; /* 1, 1 */
  const void* q;                    /* [batch, queries, q_stride] */
  const void* k;                    /* [batch, keys, k_stride] */
  const void* v;                    /* [batch, keys, v_stride] */
  const void* bias;                 /* [bias_batch, bias_heads, queries, keys]  null: none */
  const int32_t* mask;              /* [mask_batch, mask_queries, keys]  null: none */
  const float* maximum;             /* [batch, heads, queries]  as the attention left them */
  const float* sum;                 /* [batch, heads, queries] */
  const void* y_gradient;           /* [batch, queries, y_stride] */
  void* q_gradient;                 /* as q; what the stride leaves between tokens stays */
  void* k_gradient;                 /* as k */
  void* v_gradient;                 /* as v */
  float* bias_gradient;             /* as bias, summed over what shares it; without a bias null */
  int64_t q_stride, k_stride, v_stride, y_stride; /* 0  of the gradients, too */
  double scale;                                   /* 0: 1 / sqrt(depth) */
} tyto_attention_backward_desc;
void tyto_attention_backward_defaults(tyto_attention_backward_desc* desc, size_t size);
int tyto_attention_backward_workspace(const tyto_attention_backward_desc* desc, size_t* bytes, char* error,
                                      size_t error_size);
int tyto_attention_backward(const tyto_attention_backward_desc* desc, void* workspace, size_t workspace_bytes,
                            void* stream, char* error, size_t error_size);

/* Position attention: y = gamma * softmax_j(q_i . k_j) v_j + x over all positions of a map (Fu et al., "Dual
 * Attention Network for Scene Segmentation", CVPR 2019; the PAM of DANet's code). Scores are not scaled.
 *
 * positions and batch are each below 2^31. On CUDA depth is at most 256. */
typedef struct tyto_position_attention_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, positions; /* height * width */
  int64_t depth, channels;  /* of q and k; of v, x and y */
  const void* q;            /* [batch, positions, depth]; of CHANNELS_FIRST [batch, depth, positions] */
  const void* k;            /* likewise */
  const void* v;            /* [batch, positions, channels]; [batch, channels, positions] */
  const void* x;            /* likewise */
  const float* gamma;       /* [1]  where it is 0, y is x, if all is finite */
  void* y;                  /* as x */
  float* maximum;           /* [batch, positions]  of a row's scores, for the gradient; null: not wanted */
  float* sum;               /* [batch, positions]  of e^(score - maximum), likewise */
  int32_t layout;           /* enum tyto_operators_layout: TYTO_OPERATORS_CHANNELS_LAST */
} tyto_position_attention_desc;
void tyto_position_attention_defaults(tyto_position_attention_desc* desc, size_t size);
int tyto_position_attention_workspace(const tyto_position_attention_desc* desc, size_t* bytes, char* error,
                                      size_t error_size);
int tyto_position_attention(const tyto_position_attention_desc* desc, void* workspace, size_t workspace_bytes,
                            void* stream, char* error, size_t error_size);

/* Its gradients; that of x is y_gradient itself. */
typedef struct tyto_position_attention_backward_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, positions;
  int64_t depth, channels;
  const void* q; /* as `layout` says */
  const void* k;
  const void* v;
  const float* gamma;     /* [1] */
  const float* maximum;   /* [batch, positions]  as the attention left them */
  const float* sum;       /* [batch, positions] */
  const void* y_gradient; /* as y */
  void* q_gradient;       /* as q */
  void* k_gradient;       /* as k */
  void* v_gradient;       /* as v */
  float* gamma_gradient;  /* [1] */
  int32_t layout;         /* enum tyto_operators_layout: TYTO_OPERATORS_CHANNELS_LAST */
} tyto_position_attention_backward_desc;
void tyto_position_attention_backward_defaults(tyto_position_attention_backward_desc* desc, size_t size);
int tyto_position_attention_backward_workspace(const tyto_position_attention_backward_desc* desc,
                                               size_t* bytes, char* error, size_t error_size);
int tyto_position_attention_backward(const tyto_position_attention_backward_desc* desc, void* workspace,
                                     size_t workspace_bytes, void* stream, char* error, size_t error_size);

/* --- regions of interest --- */

/* Regions are rows of torchvision's form: the number of the image, then x1, y1, x2, y2 in the input's pixels,
 * which spatial_scale brings to the map's cells. A row whose number is none of the images', as -1, or that
 * has a NaN holds no region: its features are 0, and nothing goes back through it.
 *
 * An image's map, height * width * channels, is below 2^31, and so are regions * rows * columns; where maps
 * are turned, images * height * width * channels and regions * rows * columns * channels. */

/* RoI max pooling (Girshick, ICCV 2015) by the rule of Caffe, chainer and torchvision. A bin without cells is
 * 0; NaN is never larger, and where nothing is above -FLT_MAX it is that. */
typedef struct tyto_roi_pool_desc {
  size_t size;
  int32_t elements, device;
  int64_t images, channels, height, width; /* of the maps */
  int64_t regions;
  int64_t rows, columns; /* bins of a region */
  const void* maps;      /* as `layout` says */
  const float* rois;     /* [regions, 5] */
  void* features;        /* [regions, rows, columns, channels]; of CHANNELS_FIRST [regions, channels, rows,
                            columns] */
  int32_t* argmax; /* as many, for the gradient: of the same sizes, device and layout, in the library's own
                      order; null: not wanted */
  int32_t layout;  /* enum tyto_operators_layout: TYTO_OPERATORS_CHANNELS_LAST */
  double spatial_scale; /* 1 */
} tyto_roi_pool_desc;
void tyto_roi_pool_defaults(tyto_roi_pool_desc* desc, size_t size);
int tyto_roi_pool_workspace(const tyto_roi_pool_desc* desc, size_t* bytes, char* error, size_t error_size);
int tyto_roi_pool(const tyto_roi_pool_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                  char* error, size_t error_size);

/* Its gradient: every number goes to the cell that its bin's value was taken from. `argmax` is trusted. */
typedef struct tyto_roi_pool_backward_desc {
  size_t size;
  int32_t elements, device;
  int64_t images, channels, height, width;
  int64_t regions;
  int64_t rows, columns;
  const float* rois;             /* [regions, 5] */
  const int32_t* argmax;         /* as tyto_roi_pool left it */
  const void* features_gradient; /* as features */
  void* maps_gradient;           /* as maps */
  int32_t layout;                /* enum tyto_operators_layout: TYTO_OPERATORS_CHANNELS_LAST */
  double spatial_scale;          /* 1 */
} tyto_roi_pool_backward_desc;
void tyto_roi_pool_backward_defaults(tyto_roi_pool_backward_desc* desc, size_t size);
int tyto_roi_pool_backward_workspace(const tyto_roi_pool_backward_desc* desc, size_t* bytes, char* error,
                                     size_t error_size);
int tyto_roi_pool_backward(const tyto_roi_pool_backward_desc* desc, void* workspace, size_t workspace_bytes,
                           void* stream, char* error, size_t error_size);

/* RoIAlign (He et al., ICCV 2017), torchvision's arithmetic step by step, in float. Of a bin no more than
 * 4096 samples are taken along an axis. */
typedef struct tyto_roi_align_desc {
  size_t size;
  int32_t elements, device;
  int64_t images, channels, height, width; /* of the maps */
  int64_t regions;
  int64_t rows, columns;  /* bins of a region */
  const void* maps;       /* as `layout` says */
  const float* rois;      /* [regions, 5] */
  void* features;         /* [regions, rows, columns, channels]; of CHANNELS_FIRST [regions, channels, rows,
                             columns] */
  int32_t layout;         /* enum tyto_operators_layout: TYTO_OPERATORS_CHANNELS_LAST */
  int32_t sampling_ratio; /* 0  samples of a bin along an axis; 0: one a cell */
  int32_t aligned;        /* 0; 1: half a cell is subtracted */
  double spatial_scale;   /* 1 */
} tyto_roi_align_desc;
void tyto_roi_align_defaults(tyto_roi_align_desc* desc, size_t size);
int tyto_roi_align_workspace(const tyto_roi_align_desc* desc, size_t* bytes, char* error, size_t error_size);
int tyto_roi_align(const tyto_roi_align_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                   char* error, size_t error_size);

/* Its gradient by the maps; regions have none. */
typedef struct tyto_roi_align_backward_desc {
  size_t size;
  int32_t elements, device;
  int64_t images, channels, height, width;
  int64_t regions;
  int64_t rows, columns;
  const float* rois;             /* [regions, 5] */
  const void* features_gradient; /* as features */
  void* maps_gradient;           /* as maps */
  int32_t layout;                /* enum tyto_operators_layout: TYTO_OPERATORS_CHANNELS_LAST */
  int32_t sampling_ratio;        /* 0 */
  int32_t aligned;               /* 0 */
  double spatial_scale;          /* 1 */
} tyto_roi_align_backward_desc;
void tyto_roi_align_backward_defaults(tyto_roi_align_backward_desc* desc, size_t size);
int tyto_roi_align_backward_workspace(const tyto_roi_align_backward_desc* desc, size_t* bytes, char* error,
                                      size_t error_size);
int tyto_roi_align_backward(const tyto_roi_align_backward_desc* desc, void* workspace, size_t workspace_bytes,
                            void* stream, char* error, size_t error_size);

/* --- non-maximum suppression --- */

/* Which overlap of two boxes is too much. */
enum tyto_operators_suppress {
  TYTO_OPERATORS_GREATER = 0,      /* than the threshold: torchvision, ssd.pytorch */
  TYTO_OPERATORS_GREATER_EQUAL = 1 /* chainercv */
};

/* Greedy non-maximum suppression of a batch and all its classes: of each list of candidates, a class or with
 * `agnostic` an image, the box of the best score stays, and those that overlap it go. A candidate scores more
 * than score_threshold; boxes that are not finite and scores that are NaN are none.
 *
 * Rows come by score falling, then class, then box; the rows of an image that can be found,
 *
 *     capacity = min(lists * min(candidates of a list, top_k, max_per_class), max_detections),
 *
 * of which a limit of 0 is none, and lists * candidates is classes * count. classes * count < 2^31, classes <
 * 2^24. */
typedef struct tyto_nms_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, classes, count; /* boxes of an image */
  int64_t capacity;              /* as above */
  const void* boxes;             /* [batch, count, 4]  x1, y1, x2, y2, for all classes */
  const void* scores;            /* [batch, classes, count] */
  const int32_t* counts;         /* [batch]  boxes that there are, the first; null: all */
  float* detections; /* [batch, capacity, 6]  x1, y1, x2, y2, score, label: class + 1; behind the last row 0,
                        and label -1 */
  int32_t* kept;  /* [batch, capacity]  the number of each row's box, -1 behind the last; null: not wanted */
  int32_t* found; /* [batch]  rows that hold a detection */
  int32_t top_k;  /* 0  candidates of a list, the best; 0: all */
  int32_t max_per_class;  /* 0  of a list, after suppression; 0: all */
  int32_t max_detections; /* 0  of an image; 0: all */
  int32_t agnostic;       /* 0; 1: boxes of different classes suppress each other, too */
  int32_t rule;           /* enum tyto_operators_suppress: TYTO_OPERATORS_GREATER */
  double score_threshold; /* -infinity: all but NaN and -infinity */
  double iou_threshold;   /* 0.5  in 0..1 */
} tyto_nms_desc;
void tyto_nms_defaults(tyto_nms_desc* desc, size_t size);
int tyto_nms_workspace(const tyto_nms_desc* desc, size_t* bytes, char* error, size_t error_size);
int tyto_nms(const tyto_nms_desc* desc, void* workspace, size_t workspace_bytes, void* stream, char* error,
             size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
