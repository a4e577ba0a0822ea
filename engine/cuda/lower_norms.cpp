// Normalisations and reductions along an axis.
#include <array>

#include "engine/cuda/lowering.h"
#include "kernels/norm/layer_norm.h"
#include "kernels/norm/norm.h"
#include "kernels/norm/softmax.h"

namespace tyto::cuda {
namespace {

// As the value lies in memory; of a map, channels come last.
kernels::Axis axis_of(const TensorRef& s, int axis) {
  std::vector<int64_t> sizes = s.shape.dims();
  size_t at = axis_index(axis, sizes.size());
  if (s.kind == Kind::Map) {
    sizes = {s.shape[0], s.shape[2], s.shape[3], s.channels};
    at = at == 0 ? 0 : at == 1 ? 3 : at - 1;
  }
  kernels::Axis seen;
  for (size_t d = 0; d < at; ++d) seen.outer *= sizes[d];
  seen.size = sizes[at];
  for (size_t d = at + 1; d < sizes.size(); ++d) seen.inner *= sizes[d];
  return seen;
}

const float* data_of(const DeviceBuffer* buffer) {
  return buffer ? reinterpret_cast<const float*>(buffer->data()) : nullptr;
}

}  // namespace

void Lowering::lower(const Softmax& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_, axis = axis_of(x, op.axis)](cudaStream_t s) {
    with_element_type(x.type,
                      [&]<class T>() { kernels::softmax<T>(m->at<const T>(x), axis, m->at<T>(y), s); });
  });
  store(id, y);
}

void Lowering::lower(const Reduce& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  add_step(node, "tyto", std::array{x, y},
           [=, m = addresses_, axis = axis_of(x, op.axis), reduction = op.reduction](cudaStream_t s) {
             with_element_type(x.type, [&]<class T>() {
               kernels::reduce<T>(m->at<const T>(x), axis, reduction, m->at<T>(y), s);
             });
           });
  store(id, y);
}

void Lowering::lower(const LayerNorm& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const bool affine = !node.weights.empty();
  const DeviceBuffer *scale = affine ? pack(node.weights[0], DType::F32) : nullptr,
                     *shift = affine ? pack(node.weights[1], DType::F32) : nullptr;
  const int64_t width = x.shape[x.shape.rank() - 1], rows = x.shape.elements() / width;
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_, epsilon = op.epsilon](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::layer_norm<T>(m->at<const T>(x), rows, width, data_of(scale), data_of(shift), epsilon,
                             m->at<T>(y), s);
    });
  });
  store(id, y);
}

void Lowering::lower(const GroupNorm& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  const TensorRef workspace =
      scratch(kernels::group_norm_workspace_bytes(x.shape[0], x.shape[2], x.shape[3], x.channels));
  const TensorRef y = new_tensor(node);
  const bool affine = !node.weights.empty();
  const DeviceBuffer *scale = affine ? pack(node.weights[0], DType::F32) : nullptr,
                     *shift = affine ? pack(node.weights[1], DType::F32) : nullptr;
  const kernels::GroupNorm params = {x.channels, op.groups, op.epsilon, op.activation};
  add_step(node, "tyto", std::array{x, workspace, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::group_norm<T>(m->images<const T>(x), data_of(scale), data_of(shift), params, m->at<T>(y),
                             m->at(workspace), s);
    });
  });
  store(id, y);
}

}  // namespace tyto::cuda
