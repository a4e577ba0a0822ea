/* The losses of tyto for any trainer: value and gradient in one call, the same bits in every call, on x86-64
 * CPUs and on NVIDIA GPUs. Plain C99; the library is libtyto_losses.so.
 *
 * A loss is a descriptor and three functions:
 *
 *     tyto_circle_loss_desc loss;
 *     tyto_circle_loss_defaults(&loss, sizeof loss);
 *     loss.elements = TYTO_FLOAT;
 *     loss.rows = 64, loss.width = 2048;
 *     loss.features = features, loss.labels = labels;
 *     loss.value = &value, loss.gradient = gradient;
 *     size_t bytes;
 *     char error[256];
 *     int code = tyto_circle_loss_workspace(&loss, &bytes, error, sizeof error);
 *     ...
 *     code = tyto_circle_loss(&loss, workspace, bytes, stream, error, sizeof error);
 *
 * tyto_X_defaults sets every field: sizes and pointers to 0, options to those of the named reference or
 * paper. Its `size` is sizeof *desc. It does nothing with a null descriptor.
 *
 * tyto_X_workspace tells the bytes of workspace that a call with these sizes and options needs. Arrays may be
 * null as yet.
 *
 * tyto_X is the loss. Its workspace is memory of the device, of as many bytes or more, at any address; it
 * holds nothing between calls.
 *
 * Arrays are dense and row-major, [rows, width] has its rows one behind the other, and belong to the caller.
 * They are host memory for TYTO_ON_CPU and memory of the current CUDA device for TYTO_ON_CUDA; inputs are
 * only read. `elements` is the type of inputs and gradients; those that are said to be `real` are double
 * for TYTO_DOUBLE, and float for the others, in which the others also compute and sum.
 *
 * On the CPU a call is over when it returns; OpenMP's threads share the work, and their number does not
 * change a bit of the results. On CUDA a call starts kernels on `stream` (a cudaStream_t; null is the default
 * one) and returns; it allocates nothing and waits for nothing, so it can be captured in a CUDA graph. On the
 * CPU `stream` is ignored. Different threads may call at once, each with a workspace of its own.
 *
 * Every function returns a code, and for all but TYTO_LOSSES_OK one sentence in `error`, which has
 * `error_size` bytes and always ends in a 0 (null, or a size of 0: no text). After TYTO_LOSSES_OK the text
 * is empty. Nothing is thrown, printed or kept.
 *
 * An input that is not finite, or a label out of range, makes the value NaN, and so the gradients that depend
 * on it. The CPU's call then returns a code that says so, and the text says which row. On CUDA, where a call
 * does not wait, `status` is for that: a word in the device's memory that the caller sets to 0, that calls
 * only raise (so that several losses can share it), and of which tyto_losses_describe_status makes the text.
 * It may be null, and may be given on the CPU too.
 */
#ifndef TYTO_LOSSES_H
#define TYTO_LOSSES_H

#include <stddef.h>
#include <stdint.h>

#include <tyto_elements.h>

/* Of this header. A program runs with every library of the same major number that is not older. */
#define TYTO_LOSSES_VERSION_MAJOR 1
#define TYTO_LOSSES_VERSION_MINOR 0
#define TYTO_LOSSES_VERSION_PATCH 0
#define TYTO_LOSSES_VERSION \
  (TYTO_LOSSES_VERSION_MAJOR * 10000 + TYTO_LOSSES_VERSION_MINOR * 100 + TYTO_LOSSES_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library: TYTO_LOSSES_VERSION of the header that it was built with. */
int tyto_losses_version(void);

enum tyto_losses_code {
  TYTO_LOSSES_OK = 0,
  TYTO_LOSSES_BAD_ARGUMENT = 1, /* nothing was computed: the text names the argument */
  TYTO_LOSSES_UNSUPPORTED = 2,  /* nothing was computed: this library was built without it */
  TYTO_LOSSES_DEVICE = 3,       /* CUDA refused; the text has its words */
  TYTO_LOSSES_INTERNAL = 4,     /* a fault of the library's own */
  /* The CPU's calls alone; results are there. The graver wins, in the order 16, 17, 18. */
  TYTO_LOSSES_DEGENERATE_BOX = 16, /* a box without width or height; results are what the reference gives */
  TYTO_LOSSES_LABEL_OUT_OF_RANGE = 17, /* NaN */
  TYTO_LOSSES_NOT_FINITE = 18          /* NaN */
};

/* "features: row 17 holds a value that is not finite" of a status word that was copied from the device; the
 * code of that fault, or TYTO_LOSSES_OK and no text for 0. */
int tyto_losses_describe_status(uint64_t status, char* text, size_t text_size);

/* What all descriptors have:
 * - size: sizeof the descriptor, by which a later library that knows more fields tells which are there. The
 *   defaults set it.
 * - elements: enum tyto_elements
 * - device: enum tyto_device
 * - scale: a factor of the gradients, but not of the value: the loss scale of training in halves
 * - status: [1] or null; see above
 * A gradient that is null is not wanted. */

/* --- metric losses on the pairs of a batch --- */

/* Circle loss (Sun et al., CVPR 2020), one loss for the whole batch, as layumi's Person_reID_baseline_pytorch
 * has it before it divides by the batch's size. On features of unit length, which it makes itself:
 *   l_p = -gamma [1 + margin - s]+ (s - (1 - margin)),  l_n = gamma [s + margin]+ (s - margin),
 *   value = softplus(logsumexp l_p + logsumexp l_n)
 * over the products s of pairs of one label and of two. 0 without positive or without negative pairs. */
typedef struct tyto_circle_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;   /* rows * rows < 2^31 */
  const void* features;  /* [rows, width] */
  const int32_t* labels; /* [rows]  at least 0 */
  void* value;           /* [1]  real */
  void* gradient;        /* [rows, width]  scale * d value / d features */
  double scale;          /* 1 */
  uint64_t* status;
  double margin; /* 0.25 */
  double gamma;  /* 32 */
} tyto_circle_loss_desc;
void tyto_circle_loss_defaults(tyto_circle_loss_desc* desc, size_t size);
int tyto_circle_loss_workspace(const tyto_circle_loss_desc* desc, size_t* bytes, char* error,
                               size_t error_size);
int tyto_circle_loss(const tyto_circle_loss_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                     char* error, size_t error_size);

/* Triplet loss, as layumi's Person_reID_baseline_pytorch has it of pytorch-metric-learning, on features that
 * it brings to unit length: the mean, over those that are not 0, of [d_ap - d_an + margin]+ over all
 * triplets, or over those that the multi-similarity miner finds. 0 where none is left. */
typedef struct tyto_triplet_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;   /* rows * rows < 2^31 */
  const void* features;  /* [rows, width] */
  const int32_t* labels; /* [rows]  at least 0 */
  void* value;           /* [1]  real */
  void* gradient;        /* [rows, width] */
  double scale;          /* 1 */
  uint64_t* status;
  double margin;  /* 0.3 */
  int32_t mined;  /* 1 */
  double epsilon; /* 0.1, of the miner */
} tyto_triplet_loss_desc;
void tyto_triplet_loss_defaults(tyto_triplet_loss_desc* desc, size_t size);
int tyto_triplet_loss_workspace(const tyto_triplet_loss_desc* desc, size_t* bytes, char* error,
                                size_t error_size);
int tyto_triplet_loss(const tyto_triplet_loss_desc* desc, void* workspace, size_t workspace_bytes,
                      void* stream, char* error, size_t error_size);

/* Contrastive loss of pytorch-metric-learning on features that it brings to unit length: the mean of
 * [d - positive_margin]+ over pairs of one label plus that of [negative_margin - d]+ over pairs of two, each
 * over those that are not 0. */
typedef struct tyto_contrastive_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;   /* rows * rows < 2^31 */
  const void* features;  /* [rows, width] */
  const int32_t* labels; /* [rows]  at least 0 */
  void* value;           /* [1]  real */
  void* gradient;        /* [rows, width] */
  double scale;          /* 1 */
  uint64_t* status;
  double positive_margin; /* 0 */
  double negative_margin; /* 1 */
} tyto_contrastive_loss_desc;
void tyto_contrastive_loss_defaults(tyto_contrastive_loss_desc* desc, size_t size);
int tyto_contrastive_loss_workspace(const tyto_contrastive_loss_desc* desc, size_t* bytes, char* error,
                                    size_t error_size);
int tyto_contrastive_loss(const tyto_contrastive_loss_desc* desc, void* workspace, size_t workspace_bytes,
                          void* stream, char* error, size_t error_size);

/* Generalised lifted structure loss of pytorch-metric-learning 2 on features that it brings to unit length:
 * the mean over rows of [logsumexp over positives (d - positive_margin) + logsumexp over negatives
 * (negative_margin - d)]+, of which one over nothing is 0. 0 without rows. */
typedef struct tyto_lifted_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;   /* rows * rows < 2^31 */
  const void* features;  /* [rows, width] */
  const int32_t* labels; /* [rows]  at least 0 */
  void* value;           /* [1]  real */
  void* gradient;        /* [rows, width] */
  double scale;          /* 1 */
  uint64_t* status;
  double positive_margin; /* 0 */
  double negative_margin; /* 1 */
} tyto_lifted_loss_desc;
void tyto_lifted_loss_defaults(tyto_lifted_loss_desc* desc, size_t size);
int tyto_lifted_loss_workspace(const tyto_lifted_loss_desc* desc, size_t* bytes, char* error,
                               size_t error_size);
int tyto_lifted_loss(const tyto_lifted_loss_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                     char* error, size_t error_size);

/* Instance loss (Zheng et al., ACM TOMM 2020), before layumi's train.py divides it by the batch's size: every
 * row, or every label's mean, is a class of its own. With u = f / (||f|| + added_length), the mean over i of
 * -log softmax_j(gamma u_i u_j) at j = i. NaN without rows. */
typedef struct tyto_instance_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;   /* rows * rows < 2^31 */
  const void* features;  /* [rows, width] */
  const int32_t* labels; /* [rows]  at least 0 */
  void* value;           /* [1]  real */
  void* gradient;        /* [rows, width] */
  double scale;          /* 1 */
  uint64_t* status;
  double gamma;        /* 32; at most 256 */
  double added_length; /* 1e-8 */
  int32_t by_identity; /* 0; 1: rows of one label are averaged first */
} tyto_instance_loss_desc;
void tyto_instance_loss_defaults(tyto_instance_loss_desc* desc, size_t size);
int tyto_instance_loss_workspace(const tyto_instance_loss_desc* desc, size_t* bytes, char* error,
                                 size_t error_size);
int tyto_instance_loss(const tyto_instance_loss_desc* desc, void* workspace, size_t workspace_bytes,
                       void* stream, char* error, size_t error_size);

/* Triplet loss of each row's farthest positive and nearest negative (Hermans et al., 2017), as AGW's
 * OriTripletLoss has it, on features as they are: the mean of [d_p - d_n + margin]+. 0 with one label only,
 * and without rows. */
typedef struct tyto_batch_hard_triplet_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;   /* rows * rows < 2^31 */
  const void* features;  /* [rows, width] */
  const int32_t* labels; /* [rows]  at least 0 */
  void* value;           /* [1]  real */
  void* gradient;        /* [rows, width] */
  double scale;          /* 1 */
  uint64_t* status;
  double margin; /* 0.3 */
} tyto_batch_hard_triplet_loss_desc;
void tyto_batch_hard_triplet_loss_defaults(tyto_batch_hard_triplet_loss_desc* desc, size_t size);
int tyto_batch_hard_triplet_loss_workspace(const tyto_batch_hard_triplet_loss_desc* desc, size_t* bytes,
                                           char* error, size_t error_size);
int tyto_batch_hard_triplet_loss(const tyto_batch_hard_triplet_loss_desc* desc, void* workspace,
                                 size_t workspace_bytes, void* stream, char* error, size_t error_size);

/* Weighted regularised triplet loss of AGW (Ye et al., TPAMI 2021) on features as they are: the mean over
 * rows of log(1 + exp(sum w_p d_p - sum w_n d_n)), weights being softmaxes of d_p and of -d_n. NaN without
 * rows. */
typedef struct tyto_weighted_regularized_triplet_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;   /* rows * rows < 2^31 */
  const void* features;  /* [rows, width] */
  const int32_t* labels; /* [rows]  at least 0 */
  void* value;           /* [1]  real */
  void* gradient;        /* [rows, width] */
  double scale;          /* 1 */
  uint64_t* status;
} tyto_weighted_regularized_triplet_loss_desc;
void tyto_weighted_regularized_triplet_loss_defaults(tyto_weighted_regularized_triplet_loss_desc* desc,
                                                     size_t size);
int tyto_weighted_regularized_triplet_loss_workspace(const tyto_weighted_regularized_triplet_loss_desc* desc,
                                                     size_t* bytes, char* error, size_t error_size);
int tyto_weighted_regularized_triplet_loss(const tyto_weighted_regularized_triplet_loss_desc* desc,
                                           void* workspace, size_t workspace_bytes, void* stream, char* error,
                                           size_t error_size);

/* --- losses of classifiers --- */

/* Softmax cross entropy with smoothed labels, the mean over the rows:
 * torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing). NaN without rows. */
typedef struct tyto_cross_entropy_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, classes; /* classes < 2^31 */
  int64_t parts;         /* 1; logits of several classifiers of the same rows: the sum of their means (PCB) */
  const void* logits;    /* [parts, rows, classes] */
  const int32_t* labels; /* [rows]  in [0, classes) */
  void* value;           /* [1]  real */
  void* gradient;        /* [parts, rows, classes]; may be `logits` itself */
  double scale;          /* 1 */
  uint64_t* status;
  double smoothing;      /* 0; in [0, 1]. The target is (1 - smoothing) onehot + smoothing / classes */
  int32_t ignores;       /* 0; 1: rows of `ignored_label` count for nothing, and may hold anything */
  int32_t ignored_label; /* -1 */
} tyto_cross_entropy_desc;
void tyto_cross_entropy_defaults(tyto_cross_entropy_desc* desc, size_t size);
int tyto_cross_entropy_workspace(const tyto_cross_entropy_desc* desc, size_t* bytes, char* error,
                                 size_t error_size);
int tyto_cross_entropy(const tyto_cross_entropy_desc* desc, void* workspace, size_t workspace_bytes,
                       void* stream, char* error, size_t error_size);

/* Cross entropy over the cosines between a feature and one weight a class, with a margin on the label's own,
 * as pytorch-metric-learning 2 has it. NaN without rows.
 *   method           margin            logit_scale
 *   TYTO_ARC_FACE    28.6 pi / 180     64           in [0, pi]
 *   TYTO_COS_FACE    0.35              64
 *   TYTO_SPHERE_FACE 4                 1            whole, at least 1 */
enum tyto_angular_margin { TYTO_ARC_FACE = 0, TYTO_COS_FACE = 1, TYTO_SPHERE_FACE = 2 };
typedef struct tyto_margin_softmax_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width, classes; /* rows * classes and classes * width < 2^31 */
  const void* features;         /* [rows, width]; any length */
  const int32_t* labels;        /* [rows]  in [0, classes) */
  const void* weights;          /* [width, classes], a column a class; any length */
  void* value;                  /* [1]  real */
  void* gradient;               /* [rows, width] */
  void* weights_gradient;       /* [width, classes] */
  double scale;                 /* 1 */
  uint64_t* status;             /* of a fault in the weights the row is the class */
  int32_t method;               /* TYTO_ARC_FACE */
  double margin, logit_scale;   /* those of ArcFace */
} tyto_margin_softmax_desc;
void tyto_margin_softmax_defaults(tyto_margin_softmax_desc* desc, size_t size);
int tyto_margin_softmax_workspace(const tyto_margin_softmax_desc* desc, size_t* bytes, char* error,
                                  size_t error_size);
int tyto_margin_softmax(const tyto_margin_softmax_desc* desc, void* workspace, size_t workspace_bytes,
                        void* stream, char* error, size_t error_size);

/* The regulariser between two views of the same images (layumi's train.py --DG), with p and q = softmax of
 * their logits: the mean over rows of (KL(p || q) + KL(q || p)) / 2. NaN without rows. */
typedef struct tyto_symmetric_kl_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, classes;      /* classes < 2^31 */
  const void *first, *second; /* [rows, classes] */
  void* value;                /* [1]  real */
  void* gradient;             /* [rows, classes]  of the first */
  void* second_gradient;      /* [rows, classes] */
  double scale;               /* 1 */
  uint64_t* status;           /* the second view's logits are called the teacher's */
} tyto_symmetric_kl_desc;
void tyto_symmetric_kl_defaults(tyto_symmetric_kl_desc* desc, size_t size);
int tyto_symmetric_kl_workspace(const tyto_symmetric_kl_desc* desc, size_t* bytes, char* error,
                                size_t error_size);
int tyto_symmetric_kl(const tyto_symmetric_kl_desc* desc, void* workspace, size_t workspace_bytes,
                      void* stream, char* error, size_t error_size);

/* --- losses around the centres of classes --- */

/* The cross-modality dual-constraint loss (CMDC) of visible-thermal re-identification (Wang et al., Entropy
 * 24(4):443, 2022); its formulas were not to be had, and what is our reading is said in
 * kernels/losses/cmdc.h. With d the distances of the C centres to the rows: value = 1/C sum over centres (agg
 * over rows of its class [d - positive_bound]+
 *                                 + agg over the others [negative_bound - d]+)
 *           + center_weight / (2 rows) sum over rows ||x - its centre||^2
 * 0 without rows. */
enum tyto_cmdc_centers {
  TYTO_CENTERS_OF_MODALITY = 0, /* of each class and modality the mean of its rows in the batch */
  TYTO_CENTERS_JOINT = 1,       /* of each class the mean of all its rows in the batch */
  TYTO_CENTERS_LEARNED = 2      /* those of `centers`, of the classes in the batch */
};
enum tyto_cmdc_mining { TYTO_MINE_ALL = 0 /* agg is the mean */, TYTO_MINE_HARD = 1 /* the largest */ };
typedef struct tyto_cmdc_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;       /* rows * rows < 2^31 */
  int64_t classes;           /* 0; of learned centres, less than 2^31 */
  const void* features;      /* [rows, width] */
  const int32_t* labels;     /* [rows]  at least 0; with learned centres less than classes */
  const int32_t* modalities; /* [rows]  0 visible, 1 thermal; may be null but for TYTO_CENTERS_OF_MODALITY */
  const void* learned;       /* [classes, width]; null but for TYTO_CENTERS_LEARNED */
  void* value;               /* [1]  real */
  void* gradient;            /* [rows, width] */
  void* learned_gradient;    /* [classes, width] */
  double scale;              /* 1 */
  uint64_t* status;
  int32_t centers;       /* TYTO_CENTERS_OF_MODALITY */
  int32_t mining;        /* TYTO_MINE_ALL */
  int32_t normalize;     /* 1: features are brought to unit length */
  double positive_bound; /* 0.3 */
  double negative_bound; /* 1 */
  double center_weight;  /* 0 */
} tyto_cmdc_loss_desc;
void tyto_cmdc_loss_defaults(tyto_cmdc_loss_desc* desc, size_t size);
int tyto_cmdc_loss_workspace(const tyto_cmdc_loss_desc* desc, size_t* bytes, char* error, size_t error_size);
int tyto_cmdc_loss(const tyto_cmdc_loss_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                   char* error, size_t error_size);

/* identity + lambda * cmdc: cross entropy of a classifier's logits with smoothed labels, and CMDC of the
 * features of the same rows, as above. NaN without rows. */
typedef struct tyto_identity_and_cmdc_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width, classes; /* rows * rows < 2^31; classes of logits and of learned centres */
  const void* logits;           /* [rows, classes] */
  const void* features;         /* [rows, width] */
  const int32_t* labels;        /* [rows]  in [0, classes) */
  const int32_t* modalities;    /* [rows]  as above */
  const void* learned;          /* [classes, width]  as above */
  void* value;                  /* [3]  real: the total, identity, cmdc */
  void* logits_gradient;        /* [rows, classes]  scale * d total / d logits */
  void* gradient;               /* [rows, width]  scale * d total / d features */
  void* learned_gradient;       /* [classes, width] */
  double scale;                 /* 1 */
  uint64_t* status;
  double smoothing; /* 0.1 */
  double lambda;    /* 3 */
  int32_t centers, mining, normalize;
  double positive_bound, negative_bound, center_weight;
} tyto_identity_and_cmdc_loss_desc;
void tyto_identity_and_cmdc_loss_defaults(tyto_identity_and_cmdc_loss_desc* desc, size_t size);
int tyto_identity_and_cmdc_loss_workspace(const tyto_identity_and_cmdc_loss_desc* desc, size_t* bytes,
                                          char* error, size_t error_size);
int tyto_identity_and_cmdc_loss(const tyto_identity_and_cmdc_loss_desc* desc, void* workspace,
                                size_t workspace_bytes, void* stream, char* error, size_t error_size);

/* Centre loss (Wen et al., ECCV 2016): 1/2 sum over rows ||x - centre of its class||^2. 0 without rows. */
typedef struct tyto_center_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width, classes; /* rows and classes < 2^31 */
  const void* features;         /* [rows, width] */
  const int32_t* labels;        /* [rows]  in [0, classes) */
  const void* centers;          /* [classes, width] */
  void* value;                  /* [1]  real */
  void* gradient;               /* [rows, width] */
  void* centers_gradient;       /* [classes, width] */
  double scale;                 /* 1 */
  uint64_t* status;
  int32_t normalize; /* 0; 1: features are brought to unit length */
} tyto_center_loss_desc;
void tyto_center_loss_defaults(tyto_center_loss_desc* desc, size_t size);
int tyto_center_loss_workspace(const tyto_center_loss_desc* desc, size_t* bytes, char* error,
                               size_t error_size);
int tyto_center_loss(const tyto_center_loss_desc* desc, void* workspace, size_t workspace_bytes, void* stream,
                     char* error, size_t error_size);

/* How the centre loss's centres follow: c = c - rate sum (c - x) / (1 + n) over the n rows of a class. After
 * a fault they are as they were. */
typedef struct tyto_update_centers_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width, classes; /* rows and classes < 2^31 */
  const void* features;         /* [rows, width] */
  const int32_t* labels;        /* [rows]  in [0, classes) */
  void* centers;                /* [classes, width]  changed in place */
  uint64_t* status;
  double rate;       /* 0.5 */
  int32_t normalize; /* 0 */
} tyto_update_centers_desc;
void tyto_update_centers_defaults(tyto_update_centers_desc* desc, size_t size);
int tyto_update_centers_workspace(const tyto_update_centers_desc* desc, size_t* bytes, char* error,
                                  size_t error_size);
int tyto_update_centers(const tyto_update_centers_desc* desc, void* workspace, size_t workspace_bytes,
                        void* stream, char* error, size_t error_size);

/* Hetero-centre loss (Zhu et al., Neurocomputing 2020): the sum over the classes in both modalities of
 * [distance(visible centre, thermal centre) - margin]+. 0 without rows. */
enum tyto_center_distance {
  TYTO_DISTANCE_SQUARED = 0,  /* ||a - b||^2 */
  TYTO_DISTANCE_ABSOLUTE = 1, /* the mean of |a - b| */
  TYTO_DISTANCE_COSINE = 2    /* 1 - the cosine */
};
typedef struct tyto_hetero_center_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;       /* rows < 2^31 */
  const void* features;      /* [rows, width] */
  const int32_t* labels;     /* [rows]  at least 0 */
  const int32_t* modalities; /* [rows]  0 visible, 1 thermal */
  void* value;               /* [1]  real */
  void* gradient;            /* [rows, width] */
  double scale;              /* 1 */
  uint64_t* status;
  int32_t distance; /* TYTO_DISTANCE_SQUARED */
  double margin;    /* 0.1 */
} tyto_hetero_center_loss_desc;
void tyto_hetero_center_loss_defaults(tyto_hetero_center_loss_desc* desc, size_t size);
int tyto_hetero_center_loss_workspace(const tyto_hetero_center_loss_desc* desc, size_t* bytes, char* error,
                                      size_t error_size);
int tyto_hetero_center_loss(const tyto_hetero_center_loss_desc* desc, void* workspace, size_t workspace_bytes,
                            void* stream, char* error, size_t error_size);

/* Hetero-centre triplet loss (Liu, Tan, Zhou, TMM 2021): the mean over the centres of each class and modality
 * of [farthest centre of its class - nearest of another + margin]+. 0 without rows. */
typedef struct tyto_hetero_center_triplet_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t rows, width;       /* rows * rows < 2^31 */
  const void* features;      /* [rows, width] */
  const int32_t* labels;     /* [rows]  at least 0 */
  const int32_t* modalities; /* [rows]  0 visible, 1 thermal */
  void* value;               /* [1]  real */
  void* gradient;            /* [rows, width] */
  double scale;              /* 1 */
  uint64_t* status;
  double margin; /* 0.3 */
} tyto_hetero_center_triplet_loss_desc;
void tyto_hetero_center_triplet_loss_defaults(tyto_hetero_center_triplet_loss_desc* desc, size_t size);
int tyto_hetero_center_triplet_loss_workspace(const tyto_hetero_center_triplet_loss_desc* desc, size_t* bytes,
                                              char* error, size_t error_size);
int tyto_hetero_center_triplet_loss(const tyto_hetero_center_triplet_loss_desc* desc, void* workspace,
                                    size_t workspace_bytes, void* stream, char* error, size_t error_size);

/* --- losses of detectors --- */

/* SSD's MultiBox loss (Liu et al., ECCV 2016) of a batch: jaccard matching, hard negative mining, smooth L1
 * of the positive priors' locations, cross entropy of positives and mined negatives. The terms are
 * kernels/losses/multibox_loss.h's. On CUDA priors, boxes, locations and its gradient are aligned to 16
 * bytes, 32 for double; batch * priors < 2^31. A degenerate box is reported and is what the reference makes
 * of it. */
enum tyto_multibox_reference {
  TYTO_SSD_PYTORCH = 0, /* amdegroot's; a batch without positives gives NaN */
  TYTO_SSD_FORK = 1,    /* the distillation article's fork of it */
  TYTO_BUBBLIIIING = 2, /* bubbliiiing/ssd-pytorch; its loss is the sum of both terms */
  TYTO_TORCHVISION = 3
};
enum tyto_prior_match {
  TYTO_MATCH_BEST_PRIOR = 0, /* an object always takes the prior that it overlaps most */
  TYTO_MATCH_BEST_PRIOR_OF_UNMATCHED =
      1 /* one that no prior found, if that prior has no better: bubbliiiing */
};
/* Which rows are mined of those with the greatest loss as background, n = negatives_per_positive. */
enum tyto_mining {
  TYTO_MINE_SSD_PYTORCH = 0, /* of each image min(n positives, priors - 1) */
  TYTO_MINE_TORCHVISION = 1, /* of each image n positives */
  TYTO_MINE_BUBBLIIIING = 2  /* of the whole batch */
};
/* By what the terms are divided. */
enum tyto_multibox_normalizer {
  TYTO_POSITIVES = 0, /* of the whole batch; without any NaN */
  TYTO_POSITIVES_OR_ONE = 1,
  TYTO_POSITIVES_OR_ONE_AN_IMAGE = 2 /* sum over images of max(positives, 1) */
};
typedef struct tyto_multibox_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, priors, classes; /* classes with the background, which is 0 */
  int64_t capacity;               /* places for objects in each image */
  const void* locations;          /* [batch, priors, 4] */
  const void* logits;             /* [batch, priors, classes] */
  const void* prior_boxes;        /* [priors, 4]  real */
  const void* boxes;              /* [batch, capacity, 4]  real: x1 y1 x2 y2 in the priors' unit */
  const int32_t* box_classes;     /* [batch, capacity]  label - first_label */
  const int32_t* box_counts;      /* [batch]  the first so many places are taken; null: all */
  void* value;                    /* [3]  real: location, confidence, by what both were divided */
  void* locations_gradient;       /* [batch, priors, 4]        scale * d location / d locations */
  void* logits_gradient;          /* [batch, priors, classes]  scale * d confidence / d logits */
  double scale;                   /* 1 */
  uint64_t* status;      /* of boxes the row is image * capacity + place; else image * priors + prior */
  int32_t prior_corners; /* 0: priors are centre x y, width, height; 1: x1 y1 x2 y2 */
  int32_t match;         /* enum tyto_prior_match */
  int32_t first_label;   /* 1; 0 where box_classes are labels already (torchvision) */
  int32_t mining;        /* enum tyto_mining */
  int32_t normalizer;    /* enum tyto_multibox_normalizer */
  double threshold;      /* 0.5, of the overlap that makes a match */
  double variance[4];    /* 0.1 0.1 0.2 0.2 */
  double negatives_per_positive; /* 3 */
  int64_t negatives_for_hard;    /* 0; mined where that gives none */
  double least_probability;      /* 0; of the label in the logarithm; bubbliiiing 1e-7 */
} tyto_multibox_loss_desc;
/* Those of TYTO_SSD_PYTORCH. */
void tyto_multibox_loss_defaults(tyto_multibox_loss_desc* desc, size_t size);
/* Sets the options (from prior_corners on) as the reference has them; prior_corners to 1 for bubbliiiing and
 * torchvision. */
int tyto_multibox_loss_as(tyto_multibox_loss_desc* desc, int32_t reference, char* error, size_t error_size);
int tyto_multibox_loss_workspace(const tyto_multibox_loss_desc* desc, size_t* bytes, char* error,
                                 size_t error_size);
int tyto_multibox_loss(const tyto_multibox_loss_desc* desc, void* workspace, size_t workspace_bytes,
                       void* stream, char* error, size_t error_size);

/* A multibox detector learns from a larger one of the same priors and classes (Chen et al., NeurIPS 2017, as
 * the article's MultiBoxLoss_KD has it); matching and mining on the student's logits as above. The terms are
 * kernels/losses/multibox_distillation.h's:
 *   total = soft_weight soft + confidence_weight confidence + l2_weight l2 + location_weight location. */
enum tyto_divergence { TYTO_KULLBACK_LEIBLER = 0, TYTO_CROSS_ENTROPY = 1 };
typedef struct tyto_multibox_distillation_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, priors, classes, capacity; /* as above, and so the next six */
  const void* locations;
  const void* logits;
  const void* prior_boxes;
  const void* boxes;
  const int32_t* box_classes;
  const int32_t* box_counts;
  const void* teacher_locations; /* [batch, priors, 4] */
  const void* teacher_logits;    /* [batch, priors, classes] */
  void* value;                   /* [5]  real: total, soft, confidence, l2, location */
  void* locations_gradient;      /* [batch, priors, 4]        scale * d total / d locations */
  void* logits_gradient;         /* [batch, priors, classes]  scale * d total / d logits */
  double scale;                  /* 1 */
  uint64_t* status;
  int32_t prior_corners, match, first_label, mining; /* as above */
  int32_t normalizer;                                /* TYTO_POSITIVES_OR_ONE */
  int32_t divergence;                                /* TYTO_KULLBACK_LEIBLER; both have one gradient */
  double threshold;
  double variance[4];
  double negatives_per_positive;
  int64_t negatives_for_hard;                                        /* 100 */
  double temperature;                                                /* 1 */
  double background_weight, foreground_weight;                       /* 1.5, 1; at most 1: plain KLDivLoss */
  double eps;                                                        /* 1e-5 */
  double margin;                                                     /* 0 */
  double soft_weight, confidence_weight, l2_weight, location_weight; /* 0.3, 0.7, 0.5, 1 */
} tyto_multibox_distillation_loss_desc;
void tyto_multibox_distillation_loss_defaults(tyto_multibox_distillation_loss_desc* desc, size_t size);
int tyto_multibox_distillation_loss_workspace(const tyto_multibox_distillation_loss_desc* desc, size_t* bytes,
                                              char* error, size_t error_size);
int tyto_multibox_distillation_loss(const tyto_multibox_distillation_loss_desc* desc, void* workspace,
                                    size_t workspace_bytes, void* stream, char* error, size_t error_size);

/* What a region proposal network should say of its anchors (chainercv's and simple-faster-rcnn-pytorch's
 * AnchorTargetCreator), for a batch of images. Of those of more than wanted, the ones of the smallest
 * (priority, index) are taken. `elements` is TYTO_DOUBLE or TYTO_FLOAT. On CUDA boxes and locations are
 * aligned to 4 of their elements; batch * anchors < 2^31. */
typedef struct tyto_anchor_targets_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, anchors, capacity;
  const void* anchor_boxes;   /* [anchors, 4]  x1 y1 x2 y2, the same for every image */
  const void* boxes;          /* [batch, capacity, 4]  x1 y1 x2 y2 of the objects */
  const int32_t* box_counts;  /* [batch]  the first so many places are taken; null: all */
  const void* image_sizes;    /* [batch, 2]  height, width */
  const uint32_t* priorities; /* [batch, anchors]; null: drawn from the seed */
  int32_t* labels;            /* [batch, anchors]  1, 0, -1 ignored; INT32_MIN after a fault */
  void* locations;            /* [batch, anchors, 4]  y, x, log height, log width; or null */
  uint64_t* status;           /* the row is image * capacity + place */
  uint64_t seed;              /* 0; another one a step */
  int32_t samples;            /* 256 */
  double positive_share;      /* 0.5 */
  double positive_iou;        /* 0.7 */
  double negative_iou;        /* 0.3 */
} tyto_anchor_targets_desc;
void tyto_anchor_targets_defaults(tyto_anchor_targets_desc* desc, size_t size);
int tyto_anchor_targets_workspace(const tyto_anchor_targets_desc* desc, size_t* bytes, char* error,
                                  size_t error_size);
int tyto_anchor_targets(const tyto_anchor_targets_desc* desc, void* workspace, size_t workspace_bytes,
                        void* stream, char* error, size_t error_size);

/* Regions for the second stage to learn from (ProposalTargetCreator), for a batch of images. Objects join the
 * regions, behind them. `elements` is TYTO_DOUBLE or TYTO_FLOAT. On CUDA boxes, regions of stride 4, rois and
 * locations are aligned to 4 of their elements, samples is at most 1024, batch * capacities < 2^31. */
typedef struct tyto_proposal_targets_desc {
  size_t size;
  int32_t elements, device;
  int64_t batch, region_capacity, capacity;
  int32_t region_stride;        /* 4; elements of a region's row, of which x1 y1 x2 y2 are the first */
  int32_t samples;              /* 128 */
  const void* regions;          /* [batch, region_capacity, region_stride] */
  const int32_t* region_counts; /* [batch]; null: every row is taken */
  const void* boxes;            /* [batch, capacity, 4]  x1 y1 x2 y2 of the objects */
  const int32_t* box_classes;   /* [batch, capacity]  at least 0; labels are one more */
  const int32_t* box_counts;    /* [batch]; null: every place is taken */
  const uint32_t* priorities;   /* [batch, region_capacity + capacity]; null: drawn from the seed */
  void* rois;                   /* [batch, samples, 4]  the positive, then the negative */
  int32_t* labels;              /* [batch, samples]  -1 beyond counts */
  void* locations;              /* [batch, samples, 4]  y, x, log height, log width, normalised */
  int32_t* counts;              /* [batch] */
  uint64_t* status;             /* the row is image * capacity + place */
  uint64_t seed;                /* 0; another one a step */
  double positive_share;        /* 0.25 */
  double positive_iou;          /* 0.5 */
  double negative_below;        /* 0.5 */
  double negative_from;         /* 0 */
  double mean[4], deviation[4]; /* 0 0 0 0, 0.1 0.1 0.2 0.2  of y, x, log height, log width */
} tyto_proposal_targets_desc;
void tyto_proposal_targets_defaults(tyto_proposal_targets_desc* desc, size_t size);
int tyto_proposal_targets_workspace(const tyto_proposal_targets_desc* desc, size_t* bytes, char* error,
                                    size_t error_size);
int tyto_proposal_targets(const tyto_proposal_targets_desc* desc, void* workspace, size_t workspace_bytes,
                          void* stream, char* error, size_t error_size);

/* The four losses of Faster R-CNN (Ren et al., NeurIPS 2015) and their sum, as simple-faster-rcnn-pytorch has
 * them: smooth L1 of the positive rows over the number of rows whose label is not -1, and mean cross entropy.
 * A stage without such a row gives NaN. On CUDA locations, targets and gradients of locations are aligned to
 * 16 bytes, 32 for double; rows * classes < 2^31. */
typedef struct tyto_faster_rcnn_loss_desc {
  size_t size;
  int32_t elements, device;
  int64_t anchors, rois, classes;  /* rows of both stages, of all images; classes with the background */
  const void* anchor_locations;    /* [anchors, 4] */
  const void* anchor_logits;       /* [anchors, 2]  background, object */
  const int32_t* anchor_labels;    /* [anchors]  -1, 0, 1 */
  const void* anchor_targets;      /* [anchors, 4]  real */
  const void* roi_locations;       /* [rois, classes, 4], of which the label's four count */
  const void* roi_logits;          /* [rois, classes] */
  const int32_t* roi_labels;       /* [rois]  -1 to classes - 1 */
  const void* roi_targets;         /* [rois, 4]  real */
  void* value;                     /* [5]  real: total; anchors' location, class; RoIs' location, class */
  void* anchor_locations_gradient; /* of the shapes of what they are of */
  void* anchor_logits_gradient;
  void* roi_locations_gradient;
  void* roi_logits_gradient;
  double scale;                   /* 1 */
  uint64_t* status;               /* RoIs' rows count on behind the anchors' */
  double anchor_sigma, roi_sigma; /* 3, 1 */
} tyto_faster_rcnn_loss_desc;
void tyto_faster_rcnn_loss_defaults(tyto_faster_rcnn_loss_desc* desc, size_t size);
int tyto_faster_rcnn_loss_workspace(const tyto_faster_rcnn_loss_desc* desc, size_t* bytes, char* error,
                                    size_t error_size);
int tyto_faster_rcnn_loss(const tyto_faster_rcnn_loss_desc* desc, void* workspace, size_t workspace_bytes,
                          void* stream, char* error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
