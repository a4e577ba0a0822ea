// Maps of other sizes.
#include <array>

#include "engine/cuda/lowering.h"

namespace tyto::cuda {

void Lowering::lower(const Upsample& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  add_step(node, "tyto", std::array{x, y},
           [=, m = addresses_, steps = upsample_steps(op, x.shape)](cudaStream_t s) {
             with_element_type(x.type, [&]<class T>() {
               kernels::upsample<T>(m->images<const T>(x), op.mode, steps, m->images<T>(y), s);
             });
           });
  store(id, y);
}

void Lowering::lower(const Pad& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const kernels::Border border = {op.padding.top, op.padding.left, op.mode};
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type,
                      [&]<class T>() { kernels::pad<T>(m->images<const T>(x), border, m->images<T>(y), s); });
  });
  store(id, y);
}

}  // namespace tyto::cuda
