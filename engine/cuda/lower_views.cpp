// The network's input, views of it, and the features that are summed over them.
#include <array>

#include "engine/cuda/convolution_spec.h"
#include "engine/cuda/lowering.h"
#include "kernels/elementwise/epilogue.h"
#include "kernels/image/bicubic.h"
#include "kernels/image/flip.h"
#include "kernels/layout/convert.h"
#include "kernels/layout/nchw_to_nhwc.h"
#include "kernels/retrieval/normalize_rows.h"

namespace tyto::cuda {
namespace {

bool is_view(const Operator& op) {
  return std::holds_alternative<FlipHorizontal>(op) || std::holds_alternative<RescaleBicubic>(op);
}

// Who reads a value, but for views.
struct Readers {
  bool any = false;
  bool only_convolutions = true;  // that are cuDNN's
};

Readers readers_of(const Graph& graph, int id) {
  Readers readers;
  for (const Node& node : graph.nodes())
    for (const Value in : node.inputs) {
      if (in.node != id || is_view(node.op)) continue;
      const auto* convolution = std::get_if<Conv2d>(&node.op);
      readers.any = true;
      readers.only_convolutions &= convolution != nullptr && convolution->groups == 1;
    }
  for (const auto& [name, value] : graph.outputs())
    if (value.node == id) readers = {true, false};
  return readers;
}

}  // namespace

void Lowering::lower(const Input&, const Node& node, int id) {
  const TensorRef rows = new_tensor(node.shape, DType::F32);
  result_.input = rows;
  if (node.shape.rank() == 4) return store_image(node, id, rows);
  if (type_ == DType::F32) return store(id, rows);
  const TensorRef result = new_tensor(node.shape);
  add_step(node, "tyto", std::array{rows, result},
           [=, m = addresses_, n = node.shape.elements()](cudaStream_t s) {
             with_element_type(result.type, [&]<class T>() {
               kernels::convert<float, T>(m->at<const float>(rows), n, m->at<T>(result), s);
             });
           });
  store(id, result);
}

void Lowering::store_image(const Node& node, int id, const TensorRef& planes) {
  image_planes_[static_cast<size_t>(id)] = planes;
  const Readers readers = readers_of(graph_, id);
  if (!readers.any) return;
  const int64_t channels = node.shape[1];
  const TensorRef result =
      new_padded(node.shape, readers.only_convolutions ? image_channels(channels, precision_) : channels);
  add_step({node.name, "nchw_to_nhwc", "tyto", "nhwc", node.shape}, std::array{planes, result},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(result.type, [&]<class T>() {
               kernels::nchw_to_nhwc<T>(m->at<const float>(planes), channels, m->images<T>(result), s);
             });
           });
  store(id, result);
}

const TensorRef& Lowering::image_planes(Value v, const std::string& name) {
  TensorRef& s = image_planes_[static_cast<size_t>(v.node)];
  if (s.buffer < 0) s = planes(v, DType::F32, graph_.shape(v), name);
  return s;
}

void Lowering::lower(const FlipHorizontal&, const Node& node, int id) {
  const TensorRef x = image_planes(node.inputs[0], node.name), y = new_tensor(node.shape, DType::F32);
  const Shape& shape = node.shape;
  add_step(node, "tyto", std::array{x, y},
           [=, m = addresses_, rows = shape[0] * shape[1] * shape[2], width = shape[3]](cudaStream_t s) {
             kernels::flip_horizontal(m->at<const float>(x), rows, width, m->at<float>(y), s);
           });
  store_image(node, id, y);
}

void Lowering::lower(const RescaleBicubic& op, const Node& node, int id) {
  const TensorRef x = image_planes(node.inputs[0], node.name), y = new_tensor(node.shape, DType::F32);
  const kernels::BicubicParams params = {x.shape[0] * x.shape[1], x.shape[2], x.shape[3], op.factor};
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    kernels::bicubic(m->at<const float>(x), m->at<float>(y), params, s);
  });
  store_image(node, id, y);
}

void Lowering::lower(const NormalizedSum&, const Node& node, int id) {
  const TensorRef sum = new_tensor(node.shape, DType::F32);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorRef x = stored(node.inputs[i]);
    watch(x, graph_.node(node.inputs[i]).name);
    const TensorRef term = i == 0 ? sum : new_tensor(node.shape, DType::F32);
    add_step(node, "tyto", std::array{x, sum, term},
             [=, m = addresses_, n = node.shape.elements()](cudaStream_t s) {
               with_element_type(x.type, [&]<class T>() {
                 kernels::convert<T, float>(m->at<const T>(x), n, m->at<float>(term), s);
               });
               if (i > 0)
                 kernels::epilogue<float>(m->images<const float>(sum), nullptr, m->at<const float>(term),
                                          Activation::None, m->at<float>(sum), s);
             });
  }
  add_step(node, "tyto", std::array{sum, sum}, [=, m = addresses_](cudaStream_t s) {
    kernels::normalize_rows(m->at<float>(sum), sum.shape[0], sum.shape[1], nullptr, s);
  });
  store(id, sum);
}

}  // namespace tyto::cuda
