// Maps of other sizes.
#include <array>

#include "engine/cpu/lowering.h"

namespace tyto::cpu {

void Lowering::lower(const Upsample& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  const TensorRef result = new_tensor(with_area(x.layout, op.height, op.width));
  add_step(
      {node.name, "upsample", "tyto", layout_name(result.layout), node.shape()},
      [source = bind(x), target = bind(result), from = blocks(x), to = blocks(result), mode = op.mode,
       steps = upsample_steps(op, graph_.shape(node.inputs[0]))](dnnl::stream&) mutable {
        from.data = floats(source);
        to.data = floats(target);
        kernels::upsample_cpu(as_const(from), mode, steps, to);
      },
      std::array{x, result});
  store(id, result);
}

void Lowering::lower(const Pad& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  const TensorRef result = new_tensor(with_area(x.layout, node.shape()[2], node.shape()[3]));
  const kernels::Border border = {op.padding.top, op.padding.left, op.mode};
  add_step(
      {node.name, "pad", "tyto", layout_name(result.layout), node.shape()},
      [source = bind(x), target = bind(result), from = blocks(x), to = blocks(result),
       border](dnnl::stream&) mutable {
        from.data = floats(source);
        to.data = floats(target);
        kernels::pad_cpu(as_const(from), border, to);
      },
      std::array{x, result});
  store(id, result);
}

}  // namespace tyto::cpu
