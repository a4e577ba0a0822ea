// Other views of the same values: between maps and rows, and rows of other shapes.
#include <array>

#include "engine/cpu/lowering.h"

namespace tyto::cpu {
namespace {

// Whether oneDNN can put the channels of b behind those of a: both in full blocks of one size, or both in
// none and in the same order. (It is not asked: where it cannot, it loses memory.)
bool joinable(const memory::desc& a, const memory::desc& b) {
  const auto &x = a.data.format_desc.blocking, &y = b.data.format_desc.blocking;
  if (a.data_type() != b.data_type() || a.data.format_kind != dnnl_blocked ||
      b.data.format_kind != dnnl_blocked || x.inner_nblks != y.inner_nblks)
    return false;
  if (x.inner_nblks == 0) return (x.strides[1] == 1) == (y.strides[1] == 1);
  const auto full = [&](const memory::desc& layout) { return layout.data.dims[1] % x.inner_blks[0] == 0; };
  return x.inner_nblks == 1 && x.inner_idxs[0] == 1 && y.inner_idxs[0] == 1 &&
         x.inner_blks[0] == y.inner_blks[0] && full(a) && full(b);
}

}  // namespace

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

void Lowering::lower(const Reshape&, const Node& node, int id) {
  TensorRef x = rows(node.inputs[0]);
  x.layout = plain(node.result());
  store(id, x);
}

void Lowering::lower(const Constant&, const Node& node, int id) {
  const TensorRef values = new_tensor(plain(node.result()));
  Buffer& buffer = buffers_[static_cast<size_t>(values.buffer)];
  buffer.constant = pack(node.weights[0], values.layout, values.layout);
  buffer.life.bytes = 0;
  store(id, values);
}

void Lowering::lower(const Permute& op, const Node& node, int id) {
  const TensorRef x = rows(node.inputs[0]), result = new_tensor(plain(node.result()));
  TensorRef permuted = x;  // its values seen in the result's order
  const auto& strides = x.layout.data.format_desc.blocking.strides;
  memory::dims seen;
  for (const int from : op.order) seen.push_back(strides[from]);
  permuted.layout = memory::desc(node.shape().dims(), x.layout.data_type(), seen);
  add_reorder({node.name, "permute", "reorder", layout_name(result.layout), node.shape()}, permuted,
              result.layout, bind(result), std::array{permuted, result});
  store(id, result);
}

// Maps by oneDNN where their layouts fit together; else piece by piece into a row-major result.
void Lowering::lower(const Concat& op, const Node& node, int id) {
  if (node.result().kind == Kind::Map && join_maps(node, id)) return;
  const TensorRef result = new_tensor(plain(node.result()));
  const size_t axis = axis_index(op.axis, node.shape().rank());
  memory::dims first(node.shape().rank(), 0);
  for (const Value v : node.inputs) {
    const TensorRef x = stored(v);
    TensorRef part = result;
    part.layout = result.layout.submemory_desc(graph_.shape(v).dims(), first);
    add_reorder({node.name, "concat", "reorder", layout_name(result.layout), node.shape()}, x, part.layout,
                bind(part), std::array{x, part});
    first[axis] += graph_.shape(v)[axis];
  }
  store(id, result);
}

bool Lowering::join_maps(const Node& node, int id) {
  std::vector<TensorRef> used;
  std::vector<memory::desc> layouts;
  for (const Value v : node.inputs) {
    used.push_back(stored(v));
    layouts.push_back(used.back().layout);
    if (!joinable(layouts.front(), layouts.back())) return false;
  }
  const dnnl::concat::primitive_desc pd(1, layouts, engine_, attributes({}));
  Arguments arguments;
  for (size_t i = 0; i < used.size(); ++i)
    arguments.emplace_back(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), bind(used[i]));
  const TensorRef result = new_tensor(pd.dst_desc());
  arguments.emplace_back(DNNL_ARG_DST, bind(result));
  used.push_back(result);
  add_primitive(node, pd.impl_info_str(), dnnl::concat(pd), pd.scratchpad_desc(), std::move(arguments), used);
  store(id, result);
  return true;
}

void Lowering::lower(const Slice& op, const Node& node, int id) {
  const Value in = node.inputs[0];
  const TensorRef x = rows(in);
  const memory::desc layout = node.result().kind == Kind::Map ? plain(node.shape()) : plain(node.result());
  const TensorRef result = new_tensor(layout);
  memory::dims first(node.shape().rank(), 0);
  first[axis_index(op.axis, node.shape().rank())] = op.first;
  TensorRef part = x;
  part.layout = x.layout.submemory_desc(node.shape().dims(), first);
  add_reorder({node.name, "slice", "reorder", layout_name(layout), node.shape()}, part, layout, bind(result),
              std::array{part, result});
  store(id, result);
}

// oneDNN knows no strides of zero.
void Lowering::lower(const Expand&, const Node& node, int id) {
  const TensorRef x = rows(node.inputs[0]), result = new_tensor(plain(node.result()));
  const Shape &from = graph_.shape(node.inputs[0]), &to = node.shape();
  add_step(
      {node.name, "expand", "tyto", layout_name(result.layout), to},
      [source = bind(x), target = bind(result), from, to](dnnl::stream&) {
        const auto* const in = static_cast<const uint32_t*>(source.get_data_handle());  // of either type
        auto* const out = static_cast<uint32_t*>(target.get_data_handle());
        const int64_t count = to.elements();
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < count; ++i) {
          int64_t rest = i, at = 0, stride = 1;
          for (size_t d = to.rank(); d-- > 0;) {
            if (from[d] > 1) at += rest % to[d] * stride;
            stride *= from[d];
            rest /= to[d];
          }
          out[i] = in[at];
        }
      },
      std::array{x, result});
  store(id, result);
}

}  // namespace tyto::cpu
