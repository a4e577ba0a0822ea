// Position attention: y = gamma * softmax_j(q_i . k_j) V + x over all positions of a map (Fu et al., "Dual
// Attention Network for Scene Segmentation", CVPR 2019; the PAM of DANet's code). Scores are not scaled.
#pragma once

#include <cstdint>

#include "kernels/attention/attention.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Maps as rows of pixels, channels last: a pixel's channels stand side by side, one pixel after another.
template <class T>
struct PositionAttentionOf {
  int64_t batch = 0, positions = 0;  // H * W
  int64_t depth = 0, channels = 0;   // C' of q and k, <= kMaxHeadSize; C of v, x and y
  const T* q = nullptr;              // [batch, positions, depth]
  const T* k = nullptr;              // [batch, positions, depth]
  const T* v = nullptr;              // [batch, positions, channels]
  const T* x = nullptr;              // [batch, positions, channels]
  const float* gamma = nullptr;      // [1]; where it is 0, y is x (if all is finite)
};

// All of it but gamma and x: attention of one head and one set of keys.
template <class T>
AttentionOf<T> attention_of(const PositionAttentionOf<T>& p) {
  AttentionOf<T> of = {
      .batch = p.batch, .queries = p.positions, .depth = p.depth, .width = p.channels, .q = {p.q, p.depth}};
  of.sets[0] = {.k = {p.k, p.depth}, .v = {p.v, p.channels}, .keys = p.positions, .bias = {}, .mask = {}};
  return of;
}

// y [batch, positions, channels], no input but x. statistics: [batch, positions] each, or null.
// scratch and limits as attention(), of one head and one set of keys.
void position_attention_cpu(const PositionAttentionOf<float>&, float* y, const RowStatistics&,
                            float* scratch);
int64_t position_attention_scratch_floats(const PositionAttentionOf<float>&, int threads);
template <class T>
void position_attention(const PositionAttentionOf<T>&, T* y, const RowStatistics&, Stream stream);

// Gradients as attention_backward()'s; that of x is the gradient of y itself, to which those through q, k and
// v come by their convolutions. Null where it is not wanted.
template <class T>
struct PositionAttentionGradients {
  T *q = nullptr, *k = nullptr, *v = nullptr;  // as q, k, v
  T* x = nullptr;                              // as x
  float* gamma = nullptr;                      // [1]
};
void position_attention_backward_cpu(const PositionAttentionOf<float>&, const RowStatistics&,
                                     const float* y_gradient, const PositionAttentionGradients<float>&,
                                     float* scratch);
int64_t position_attention_backward_scratch_floats(const PositionAttentionOf<float>&, int threads);
// workspace: position_attention_backward_floats() of F32
template <class T>
void position_attention_backward(const PositionAttentionOf<T>&, const RowStatistics&, const T* y_gradient,
                                 const PositionAttentionGradients<T>&, float* workspace, Stream stream);
int64_t position_attention_backward_floats(int64_t batch, int64_t positions);

}  // namespace tyto::kernels
