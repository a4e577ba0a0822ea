// Other views of the same values: between maps and rows, and rows of other shapes.
#include "engine/cpu/lowering.h"

namespace tyto::cpu {

// Rows are kept in F32 whatever their elements, and layers read maps in the type that they need; but what
// computes in the type that it finds must find no bf16 where F32 is meant.
void Lowering::lower(const Cast& op, const Node& node, int id) {
  const bool narrow = stored(node.inputs[0]).layout.data_type() == memory::data_type::bf16;
  store(id, narrow && op.elements == Elements::F32 ? rows(node.inputs[0]) : stored(node.inputs[0]));
}

void Lowering::lower(const ToMap& op, const Node& node, int id) {
  TensorRef map = rows(node.inputs[0]);
  map.layout = op.channels == Channels::First
                   ? plain(node.shape())
                   : described(node.shape(), memory::data_type::f32, memory::format_tag::nhwc);
  store(id, map);
}

void Lowering::lower(const ToRows& op, const Node& node, int id) {
  const Value map = node.inputs[0];
  TensorRef rows =
      in_layout(map, op.channels == Channels::First
                         ? plain(graph_.shape(map))
                         : described(graph_.shape(map), memory::data_type::f32, memory::format_tag::nhwc));
  rows.layout = plain(node.shape());
  store(id, rows);
}

void Lowering::lower(const Flatten&, const Node& node, int id) {
  TensorRef flat = rows(node.inputs[0]);
  flat.layout = plain(node.shape());
  store(id, flat);
}

}  // namespace tyto::cpu
