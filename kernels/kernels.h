// The door to kernels/: maths on raw memory. Every header is a contract that can be used without opening the
// source; nothing in here knows tensors, graphs or files; only OpenMP and the CUDA runtime are linked.
//
//   common/       launches, element types, layouts of maps, warp and block reductions, tensor-core tiles,
//                 products of matrices to fuse with
//   layout/       between NCHW and NHWC, between element types, between strided arrays; borders
//   attention/    scaled dot-product and position attention with their gradients; the softmax of scores
//   elementwise/  residual, bias and activation; arithmetic with broadcasting; a count of what is not finite
//   convolution/  depthwise convolution, the gathering half of a transposed one
//   norm/         instance, group and layer norm, per-channel affine maps, unit length over channels, softmax
//   pooling/      average (adaptive and not), generalised-mean and max pooling; reductions
//   detection/    heads, box decoding, class scores, non-maximum suppression, pooling of regions
//   image/        Pillow's and OpenCV's resampling bit for bit, normalisation, flips, torch's resampling,
//                 samples at given places
//   losses/       metric losses, losses of classifiers, around centres and of detectors, with their gradients
//   bev/          the bird's-eye view: features pooled along their rays, points looked up in cameras, the
//                 ground by homographies
//   retrieval/    rows of unit length
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/masked_softmax.h"
#include "kernels/attention/position_attention.h"
#include "kernels/bev/bev_index.h"
#include "kernels/bev/bev_pool.h"
#include "kernels/bev/homography_warp.h"
#include "kernels/bev/ipm_homography.h"
#include "kernels/bev/projection_gather.h"
#include "kernels/common/blocked_product.h"
#include "kernels/common/channel_blocks.h"
#include "kernels/common/strided_box.h"
#include "kernels/convolution/col2im.h"
#include "kernels/convolution/depthwise.h"
#include "kernels/detection/anchor_grid.h"
#include "kernels/detection/class_scores.h"
#include "kernels/detection/concat_maps.h"
#include "kernels/detection/decode_boxes.h"
#include "kernels/detection/decode_proposals.h"
#include "kernels/detection/decode_rois.h"
#include "kernels/detection/encode_boxes.h"
#include "kernels/detection/nms.h"
#include "kernels/detection/pairwise_iou.h"
#include "kernels/detection/roi_align.h"
#include "kernels/detection/roi_pool.h"
#include "kernels/elementwise/broadcast.h"
#include "kernels/elementwise/epilogue.h"
#include "kernels/elementwise/not_finite.h"
#include "kernels/image/bicubic.h"
#include "kernels/image/flip.h"
#include "kernels/image/grid_sample.h"
#include "kernels/image/normalize.h"
#include "kernels/image/resize.h"
#include "kernels/image/resize_bilinear.h"
#include "kernels/image/resize_tables.h"
#include "kernels/image/upsample.h"
#include "kernels/layout/convert.h"
#include "kernels/layout/nchw_to_nhwc.h"
#include "kernels/layout/nhwc_to_nchw.h"
#include "kernels/layout/pad.h"
#include "kernels/layout/strided_copy.h"
#include "kernels/losses/anchor_targets.h"
#include "kernels/losses/batch_hard_triplet.h"
#include "kernels/losses/center_loss.h"
#include "kernels/losses/circle.h"
#include "kernels/losses/cmdc.h"
#include "kernels/losses/contrastive.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/faster_rcnn_loss.h"
#include "kernels/losses/hetero_center.h"
#include "kernels/losses/hetero_center_triplet.h"
#include "kernels/losses/identity_and_cmdc.h"
#include "kernels/losses/instance.h"
#include "kernels/losses/lifted.h"
#include "kernels/losses/margin_softmax.h"
#include "kernels/losses/match_priors.h"
#include "kernels/losses/mine_negatives.h"
#include "kernels/losses/multibox_distillation.h"
#include "kernels/losses/multibox_loss.h"
#include "kernels/losses/proposal_targets.h"
#include "kernels/losses/symmetric_kl.h"
#include "kernels/losses/triplet.h"
#include "kernels/losses/weighted_regularized_triplet.h"
#include "kernels/norm/l2_normalize.h"
#include "kernels/norm/layer_norm.h"
#include "kernels/norm/norm.h"
#include "kernels/norm/softmax.h"
#include "kernels/pooling/adaptive_average_pool.h"
#include "kernels/pooling/average_pool.h"
#include "kernels/pooling/gem_pool.h"
#include "kernels/pooling/max_pool.h"
#include "kernels/pooling/reduce.h"
#include "kernels/retrieval/normalize_rows.h"
