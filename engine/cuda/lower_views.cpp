// Views of images as they are given, and the features that are summed over them.
#include <array>

#include "engine/cuda/lowering.h"
#include "kernels/elementwise/epilogue.h"
#include "kernels/image/bicubic.h"
#include "kernels/image/flip.h"
#include "kernels/layout/convert.h"
#include "kernels/retrieval/normalize_rows.h"

namespace tyto::cuda {

void Lowering::lower(const FlipHorizontal&, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const Shape& shape = node.shape();
  add_step(node, "tyto", std::array{x, y},
           [=, m = addresses_, rows = shape[0] * shape[1] * shape[2], width = shape[3]](cudaStream_t s) {
             kernels::flip_horizontal(m->at<const float>(x), rows, width, m->at<float>(y), s);
           });
  store(id, y);
}

void Lowering::lower(const RescaleBicubic& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const kernels::BicubicParams params = {x.shape[0] * x.shape[1], x.shape[2], x.shape[3], op.factor};
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    kernels::bicubic(m->at<const float>(x), m->at<float>(y), params, s);
  });
  store(id, y);
}

void Lowering::lower(const NormalizedSum&, const Node& node, int id) {
  const TensorRef sum = new_tensor(node);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorRef x = stored(node.inputs[i]);
    watch(x, graph_.node(node.inputs[i]).name);
    const TensorRef term = i == 0 ? sum : new_tensor(node);
    add_step(node, "tyto", std::array{x, sum, term},
             [=, m = addresses_, n = node.shape().elements()](cudaStream_t s) {
               with_element_type(x.type, [&]<class T>() {
                 kernels::convert<T, float>(m->at<const T>(x), n, m->at<float>(term), s);
               });
               if (i > 0)
                 kernels::epilogue<float>(m->images<const float>(sum), nullptr, m->at<const float>(term),
                                          Activation::None, m->at<float>(sum), s);
             });
  }
  add_step(node, "tyto", std::array{sum, sum}, [=, m = addresses_](cudaStream_t s) {
    kernels::normalize_rows(m->at<float>(sum), sum.shape[0], sum.shape[1], nullptr, s);
  });
  store(id, sum);
}

}  // namespace tyto::cuda
