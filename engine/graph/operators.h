// The closed set of operators. Each is a small struct; its shape rule stands in shapes.cpp, its lowering in
// each backend. Where a kernel of ours does the work, the operator is the kernel's own parameter struct.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/graph/value.h"
#include "kernels/bev/bev_pool.h"
#include "kernels/common/activation.h"
#include "kernels/detection/class_scores.h"
#include "kernels/detection/decode_boxes.h"
#include "kernels/detection/decode_proposals.h"
#include "kernels/detection/decode_rois.h"
#include "kernels/detection/nms.h"
#include "kernels/detection/roi_align.h"
#include "kernels/detection/roi_pool.h"
#include "kernels/image/upsample.h"
#include "kernels/layout/pad.h"
#include "kernels/norm/l2_normalize.h"
#include "kernels/pooling/gem_pool.h"
#include "kernels/pooling/reduce.h"

namespace tyto {

using kernels::Activation;

struct Padding {
  int top = 0, left = 0, bottom = 0, right = 0;
  Padding() = default;
  Padding(int all)
      : top(all), left(all), bottom(all), right(all) {}  // NOLINT: {.padding = 3} is how networks read
  Padding(int t, int l, int b, int r) : top(t), left(l), bottom(b), right(r) {}
};

// See Graph::input. Results: the input, rows [N, ...]; its count [N] where it is counted.
struct Input {
  Shape shape;
  Elements elements = Elements::F32;
  bool counted = false;
  bool steady = false;
};

// Input: x of any kind and numbers. Output: x in these elements; activations become F32 exactly, F32 is
// rounded to activations to nearest even.
struct Cast {
  Elements elements = Elements::Activation;
};

// An operator's axis as an index from 0: a negative one is counted from the last.
inline size_t axis_index(int axis, size_t rank) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int>(rank) : axis);
}

enum class Channels : uint8_t { First, Last };

// Input: rows, channels first [N, C, H, W] or last [N, H, W, C]. Output: a map [N, C, H, W] of activations.
struct ToMap {
  Channels channels = Channels::First;
};

// Input: a map [N, C, H, W]. Output: rows, channels first [N, C, H, W] or last [N, H, W, C].
struct ToRows {
  Channels channels = Channels::First;
};

// Inputs: x [N, C, H, W], optionally a residual of the output's shape, added before the activation.
// Weights: weight [K, C/groups, kernel, kernel], optionally bias [K].
struct Conv2d {
  int kernel = 1;
  int stride = 1;
  Padding padding;
  int dilation = 1;
  int groups = 1;
  Activation activation = Activation::None;
};

// PyTorch's ConvTranspose2d. Input: x [N, C, H, W]. Weights: weight [C, K/groups, kernel, kernel], optionally
// bias [K]. Output: [N, K, (H - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1,
// ...].
struct ConvTranspose2d {
  int kernel = 2;
  int stride = 2;
  int padding = 0;
  int output_padding = 0;  // rows at the bottom and columns at the right that the windows may not reach
  int dilation = 1;
  int groups = 1;
  Activation activation = Activation::None;
};

// Input: rows x [..., in], or a map [N, C, H, W] whose images are rows of in = C*H*W values in that order.
// Weights: weight [out, in], optionally bias [out]. Output: rows [..., out]; of a map [N, out], or, where its
// images are counted, [samples, R, out].
struct Linear {
  Activation activation = Activation::None;
};

// Of a map, or of rows [N, C]:
// (x - running_mean) / sqrt(running_var + epsilon) * weight + bias on the channels from `first_channel` on;
// the channels before it pass unchanged (IBN-a normalises only its second half so).
struct BatchNorm {
  float epsilon = 1e-5f;
  int first_channel = 0;
  Activation activation = Activation::None;
};

// Ulyanov et al. 2016: each of the first `weight.dim(0)` channels of each image is normalised by its own mean
// and biased variance over H x W, then scaled and shifted; the channels after them pass unchanged.
struct InstanceNorm {
  float epsilon = 1e-5f;
  Activation activation = Activation::None;
};

// Inputs: a, and b that is repeated to a's shape: of equal kind, each size a's or 1, leading ones may lack.
// Of a map, b may be rows [C], a value a channel. Output: activation(a op b), of a's shape.
struct Add {
  Activation activation = Activation::None;
};
struct Sub {
  Activation activation = Activation::None;
};
struct Mul {
  Activation activation = Activation::None;
};

struct Activate {
  Activation activation = Activation::Relu;
};

struct MaxPool {
  int kernel = 2;
  int stride = 2;
  Padding padding;
  bool ceil =
      false;  // PyTorch's ceil_mode: a last window that starts inside the input or its left padding counts
};

// PyTorch's AdaptiveAvgPool2d: output cell i averages rows floor(i*H/height) to ceil((i+1)*H/height).
struct AdaptiveAveragePool {
  int height = 1, width = 1;
};

// Input: x [N, C, H, W]. Weights: power [1], positive: learned, or a constant(). Output: [N, C, 1, 1].
using kernels::GemPool;

// PyTorch's AvgPool2d.
struct AveragePool {
  int kernel = 2;
  int stride = 2;
  int padding = 0;
  bool ceil = false;          // as MaxPool's
  bool count_padding = true;  // count_include_pad
  int divisor = 0;            // divisor_override; 0: the window's cells
};

// Input: a map. Output: a map of this size (torch.nn.functional.interpolate; kernels/image/upsample.h).
struct Upsample {
  int64_t height = 0, width = 0;
  kernels::Upsampling mode = kernels::Upsampling::Nearest;
  float scale = 0;  // the scale_factor that torch was given, where it does not recompute it; 0: of the sizes
};

// Of the input [N, C, H, W] along both axes.
kernels::UpsampleSteps upsample_steps(const Upsample& op, const Shape& input);

// Input: a map. Output: the map with a border (torch.nn.functional.pad); what is reflected is thinner than
// it.
struct Pad {
  Padding padding;
  kernels::PadMode mode = kernels::PadMode::Zeros;
};

// Input: rows of any elements. Output: rows of this shape, in the same order; one size may be -1: what is
// left.
struct Reshape {
  Shape shape;
};

// Input: rows of any elements. Output: rows whose dimension i is the input's order[i].
struct Permute {
  std::vector<int> order;
};

// Inputs: rows of any elements that differ along this axis alone, or maps along their channels (axis 1).
struct Concat {
  int axis = 1;
};

// Input: rows of any elements, or a map (axis 1). Output: `count` of that axis from `first` on.
struct Slice {
  int axis = 1;
  int64_t first = 0, count = 1;
};

// Input: rows of any elements. Output: rows of this shape; sizes that differ are 1 in the input.
struct Expand {
  Shape shape;
};

// No input. Weight: the values, of any shape. Output: rows of that shape.
struct Constant {
  Elements elements = Elements::Activation;  // or F32
};

// Along an axis of a map or of rows; negative: counted from the last.
struct Softmax {
  int axis = -1;
};

// Along an axis, which is gone from rows, and of size 1 in a map.
struct Reduce {
  kernels::Reduction reduction = kernels::Reduction::Mean;
  int axis = 1;
};

// Of rows, over their last dimension (Ba et al. 2016). Weights: weight [C] and bias [C], or none.
struct LayerNorm {
  float epsilon = 1e-5f;
};

// Of a map, over the pixels of each group of channels (Wu and He, ECCV 2018). Weights: weight [C] and bias
// [C], or none.
struct GroupNorm {
  int groups = 32;
  float epsilon = 1e-5f;
  Activation activation = Activation::None;
};

// Inputs: rows a [..., M, K] and b [..., K, N], each the other way round where it is transposed; b's leading
// sizes are a's, or it has none and serves all. Output: scale * a b, [..., M, N].
struct MatMul {
  bool transpose_a = false, transpose_b = false;
  float scale = 1;
};

// Scaled dot-product attention of several heads (Vaswani et al., NeurIPS 2017). Inputs: rows q [B, L,
// heads*d], k [B, S, heads*d], v [B, S, heads*e]; then a bias [b, heads or 1, L, S] where there is one, then
// a mask I32 [b, L or 1, S] where there is one, 0 where a query does not attend; b divides B, whose item i
// takes i % b. Output: [B, L, heads*e]: softmax over keys of (scale * q k^T + bias), times v; zeros for a
// query that attends to nothing.
struct Attention {
  int heads = 1;
  float scale = 1;
  bool bias = false, mask = false;
};

// kernels/attention/position_attention.h. Inputs: maps q and k [N, C', H, W], v and x [N, C, H, W]. Weight:
// gamma [1]. Output: a map as x.
struct PositionAttention {};

struct Flatten {};  // a map [N, C, H, W] or rows [N, ...] -> rows [N, C*H*W] in that order

// Inputs: maps [N, A_k * values, H_k, W_k]. Output: [N, sum of H_k * W_k * A_k, values]; kernels/detection.
struct ConcatMaps {
  int values = 4;
};

// Input: x [N, C, H, W]. Weights: scale [C].
using kernels::L2Normalize;

// Input: offsets [N, P, 4]. Weights: anchors [P, 4]. Output: boxes [N, P, 4].
using kernels::DecodeBoxes;

// Input: logits [N, P, C]. Output: scores [N, C - 1, P].
using kernels::ClassScores;

// Inputs: offsets [N, P, 4], logits [N, P, 1 or 2], sizes [N, 4]. Results: boxes [N, P, 4], scores [N, 1, P].
using kernels::DecodeProposals;

// Inputs: RoIs [N, R, 4 and more], then maps [N, C, H_k, W_k], one a level. Output: a map [N * R, C, height,
// width] with the RoIs' count.
using kernels::RoiAlign;
using kernels::RoiPool;

// Inputs: offsets [N, R, classes, 4], RoIs [N, R, 4 and more], sizes [N, 4]. Output: boxes [N, R, classes -
// 1, 4] with the RoIs' count.
using kernels::DecodeRois;

// Inputs: boxes [N, P, 4] or one a class [N, P, classes, 4], scores [N, classes, P]; the count of the P that
// there are, I32 [N], where not all are. Results: F32 [N, capacity, 6]; its count, I32 [N].
using kernels::Nms;

// Views of images as they are given, F32 rows [N, C, H, W], for features that are summed over them.
struct FlipHorizontal {};
struct RescaleBicubic {  // kernels/image/bicubic.h
  double factor = 1;     // of both sides
};

// Inputs: features [N, D] each. Output: their sum in F32, each row divided by its length; a row of zeros
// stays.
struct NormalizedSum {};

// Inputs: intrinsics [S, N, 3, 3], camera_to_grid [S, N, 4, 4] and image_augmentation [S, N, 3, 3] of S
// samples of N cameras, F32. Results: cell_starts [S, cells + 1] and runs [S, capacity, 2], I32; see
// kernels/bev/bev_index.h, of whose BevRun a row is the memory.
using kernels::BevIndexing;

// Inputs: maps depth [S * N, bins, H, W] and features [S * N, C, H, W], a BevIndexing's results. Output: a
// map [S, levels * C, rows, columns] of the grid.
using kernels::BevPool;

// The table: operator and its name in messages and reports. It makes the variant, the names, and what each
// backend and the reference declare; what none of them defines does not compile.
#define TYTO_OPERATORS(X)                         \
  X(Input, "input")                               \
  X(Cast, "cast")                                 \
  X(ToMap, "to_map")                              \
  X(ToRows, "to_rows")                            \
  X(Conv2d, "conv2d")                             \
  X(ConvTranspose2d, "conv_transpose2d")          \
  X(Linear, "linear")                             \
  X(BatchNorm, "batch_norm")                      \
  X(InstanceNorm, "instance_norm")                \
  X(Add, "add")                                   \
  X(Sub, "sub")                                   \
  X(Mul, "mul")                                   \
  X(Activate, "activate")                         \
  X(MaxPool, "max_pool")                          \
  X(AdaptiveAveragePool, "adaptive_average_pool") \
  X(GemPool, "gem_pool")                          \
  X(AveragePool, "average_pool")                  \
  X(Upsample, "upsample")                         \
  X(Pad, "pad")                                   \
  X(Flatten, "flatten")                           \
  X(Reshape, "reshape")                           \
  X(Permute, "permute")                           \
  X(Concat, "concat")                             \
  X(Slice, "slice")                               \
  X(Expand, "expand")                             \
  X(Constant, "constant")                         \
  X(Softmax, "softmax")                           \
  X(Reduce, "reduce")                             \
  X(LayerNorm, "layer_norm")                      \
  X(GroupNorm, "group_norm")                      \
  X(MatMul, "matmul")                             \
  X(Attention, "attention")                       \
  X(PositionAttention, "position_attention")      \
  X(ConcatMaps, "concat_maps")                    \
  X(L2Normalize, "l2_normalize")                  \
  X(DecodeBoxes, "decode_boxes")                  \
  X(ClassScores, "class_scores")                  \
  X(Nms, "nms")                                   \
  X(DecodeProposals, "decode_proposals")          \
  X(RoiPool, "roi_pool")                          \
  X(RoiAlign, "roi_align")                        \
  X(DecodeRois, "decode_rois")                    \
  X(BevIndexing, "bev_index")                     \
  X(BevPool, "bev_pool")                          \
  X(FlipHorizontal, "flip_horizontal")            \
  X(RescaleBicubic, "rescale_bicubic")            \
  X(NormalizedSum, "normalized_sum")

namespace detail {

template <class, class... Operators>  // without the first, after which the table's commas stand
struct VariantOf {
  using type = std::variant<Operators...>;
};

}  // namespace detail

#define TYTO_ALTERNATIVE(Operator, name) , Operator
using Operator = detail::VariantOf<void TYTO_OPERATORS(TYTO_ALTERNATIVE)>::type;
#undef TYTO_ALTERNATIVE

std::string_view name_of(const Operator&);
std::string_view name_of(Activation);

// The activation that the operator applies to its result, or nullptr where it cannot apply one.
Activation* fused_activation(Operator&);

}  // namespace tyto
