// What attention_backward() and position_attention_backward() share.
#pragma once

#include "kernels/attention/attention.h"

namespace tyto::kernels {

// attention_backward() where y has a factor: *gamma on the device; null: 1.
// row_dots  F32 [batch, heads, queries]: becomes y . its gradient, without gamma, where `gamma_wanted` or
//           others' gradients need it
template <class T>
void scaled_attention_backward(const AttentionOf<T>&, const RowStatistics&, Tokens<const T> y_gradient,
                               const float* gamma, bool gamma_wanted, const AttentionGradients<T>&,
                               float* row_dots, Stream stream);

}  // namespace tyto::kernels
