// Arithmetic and activations that no layer took over.
#include <algorithm>
#include <array>
#include <optional>

#include "engine/cpu/lowering.h"

namespace tyto::cpu {

namespace {

// Of b, repeated to the first input's shape: the same memory, with as many dimensions as that has.
memory::desc as_repeated(const Shape& a, const Shape& b, bool channels_of_map) {
  memory::dims dims(a.rank(), 1);
  if (channels_of_map)
    dims[1] = b[0];
  else
    std::copy(b.begin(), b.end(), dims.end() - static_cast<std::ptrdiff_t>(b.rank()));
  memory::dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return {dims, memory::data_type::f32, strides};
}

// [outer, inner] where only leading dimensions repeat, which is what oneDNN is fast at.
struct Flat {
  int64_t outer = 1, inner = 1;
};
std::optional<Flat> flat(const Shape& a, const memory::dims& b) {
  Flat flat;
  size_t d = 0;
  for (; d < b.size() && b[d] == 1; ++d) flat.outer *= a[d];
  for (; d < b.size(); ++d) {
    if (b[d] != a[d]) return std::nullopt;
    flat.inner *= a[d];
  }
  return flat;
}

}  // namespace

void Lowering::lower_binary(dnnl::algorithm algorithm, Activation activation, const Node& node, int id) {
  const Value in_a = node.inputs[0], in_b = node.inputs[1];
  const Result &a = graph_.result(in_a), &b = graph_.result(in_b);
  TensorRef x = stored(in_a), y;
  if (a.shape == b.shape) {
    y = in_layout(in_b, x.layout);
  } else {
    y = rows(in_b);
    y.layout = as_repeated(a.shape, b.shape, a.kind == Kind::Map && b.kind == Kind::Rows);
    if (const auto both = flat(a.shape, y.layout.dims()); both && a.kind == Kind::Rows) {
      x = rows(in_a);
      x.layout = plain({both->outer, both->inner});
      y.layout = plain({1, both->inner});
    }
  }
  TensorRef result = new_tensor(x.layout);
  dnnl::post_ops ops;
  append_activation(ops, activation);
  const dnnl::binary::primitive_desc pd({algorithm, x.layout, y.layout, x.layout}, attributes(ops), engine_);
  add_primitive(node, pd.impl_info_str(), dnnl::binary(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC_0, bind(x)}, {DNNL_ARG_SRC_1, bind(y)}, {DNNL_ARG_DST, bind(result)}},
                std::array{x, y, result});
  if (a.kind == Kind::Rows) result.layout = plain(node.result());
  store(id, result);
}

void Lowering::lower(const Add& op, const Node& node, int id) {
  lower_binary(dnnl::algorithm::binary_add, op.activation, node, id);
}

void Lowering::lower(const Sub& op, const Node& node, int id) {
  lower_binary(dnnl::algorithm::binary_sub, op.activation, node, id);
}

void Lowering::lower(const Mul& op, const Node& node, int id) {
  const Shape &a = graph_.shape(node.inputs[0]), &b = graph_.shape(node.inputs[1]);
  const bool of_images = node.result().kind == Kind::Map && b == Shape{a[0], a[1], 1, 1};
  if (of_images && a != b && op.activation == Activation::None) return lower_scale_channels(node, id);
  lower_binary(dnnl::algorithm::binary_mul, op.activation, node, id);
}

void Lowering::lower(const Activate& op, const Node& node, int id) {
  if (op.activation == Activation::None) return store(id, stored(node.inputs[0]));
  const TensorRef x = stored(node.inputs[0]), result = new_tensor(x.layout);
  // Only without post-ops is an elementwise primitive of oneDNN 2.6 a vectorised one.
  const std::vector<Eltwise> steps = eltwise_of(op.activation);
  dnnl::post_ops ops;
  for (size_t i = 1; i < steps.size(); ++i)
    ops.append_eltwise(1.0f, steps[i].algorithm, steps[i].alpha, steps[i].beta);
  const dnnl::eltwise_forward::primitive_desc pd(
      {dnnl::prop_kind::forward_inference, steps[0].algorithm, x.layout, steps[0].alpha, steps[0].beta},
      attributes(ops), engine_);
  add_primitive(node, pd.impl_info_str(), dnnl::eltwise_forward(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC, bind(x)}, {DNNL_ARG_DST, bind(result)}}, std::array{x, result});
  store(id, result);
}

void Lowering::lower_scale_channels(const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]), scales = as_blocks(node.inputs[1]),
                  result = new_tensor(x.layout);
  add_step(
      {node.name, "scale_channels", "tyto", layout_name(x.layout), node.shape()},
      [from = bind(x), by = bind(scales), to = bind(result), x_view = blocks(x), scales_view = blocks(scales),
       y_view = blocks(result)](dnnl::stream&) mutable {
        x_view.data = floats(from);
        scales_view.data = floats(by);
        y_view.data = floats(to);
        kernels::scale_channels_cpu(as_const(x_view), as_const(scales_view), y_view);
      },
      std::array{x, scales, result});
  store(id, result);
}

}  // namespace tyto::cpu
