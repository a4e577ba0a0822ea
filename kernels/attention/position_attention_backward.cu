// Gradients of position attention: attention's of one head, times gamma (attention_backward.cu). gamma's own
// is the sum of y . its gradient over all rows, by one block in an order that depends on their number alone:
// 80 KB of eight images of 2592 positions. That of x is y's.
#include "kernels/attention/position_attention.h"

#include "kernels/attention/attention_backward.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {
namespace {

__global__ void __launch_bounds__(kReduceBlock)
    gamma_gradient_kernel(const float* row_dots, int64_t rows, float* to) {
  TYTO_SHARED_ARRAY(float, partial, kReduceWarps);
  float sum = 0;
  for (int64_t i = threadIdx.x; i < rows; i += kReduceBlock) sum += row_dots[i];
  sum = row_reduce<Plus, kReduceBlock>(sum, partial);
  if (threadIdx.x == 0) *to = sum;
}

}  // namespace

template <class T>
void position_attention_backward(const PositionAttentionOf<T>& p, const RowStatistics& rows,
                                 const T* y_gradient, const PositionAttentionGradients<T>& to,
                                 float* workspace, Stream stream) {
  AttentionGradients<T> gradients;
  gradients.q = {to.q, p.depth};
  gradients.sets[0] = {.k = {to.k, p.depth}, .v = {to.v, p.channels}};
  scaled_attention_backward(attention_of(p), rows, {y_gradient, p.channels}, p.gamma, to.gamma != nullptr,
                            gradients, workspace, stream);
  if (to.gamma)
    launch<gamma_gradient_kernel>({.grid = 1, .block = kReduceBlock, .stream = stream}, workspace,
                                  p.batch * p.positions, to.gamma);
  const int64_t bytes = p.batch * p.positions * p.channels * static_cast<int64_t>(sizeof(T));
  if (to.x && to.x != y_gradient && bytes > 0) {
    const cudaError_t error =
        cudaMemcpyAsync(to.x, y_gradient, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream);
    if (error != cudaSuccess)
      throw DeviceError(std::string("copy of position attention's gradient: ") + cudaGetErrorString(error));
  }
}

int64_t position_attention_backward_floats(int64_t batch, int64_t positions) {
  return attention_backward_floats(batch, 1, positions);
}

template void position_attention_backward<float>(const PositionAttentionOf<float>&, const RowStatistics&,
                                                 const float*, const PositionAttentionGradients<float>&,
                                                 float*, Stream);
template void position_attention_backward<Half>(const PositionAttentionOf<Half>&, const RowStatistics&,
                                                const Half*, const PositionAttentionGradients<Half>&, float*,
                                                Stream);
template void position_attention_backward<BFloat16>(const PositionAttentionOf<BFloat16>&,
                                                    const RowStatistics&, const BFloat16*,
                                                    const PositionAttentionGradients<BFloat16>&, float*,
                                                    Stream);

}  // namespace tyto::kernels
