// Normalisations that no convolution took over, and the softmax.
#include <array>

#include "engine/cpu/lowering.h"
#include "engine/graph/batch_norm_affine.h"

namespace tyto::cpu {

void Lowering::lower(const Softmax& op, const Node& node, int id) {
  const TensorRef x = rows(node.inputs[0]), result = new_tensor(x.layout);
  const auto axis = static_cast<int>(axis_index(op.axis, node.shape().rank()));
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
  const int64_t channels = node.shape()[1];
  normalize_groups({channels, op.groups, op.epsilon, op.activation}, node, id);
}

void Lowering::lower(const InstanceNorm& op, const Node& node, int id) {
  const int64_t count = node.weights[0].dim(0);
  normalize_groups({count, count, op.epsilon, op.activation}, node, id);
}

void Lowering::normalize_groups(const kernels::GroupNorm& params, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  Tensor scale, shift;  // empty where there are none
  if (!node.weights.empty()) scale = node.weights[0].load(), shift = node.weights[1].load();
  std::vector<double> moments(static_cast<size_t>(2 * node.shape()[0] * params.channels));
  add_map_step(node, id, x, new_tensor(x.layout),
               [scale, shift, params, moments](const auto& from, const auto& to) mutable {
                 const auto values = [](const Tensor& t) {
                   return t.empty() ? nullptr : t.as<float>().data();
                 };
                 kernels::group_norm_cpu(from, values(scale), values(shift), params, to, moments.data());
               });
}

void Lowering::lower(const BatchNorm& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  add_map_step(node, id, x, new_tensor(x.layout),
               [affine = channel_affine_of(node, graph_.channels(node.inputs[0])),
                activation = op.activation](const auto& from, const auto& to) {
                 kernels::channel_affine_cpu(from, affine.scale.data(), affine.shift.data(), activation, to);
               });
}

void Lowering::lower(const L2Normalize& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  add_map_step(node, id, x, new_tensor(x.layout),
               [op, scale = node.weights[0].load()](const auto& from, const auto& to) {
                 kernels::l2_normalize_cpu(from, scale.template as<float>().data(), op, to);
               });
}

}  // namespace tyto::cpu
