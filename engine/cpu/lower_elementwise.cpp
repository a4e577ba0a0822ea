// Additions, activations and normalisation that no convolution took over.
#include <array>

#include "engine/cpu/lowering.h"
#include "engine/graph/batch_norm_affine.h"

namespace tyto::cpu {

void Lowering::lower(const Add& op, const Node& node, int id) {
  const memory::desc& layout = stored(node.inputs[0]).layout;
  const TensorRef a = stored(node.inputs[0]), b = in_layout(node.inputs[1], layout),
                  result = new_tensor(layout);
  dnnl::post_ops ops;
  append_activation(ops, op.activation);
  const dnnl::binary::primitive_desc pd({dnnl::algorithm::binary_add, layout, layout, layout},
                                        attributes(ops), engine_);
  add_primitive(node, pd.impl_info_str(), dnnl::binary(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC_0, bind(a)}, {DNNL_ARG_SRC_1, bind(b)}, {DNNL_ARG_DST, bind(result)}},
                std::array{a, b, result});
  store(id, result);
}

void Lowering::lower(const Activate& op, const Node& node, int id) {
  if (op.activation == Activation::None) return store(id, stored(node.inputs[0]));
  const TensorRef x = stored(node.inputs[0]), result = new_tensor(x.layout);
  // The identity, and what a convolution would do after itself.
  dnnl::post_ops ops;
  append_activation(ops, op.activation);
  const dnnl::eltwise_forward::primitive_desc pd(
      {dnnl::prop_kind::forward_inference, dnnl::algorithm::eltwise_linear, x.layout, 1.0f, 0.0f},
      attributes(ops), engine_);
  add_primitive(node, pd.impl_info_str(), dnnl::eltwise_forward(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC, bind(x)}, {DNNL_ARG_DST, bind(result)}}, std::array{x, result});
  store(id, result);
}

void Lowering::lower(const BatchNorm& op, const Node& node, int id) {
  const ChannelAffine affine = channel_affine_of(node, graph_.channels(node.inputs[0]));
  const TensorRef x = as_blocks(node.inputs[0]), result = new_tensor(x.layout);
  add_step(
      {node.name, "batch_norm", "tyto", layout_name(x.layout), node.shape()},
      [from = bind(x), to = bind(result), view = blocks(x), affine,
       clamp = clamp_of(op.activation)](dnnl::stream&) mutable {
        kernels::ChannelBlocks<float> y = view;
        y.data = floats(to);
        view.data = floats(from);
        kernels::channel_affine_cpu(as_const(view), affine.scale.data(), affine.shift.data(), clamp, y);
      },
      std::array{x, result});
  store(id, result);
}

void Lowering::lower(const InstanceNorm& op, const Node& node, int id) {
  const Tensor scale = node.weights[0].load(), shift = node.weights[1].load();
  const TensorRef x = as_blocks(node.inputs[0]), result = new_tensor(x.layout);
  add_step(
      {node.name, "instance_norm", "tyto", layout_name(x.layout), node.shape()},
      [from = bind(x), to = bind(result), view = blocks(x), scale, shift, epsilon = op.epsilon,
       clamp = clamp_of(op.activation)](dnnl::stream&) mutable {
        kernels::ChannelBlocks<float> y = view;
        y.data = floats(to);
        view.data = floats(from);
        kernels::instance_norm_cpu(as_const(view), scale.as<float>().data(), shift.as<float>().data(),
                                   scale.elements(), epsilon, clamp, y);
      },
      std::array{x, result});
  store(id, result);
}

void Lowering::lower(const Mul&, const Node& node, int id) {
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

void Lowering::lower(const L2Normalize& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]), result = new_tensor(x.layout);
  add_step(
      {node.name, "l2_normalize", "tyto", layout_name(x.layout), node.shape()},
      [op, from = bind(x), to = bind(result), view = blocks(x),
       scale = node.weights[0].load()](dnnl::stream&) mutable {
        kernels::ChannelBlocks<float> y = view;
        y.data = floats(to);
        view.data = floats(from);
        kernels::l2_normalize_cpu(as_const(view), scale.as<float>().data(), op, y);
      },
      std::array{x, result});
  store(id, result);
}

}  // namespace tyto::cpu
