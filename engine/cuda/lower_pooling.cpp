// Pooling.
#include <array>

#include "engine/cuda/lowering.h"
#include "kernels/pooling/adaptive_average_pool.h"
#include "kernels/pooling/average_pool.h"
#include "kernels/pooling/gem_pool.h"
#include "kernels/pooling/max_pool.h"

namespace tyto::cuda {

void Lowering::lower(const MaxPool& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const kernels::MaxPoolWindow window = {op.kernel, op.stride, op.padding.top, op.padding.left};
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(
        x.type, [&]<class T>() { kernels::max_pool<T>(m->images<const T>(x), window, m->images<T>(y), s); });
  });
  store(id, y);
}

void Lowering::lower(const AveragePool& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const kernels::AveragePoolWindow window = {.height = op.kernel,
                                             .width = op.kernel,
                                             .stride_height = op.stride,
                                             .stride_width = op.stride,
                                             .padding_height = op.padding,
                                             .padding_width = op.padding,
                                             .count_padding = op.count_padding,
                                             .divisor = op.divisor};
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::average_pool<T>(m->images<const T>(x), window, m->images<T>(y), s);
    });
  });
  store(id, y);
}

void Lowering::lower(const AdaptiveAveragePool& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  if (x.shape[2] == op.height && x.shape[3] == op.width) return store(id, x);
  const TensorRef y = new_tensor(node);
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::adaptive_average_pool<T>(m->images<const T>(x), m->images<T>(y), s);
    });
  });
  store(id, y);
}

void Lowering::lower(const GemPool& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const float power = positive_number(node.weights[0]);
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(
        x.type, [&]<class T>() { kernels::gem_pool<T>(m->images<const T>(x), power, op, m->at<T>(y), s); });
  });
  store(id, y);
}

}  // namespace tyto::cuda
