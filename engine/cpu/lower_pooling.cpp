// Pooling.
#include <array>

#include "engine/cpu/lowering.h"
#include "kernels/pooling/adaptive_average_pool.h"
#include "kernels/pooling/average_pool.h"
#include "kernels/pooling/gem_pool.h"

namespace tyto::cpu {

void Lowering::lower(const MaxPool& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  const Shape &in = graph_.shape(node.inputs[0]), &out = node.shape();
  // oneDNN counts windows from the padding; with ceil the last window reaches further.
  const auto after = [&](size_t axis, int before) {
    return (out[axis] - 1) * op.stride + op.kernel - in[axis] - before;
  };
  const memory::dims kernel = {op.kernel, op.kernel}, strides = {op.stride, op.stride};
  const dnnl::pooling_forward::primitive_desc pd(
      {dnnl::prop_kind::forward_inference,
       dnnl::algorithm::pooling_max,
       x.layout,
       described(out, x.layout.data_type(), memory::format_tag::any),
       strides,
       kernel,
       {op.padding.top, op.padding.left},
       {after(2, op.padding.top), after(3, op.padding.left)}},
      attributes({}), engine_);
  const TensorRef result = new_tensor(pd.dst_desc());
  add_primitive(node, pd.impl_info_str(), dnnl::pooling_forward(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC, bind(x)}, {DNNL_ARG_DST, bind(result)}}, std::array{x, result});
  store(id, result);
}

void Lowering::lower(const AdaptiveAveragePool& op, const Node& node, int id) {
  const Value in = node.inputs[0];
  if (graph_.shape(in)[2] == op.height && graph_.shape(in)[3] == op.width) return store(id, stored(in));
  const TensorRef x = as_blocks(in);
  add_map_step(node, id, x, new_tensor(with_area(x.layout, op.height, op.width)),
               kernels::adaptive_average_pool_cpu);
}

void Lowering::lower(const GemPool& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  add_map_step(node, id, x, new_tensor(with_area(x.layout, 1, 1)),
               [op, power = positive_number(node.weights[0])](const auto& from, const auto& to) {
                 kernels::gem_pool_cpu(from, power, op, to);
               });
}

void Lowering::lower(const AveragePool& op, const Node& node, int id) {
  const TensorRef x = as_blocks(node.inputs[0]);
  const kernels::AveragePoolWindow window = {op.kernel,  op.kernel,  op.stride,        op.stride,
                                             op.padding, op.padding, op.count_padding, op.divisor};
  add_map_step(node, id, x, new_tensor(with_area(x.layout, node.shape()[2], node.shape()[3])),
               [window](const auto& from, const auto& to) { kernels::average_pool_cpu(from, window, to); });
}

void Lowering::lower(const Reduce& op, const Node& node, int id) {
  using Algorithm = dnnl::algorithm;
  const TensorRef x = rows(node.inputs[0]);
  Shape kept = graph_.shape(node.inputs[0]);  // the axis, of size 1
  kept[axis_index(op.axis, kept.rank())] = 1;
  TensorRef result = new_tensor(plain(kept));
  const Algorithm algorithm = op.reduction == kernels::Reduction::Mean  ? Algorithm::reduction_mean
                              : op.reduction == kernels::Reduction::Max ? Algorithm::reduction_max
                                                                        : Algorithm::reduction_sum;
  const dnnl::reduction::primitive_desc pd({algorithm, x.layout, result.layout, 0.0f, 0.0f}, attributes({}),
                                           engine_);
  add_primitive(node, pd.impl_info_str(), dnnl::reduction(pd), pd.scratchpad_desc(),
                {{DNNL_ARG_SRC, bind(x)}, {DNNL_ARG_DST, bind(result)}}, std::array{x, result});
  result.layout = plain(node.shape());
  store(id, result);
}

}  // namespace tyto::cpu
