// Normalisations of rows, and of groups of a map's channels.
#include <array>

#include "engine/cpu/lowering.h"
#include "kernels/norm/norm.h"

namespace tyto::cpu {

void Lowering::lower(const Softmax& op, const Node& node, int id) {
  const TensorRef x = rows(node.inputs[0]), result = new_tensor(x.layout);
  const int axis = op.axis < 0 ? op.axis + static_cast<int>(node.shape().rank()) : op.axis;
  const dnnl::softmax_forward::primitive_desc pd({dnnl::prop_kind::forward_inference, x.layout, axis},
                                                 attributes({}), engine_);
  add_primitive(node, pd.impl_info_str(), dnnl::softmax_forward(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC, bind(x)}, {DNNL_ARG_DST, bind(result)}}, std::array{x, result});
  store(id, result);
}

void Lowering::lower(const LayerNorm& op, const Node& node, int id) {
  using Flags = dnnl::normalization_flags;
  TensorRef x = rows(node.inputs[0]), result = new_tensor(plain(node.result()));
  const int64_t width = node.shape()[node.shape().rank() - 1];
  x.layout = plain({node.shape().elements() / width, width});
  TensorRef y = result;
  y.layout = x.layout;
  const bool affine = !node.weights.empty();
  const dnnl::layer_normalization_forward::primitive_desc pd(
      {dnnl::prop_kind::forward_inference, x.layout, op.epsilon,
       affine ? Flags::use_scale | Flags::use_shift : Flags::none},
      attributes({}), engine_);
  Arguments arguments = {{DNNL_ARG_SRC, bind(x)}, {DNNL_ARG_DST, bind(y)}};
  if (affine) {
    const memory::desc channels = plain(Shape{width});
    arguments.emplace_back(DNNL_ARG_SCALE, pack(node.weights[0], channels, channels));
    arguments.emplace_back(DNNL_ARG_SHIFT, pack(node.weights[1], channels, channels));
  }
  add_primitive(node, pd.impl_info_str(), dnnl::layer_normalization_forward(pd), pd.scratchpad_desc(),
                std::move(arguments), std::array{x, y});
  store(id, result);
}

void Lowering::lower(const GroupNorm& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]), result = new_tensor(x.layout);
  const int64_t channels = node.shape()[1];
  const kernels::GroupNorm params = {channels, op.groups, op.epsilon, op.activation};
  Tensor scale, shift;
  if (!node.weights.empty()) scale = node.weights[0].load(), shift = node.weights[1].load();
  add_step(
      {node.name, "group_norm", "tyto", layout_name(x.layout), node.shape()},
      [from = bind(x), to = bind(result), view = blocks(x), scale, shift, params,
       moments =
           std::vector<double>(static_cast<size_t>(2 * blocks(x).n * channels))](dnnl::stream&) mutable {
        kernels::ChannelBlocks<float> y = view;
        y.data = floats(to);
        view.data = floats(from);
        const bool affine = !scale.empty();
        kernels::group_norm_cpu(as_const(view), affine ? scale.as<float>().data() : nullptr,
                                affine ? shift.as<float>().data() : nullptr, params, y, moments.data());
      },
      std::array{x, result});
  store(id, result);
}

}  // namespace tyto::cpu
