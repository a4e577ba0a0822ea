// What attention() and position_attention() share.
#pragma once

#include "kernels/attention/attention.h"

namespace tyto::kernels {

// attention(), and where `gamma` is not null y = *gamma * attention + x; gamma and x on the device, x as y.
template <class T>
void scaled_attention(const AttentionOf<T>&, const float* gamma, Tokens<const T> x, Tokens<T> y,
                      const RowStatistics&, Stream stream);

}  // namespace tyto::kernels
