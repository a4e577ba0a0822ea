// Position attention, forward: attention of one head, unscaled, times gamma plus x (attention.cu).
#include "kernels/attention/position_attention.h"

#include "kernels/attention/attention_forward.cuh"

namespace tyto::kernels {

template <class T>
void position_attention(const PositionAttentionOf<T>& p, T* y, const RowStatistics& rows, Stream stream) {
  scaled_attention<T>(attention_of(p), p.gamma, {p.x, p.channels}, {y, p.channels}, rows, stream);
}

template void position_attention<float>(const PositionAttentionOf<float>&, float*, const RowStatistics&,
                                        Stream);
template void position_attention<Half>(const PositionAttentionOf<Half>&, Half*, const RowStatistics&, Stream);
template void position_attention<BFloat16>(const PositionAttentionOf<BFloat16>&, BFloat16*,
                                           const RowStatistics&, Stream);

}  // namespace tyto::kernels
