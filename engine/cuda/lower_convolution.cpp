// Convolutions by cuDNN, depthwise ones by our own kernel; linear layers by cuBLASLt.
#include <fmt/format.h>

#include <array>

#include "engine/cuda/convolution_spec.h"
#include "engine/cuda/lowering.h"
#include "kernels/convolution/col2im.h"
#include "kernels/convolution/depthwise.h"
#include "kernels/layout/pad.h"

namespace tyto::cuda {
namespace {

// [K, C, R, S] or [K, C * area] -> [K, area, channels], channels beyond C being zero.
std::vector<float> channels_last(const Tensor& w, int64_t area, int64_t channels) {
  const int64_t filters = w.dim(0), in = filters == 0 ? 0 : w.shape().elements() / filters / area;
  std::vector<float> out(static_cast<size_t>(filters * area * channels), 0.0f);
  const auto values = w.as<float>();
  for (int64_t k = 0; k < filters; ++k)
    for (int64_t c = 0; c < in; ++c)
      for (int64_t i = 0; i < area; ++i)
        out[static_cast<size_t>((k * area + i) * channels + c)] =
            values[static_cast<size_t>((k * in + c) * area + i)];
  return out;
}

// [C, 1, R, S] -> [R, S, C].
std::vector<float> taps_first(const Tensor& w) {
  const int64_t channels = w.dim(0), area = w.dim(2) * w.dim(3);
  std::vector<float> out(static_cast<size_t>(channels * area));
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < area; ++i)
      out[static_cast<size_t>(i * channels + c)] = w.as<float>()[static_cast<size_t>(c * area + i)];
  return out;
}

// A transposed convolution's [C, K/groups, R, S] -> [R * S * K, channels], channels beyond C and those of
// other groups being zero.
std::vector<float> taps_by_channels(const Tensor& w, int groups, int64_t channels) {
  const int64_t in = w.dim(0), out_group = w.dim(1), taps = w.dim(2) * w.dim(3), outputs = out_group * groups;
  std::vector<float> out(static_cast<size_t>(taps * outputs * channels), 0.0f);
  const auto values = w.as<float>();
  for (int64_t c = 0; c < in; ++c)
    for (int64_t k = 0; k < out_group; ++k)
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t output = c / (in / groups) * out_group + k;
        out[static_cast<size_t>((tap * outputs + output) * channels + c)] =
            values[static_cast<size_t>((c * out_group + k) * taps + tap)];
      }
  return out;
}

// What cuDNN's and cuBLASLt's precompiled epilogues apply; the rest is a step of ours.
bool fuses(Activation activation) { return activation == Activation::None || activation == Activation::Relu; }

}  // namespace

TensorRef Lowering::with_border(Value v, const Padding& p) {
  const TensorRef from = stored(v);
  const Shape& in = from.shape;
  const TensorRef result = new_padded({in[0], in[1], in[2] + p.top + p.bottom, in[3] + p.left + p.right},
                                      from.type, from.channels);
  add_step({graph_.node(v).name, "pad", "tyto", "nhwc", result.shape}, std::array{from, result},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(from.type, [&]<class T>() {
               kernels::pad<T>(m->images<const T>(from), {p.top, p.left}, m->images<T>(result), s);
             });
           });
  return result;
}

void Lowering::lower_depthwise(const Conv2d& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const DeviceBuffer* weights = pack(node.weights[0], "taps first", x.type, taps_first);
  const DeviceBuffer* bias = node.weights.size() > 1 ? pack(node.weights[1], x.type) : nullptr;
  const bool residual = node.inputs.size() > 1;
  const kernels::DepthwiseConvolution parameters = {
      op.kernel,       op.stride,   op.padding.top,
      op.padding.left, op.dilation, residual ? Activation::None : op.activation};
  add_step(node, "tyto depthwise", std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(x.type, [&]<class T>() {
      kernels::depthwise_convolution<T>(m->images<const T>(x), reinterpret_cast<const T*>(weights->data()),
                                        bias ? reinterpret_cast<const T*>(bias->data()) : nullptr, parameters,
                                        m->images<T>(y), s);
    });
  });
  store(id, residual ? add_residual(node, op.activation, y) : y);
}

void Lowering::lower(const Conv2d& op, const Node& node, int id) {
  const Value in = node.inputs[0];
  const Weight& w = node.weights[0];
  if (is_depthwise(node)) return lower_depthwise(op, node, id);

  const TensorRef x = pads_evenly(op.padding) ? stored(in) : with_border(in, op.padding),
                  y = new_tensor(node);
  const bool residual = node.inputs.size() > 1;
  const ConvolutionSpec spec =
      convolution_spec(graph_, node, precision_of(node.result().elements), x.channels);
  auto convolution = std::make_shared<Convolution>(libraries_, spec);
  reserve_workspace(convolution->workspace_bytes());
  const int64_t group_channels = op.groups == 1 ? x.channels : w.dim(1);
  const DeviceBuffer* weights =
      pack(w, fmt::format("channels last, {}", group_channels), x.type,
           [&](const Tensor& values) { return channels_last(values, w.dim(2) * w.dim(3), group_channels); });
  const DeviceBuffer* bias = spec.bias ? pack(node.weights[1], x.type) : nullptr;
  const TensorRef z = residual ? stored(node.inputs[1]) : x;
  add_step(node, convolution->algorithm(), std::array{x, z, y}, [=, m = addresses_](cudaStream_t s) {
    convolution->run(m->at(x), weights->data(), bias ? bias->data() : nullptr, residual ? m->at(z) : nullptr,
                     m->at(y), m->workspace, s);
  });
  if (!fuses(op.activation)) add_activation(node, op.activation, y);
  store(id, y);
}

// A matrix product gives each input pixel's window of the output, and our kernel adds the windows up: every
// multiplication counts, which those with the zeros of a dilated input would not. Groups are zeros in the
// weights.
void Lowering::lower(const ConvTranspose2d& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  MatrixProductSpec spec;
  spec.precision = precision_of(node.result().elements);
  spec.rows = x.shape[0] * x.shape[2] * x.shape[3];
  spec.inputs = x.channels;
  spec.outputs = int64_t{op.kernel} * op.kernel * node.shape()[1];
  spec.transpose_b = true;
  auto product = std::make_shared<MatrixProduct>(libraries_, spec);
  reserve_workspace(product->workspace_bytes());
  const DeviceBuffer* weights =
      pack(node.weights[0], fmt::format("taps by channels, {} groups, {}", op.groups, x.channels), x.type,
           [&](const Tensor& w) { return taps_by_channels(w, op.groups, x.channels); });
  const TensorRef columns =
      new_tensor({{x.shape[0], spec.outputs, x.shape[2], x.shape[3]}, node.result().elements, Kind::Map});
  add_step(node, product->algorithm(), std::array{x, columns}, [=, m = addresses_](cudaStream_t s) {
    product->run(m->at(x), weights->data(), nullptr, m->at(columns), m->workspace, s);
  });
  const DeviceBuffer* bias = node.weights.size() > 1 ? pack(node.weights[1], x.type) : nullptr;
  const TensorRef y = new_tensor(node);
  const kernels::Col2Im windows = {op.kernel, op.stride, op.padding, op.dilation, op.activation};
  add_step({node.name, "col2im", "tyto", "nhwc", node.shape()}, std::array{columns, y},
           [=, m = addresses_](cudaStream_t s) {
             with_element_type(y.type, [&]<class T>() {
               kernels::col2im<T>(m->images<const T>(columns),
                                  bias ? reinterpret_cast<const T*>(bias->data()) : nullptr, windows,
                                  m->images<T>(y), s);
             });
           });
  store(id, y);
}

void Lowering::lower(const Linear& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]), y = new_tensor(node);
  const int64_t area = x.kind == Kind::Map ? x.shape[2] * x.shape[3] : 1;
  MatrixProductSpec spec;
  spec.precision = precision_of(node.result().elements);
  spec.inputs = x.kind == Kind::Map ? area * x.channels : node.weights[0].dim(1);
  spec.outputs = node.weights[0].dim(0);
  spec.rows = spec.outputs == 0 ? 0 : node.shape().elements() / spec.outputs;
  spec.transpose_b = true;
  spec.bias = node.weights.size() > 1;
  spec.relu = op.activation == Activation::Relu;
  auto product = std::make_shared<MatrixProduct>(libraries_, spec);
  reserve_workspace(product->workspace_bytes());
  // A map is read channels last, and so are the weights.
  const DeviceBuffer* weights =
      x.kind == Kind::Rows ? pack(node.weights[0], x.type)
                           : pack(node.weights[0], fmt::format("channels last, {}", x.channels), x.type,
                                  [&](const Tensor& w) { return channels_last(w, area, x.channels); });
  const DeviceBuffer* bias = spec.bias ? pack(node.weights[1], x.type) : nullptr;
  add_step(node, product->algorithm(), std::array{x, y}, [=, m = addresses_](cudaStream_t s) {
    product->run(m->at(x), weights->data(), bias ? bias->data() : nullptr, m->at(y), m->workspace, s);
  });
  if (!fuses(op.activation)) add_activation(node, op.activation, y);
  store(id, y);
}

}  // namespace tyto::cuda
