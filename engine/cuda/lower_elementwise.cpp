// Arithmetic, activations and normalisation that no convolution took over.
#include <fmt/format.h>

#include <array>
#include <vector>

#include "engine/cuda/lowering.h"
#include "engine/graph/batch_norm_affine.h"
#include "kernels/elementwise/epilogue.h"
#include "kernels/norm/l2_normalize.h"
#include "kernels/norm/norm.h"

namespace tyto::cuda {
namespace {

// Outermost first, as they lie in memory.
std::vector<int64_t> sizes_in_memory(const TensorRef& s) {
  if (s.kind == Kind::Map) return {s.shape[0], s.shape[2], s.shape[3], s.channels};
  return s.shape.dims();
}

// The second array is repeated to the first one's shape. A map's channels are innermost, where a value a
// channel is repeated over all pixels.
kernels::StridedBox<3> box_of(const TensorRef& a, const TensorRef& b) {
  if (a.shape == b.shape && a.kind == b.kind) {
    const std::array all{a.shape.elements()};
    return kernels::broadcast_box(all, all);
  }
  if (a.shape.rank() > kernels::kMaxRank)
    throw Error(ErrorKind::Unsupported, fmt::format("{} and {} have more than {} dimensions; reshape them",
                                                    a.shape.str(), b.shape.str(), kernels::kMaxRank));
  return kernels::broadcast_box(sizes_in_memory(a), sizes_in_memory(b));
}

}  // namespace

TensorRef Lowering::combine(const Node& node, kernels::BinaryOp op, Activation activation) {
  const TensorRef a = stored(node.inputs[0]), b = stored(node.inputs[1]), y = new_tensor(node);
  add_step(node, "tyto", std::array{a, b, y}, [=, m = addresses_, box = box_of(a, b)](cudaStream_t s) {
    with_element_type(a.type, [&]<class T>() {
      kernels::broadcast<T>(m->at<const T>(a), m->at<const T>(b), box, op, activation, m->at<T>(y), s);
    });
  });
  return y;
}

TensorRef Lowering::add_residual(const Node& node, Activation activation, const TensorRef& x) {
  const TensorRef residual = stored(node.inputs[1]), y = new_tensor(node);
  add_step({node.name, "add", "tyto", layout_name(y), node.shape()}, std::array{x, residual, y},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(x.type, [&]<class T>() {
               kernels::epilogue<T>(m->images<const T>(x), nullptr, m->at<const T>(residual), activation,
                                    m->at<T>(y), s);
             });
           });
  return y;
}

void Lowering::lower(const Add& op, const Node& node, int id) {
  const TensorRef &a = stored(node.inputs[0]), &b = stored(node.inputs[1]);
  const bool equal = a.shape == b.shape && a.kind == b.kind;
  store(id,
        equal ? add_residual(node, op.activation, a) : combine(node, kernels::BinaryOp::Add, op.activation));
}

void Lowering::lower(const Sub& op, const Node& node, int id) {
  store(id, combine(node, kernels::BinaryOp::Sub, op.activation));
}

void Lowering::lower(const Mul& op, const Node& node, int id) {
  store(id, combine(node, kernels::BinaryOp::Mul, op.activation));
}

void Lowering::lower(const Activate& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  if (op.activation == Activation::None) return store(id, x);
  const TensorRef y = new_tensor(node);
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::epilogue<T>(m->images<const T>(x), nullptr, nullptr, op.activation, m->at<T>(y), s);
    });
  });
  store(id, y);
}

void Lowering::lower(const BatchNorm& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const ChannelAffine affine = channel_affine_of(node, graph_.channels(node.inputs[0]));
  const DeviceBuffer* scale = keep(DeviceWeights::upload(affine.scale, DType::F32));
  const DeviceBuffer* shift = keep(DeviceWeights::upload(affine.shift, DType::F32));
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::channel_affine<T>(m->images<const T>(x), reinterpret_cast<const float*>(scale->data()),
                                 reinterpret_cast<const float*>(shift->data()), op.activation, m->at<T>(y),
                                 s);
    });
  });
  store(id, y);
}

void Lowering::lower(const InstanceNorm& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  const TensorRef workspace =
      scratch(kernels::group_norm_workspace_bytes(x.shape[0], x.shape[2], x.shape[3], x.channels));
  const TensorRef y = new_tensor(node);
  const DeviceBuffer *scale = pack(node.weights[0], DType::F32), *shift = pack(node.weights[1], DType::F32);
  const int64_t count = node.weights[0].dim(0);
  const kernels::GroupNorm params = {count, count, op.epsilon, op.activation};
  add_step(node, "tyto", std::array{x, workspace, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::group_norm<T>(m->images<const T>(x), reinterpret_cast<const float*>(scale->data()),
                             reinterpret_cast<const float*>(shift->data()), params, m->at<T>(y),
                             m->at(workspace), s);
    });
  });
  store(id, y);
}

void Lowering::lower(const L2Normalize& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const DeviceBuffer* scale = pack(node.weights[0], DType::F32);
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::l2_normalize<T>(m->images<const T>(x), reinterpret_cast<const float*>(scale->data()), op,
                               m->at<T>(y), s);
    });
  });
  store(id, y);
}

}  // namespace tyto::cuda
