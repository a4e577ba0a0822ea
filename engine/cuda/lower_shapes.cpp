// What a run is given, and other views of the same values: between maps and rows, types, and rows of other
// shapes.
#include "engine/cuda/convolution_spec.h"
#include "engine/cuda/lowering.h"
#include "kernels/layout/nchw_to_nhwc.h"

namespace tyto::cuda {
namespace {

// Whether convolutions of cuDNN's alone read a value, and any does.
bool only_convolutions_read(const Graph& graph, int id) {
  bool any = false;
  for (const Node& node : graph.nodes())
    for (const Value in : node.inputs) {
      if (in.node != id) continue;
      const auto* convolution = std::get_if<Conv2d>(&node.op);
      if (convolution == nullptr || convolution->groups != 1) return false;
      any = true;
    }
  for (const auto& [name, value] : graph.outputs())
    if (value.node == id) return false;
  return any;
}

TensorRef seen_as(TensorRef s, const Result& result) {
  s.shape = result.shape;
  s.kind = result.kind;
  s.channels = result.kind == Kind::Map ? result.shape[1] : 0;
  return s;
}

}  // namespace

void Lowering::lower(const Input&, const Node& node, int id) {
  for (size_t i = 0; i < node.results.size(); ++i) {
    const TensorRef input = new_tensor(node.results[i]);
    buffers_[static_cast<size_t>(input.buffer)].first = 0;  // copied before the first step
    result_.inputs.push_back(input);
    store(id, input, static_cast<int>(i));
  }
}

void Lowering::lower(const Cast&, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  if (x.type == type_of(node.result().elements)) return store(id, x);
  watch(x, node.name);
  TensorRef y = x;
  y.type = type_of(node.result().elements);
  y = new_buffer(y);
  convert(x, y, {node.name, "cast", "tyto", layout_name(y), node.shape()});
  store(id, y);
}

void Lowering::lower(const ToMap& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  if (op.channels == Channels::Last) {
    if (x.type == type_) return store(id, seen_as(x, node.result()));
    const TensorRef y = new_tensor(node);
    convert(x, y, {node.name, "to_map", "tyto", "nhwc", node.shape()});
    return store(id, y);
  }
  const int64_t channels = node.shape()[1];
  const TensorRef y =
      new_padded(node.shape(), type_,
                 only_convolutions_read(graph_, id) ? image_channels(channels, precision_) : channels);
  add_step(node, "tyto", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(y.type, [&]<class T>() {
      if (x.type == DType::F32)
        kernels::nchw_to_nhwc<float, T>(m->at<const float>(x), channels, m->images<T>(y), s);
      else
        kernels::nchw_to_nhwc<T, T>(m->at<const T>(x), channels, m->images<T>(y), s);
    });
  });
  store(id, y);
}

void Lowering::lower(const ToRows& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  store(id, op.channels == Channels::Last ? seen_as(x, node.result())
                                          : planes(x, node.shape(), "to_rows", node.name));
}

void Lowering::lower(const Flatten&, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  const bool one_pixel = x.kind == Kind::Map && x.shape[2] * x.shape[3] == 1;  // its channels lie as the row
  store(id, x.kind == Kind::Rows || one_pixel ? seen_as(x, node.result())
                                              : planes(x, node.shape(), "flatten", node.name));
}

void Lowering::lower(const Reshape&, const Node& node, int id) {
  store(id, seen_as(stored(node.inputs[0]), node.result()));
}

// The weight itself is the value: nothing is copied when the plan runs.
void Lowering::lower(const Constant& op, const Node& node, int id) {
  const DType type = type_of(op.elements);
  store(id, {.type = type, .shape = node.shape(), .weight = pack(node.weights[0], type)});
}

}  // namespace tyto::cuda
