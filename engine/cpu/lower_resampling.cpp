// Maps of other sizes.
#include "engine/cpu/lowering.h"

namespace tyto::cpu {

void Lowering::lower(const Upsample& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  add_map_step(node, id, x, new_tensor(with_area(x.layout, op.height, op.width)),
               [mode = op.mode, steps = upsample_steps(op, graph_.shape(node.inputs[0]))](
                   const auto& from, const auto& to) { kernels::upsample_cpu(from, mode, steps, to); });
}

void Lowering::lower(const Pad& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  const kernels::Border border = {op.padding.top, op.padding.left, op.mode};
  add_map_step(node, id, x, new_tensor(with_area(x.layout, node.shape()[2], node.shape()[3])),
               [border](const auto& from, const auto& to) { kernels::pad_cpu(from, border, to); });
}

}  // namespace tyto::cpu
