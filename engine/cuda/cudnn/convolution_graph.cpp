#include "engine/cuda/cudnn/convolution_graph.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "engine/cuda/cudnn/operation_names.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

using Dimensions = std::array<int64_t, 4>;  // n, c, h, w

constexpr int64_t kAlignment = 16;  // of all pointers, as convolution.h says

cudnnDataType_t data_type(Precision precision) {
  switch (activation_type(precision)) {
    case DType::F16:
      return CUDNN_DATA_HALF;
    case DType::BF16:
      return CUDNN_DATA_BFLOAT16;
    default:
      return CUDNN_DATA_FLOAT;
  }
}

// Chains operations, each reading what the one before it computed.
class Builder {
 public:
  Builder(const Cudnn& cudnn, const ConvolutionSpec& spec, std::deque<Descriptor>& parts)
      : cudnn_(cudnn), spec_(spec), parts_(parts) {}

  void convolve(const Dimensions& x, const Dimensions& weights, bool last) {
    const std::array<int64_t, 2> strides = {spec_.stride, spec_.stride},
                                 paddings = {spec_.padding, spec_.padding},
                                 dilations = {spec_.dilation, spec_.dilation};
    const Descriptor& convolution = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
                                        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
                                        .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
                                        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
                                        .set_list(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, strides)
                                        .set_list(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, paddings)
                                        .set_list(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, paddings)
                                        .set_list(CUDNN_ATTR_CONVOLUTION_DILATIONS, dilations)
                                        .finalize();
    const Descriptor &in = tensor(kX, x), &filter = tensor(kWeights, weights), &out = result(last);
    operations_.push_back(make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
                              .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, convolution)
                              .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, in)
                              .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, filter)
                              .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, out)
                              .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f)
                              .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f)
                              .finalize()
                              .handle());
  }

  void add(TensorId id, const Dimensions& summand, bool last) {
    const Descriptor& other = tensor(id, summand);
    pointwise(CUDNN_POINTWISE_ADD, &other, last);
  }

  void relu(bool last) { pointwise(CUDNN_POINTWISE_RELU_FWD, nullptr, last); }

  Descriptor finish(cudnnHandle_t handle) {
    Descriptor graph(cudnn_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set_descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
    if (handle) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
    graph.finalize();
    return graph;
  }

 private:
  Descriptor& make(cudnnBackendDescriptorType_t type) { return parts_.emplace_back(cudnn_, type); }

  // Dense, channels last. One that is virtual never is in memory: it passes from operation to operation in
  // fp32.
  const Descriptor& tensor(int64_t id, const Dimensions& dimensions, bool is_virtual = false) {
    const auto [n, c, h, w] = dimensions;
    return make(CUDNN_BACKEND_TENSOR_DESCRIPTOR)
        .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
        .set(CUDNN_ATTR_TENSOR_DATA_TYPE, is_virtual ? CUDNN_DATA_FLOAT : data_type(spec_.precision))
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kAlignment)
        .set_list(CUDNN_ATTR_TENSOR_DIMENSIONS, dimensions)
        .set_list(CUDNN_ATTR_TENSOR_STRIDES, Dimensions{h * w * c, 1, w * c, c})
        .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual)
        .finalize();
  }

  // What an operation computes: y, or what the next one reads.
  const Descriptor& result(bool last) {
    constexpr int64_t kFirstVirtual = 100;
    const int64_t id = last ? kY : kFirstVirtual + static_cast<int64_t>(operations_.size());
    return *(value_ = &tensor(id, {spec_.n, spec_.outputs, spec_.out_height, spec_.out_width}, !last));
  }

  void pointwise(cudnnPointwiseMode_t mode, const Descriptor* other, bool last) {
    const Descriptor& function = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR)
                                     .set(CUDNN_ATTR_POINTWISE_MODE, mode)
                                     .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT)
                                     .finalize();
    const Descriptor &in = *value_, &out = result(last);
    Descriptor& operation = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
                                .set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, function)
                                .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, in)
                                .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, out);
    if (other) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *other);
    operations_.push_back(operation.finalize().handle());
  }

  const Cudnn& cudnn_;
  const ConvolutionSpec& spec_;
  std::deque<Descriptor>& parts_;  // a deque, so that references to its elements last
  std::vector<cudnnBackendDescriptor_t> operations_;
  const Descriptor* value_ = nullptr;
};

Descriptor build(const Cudnn& cudnn, const ConvolutionSpec& s, cudnnHandle_t handle,
                 std::deque<Descriptor>& parts) try {
  Builder builder(cudnn, s, parts);
  builder.convolve({s.n, s.channels, s.height, s.width},
                   {s.outputs, s.channels / s.groups, s.kernel, s.kernel}, !s.residual && !s.bias && !s.relu);
  if (s.residual) builder.add(kResidual, {s.n, s.outputs, s.out_height, s.out_width}, !s.bias && !s.relu);
  if (s.bias) builder.add(kBias, {1, s.outputs, 1, 1}, !s.relu);
  if (s.relu) builder.relu(true);
  return builder.finish(handle);
} catch (const Error& e) {
  throw Error(ErrorKind::Unsupported, fmt::format("cuDNN takes no {}: {}", name_of(s), e.what()));
}

}  // namespace

ConvolutionGraph::ConvolutionGraph(const Cudnn& cudnn, const ConvolutionSpec& spec, cudnnHandle_t handle)
    : operations_(build(cudnn, spec, handle, parts_)) {}

}  // namespace tyto::cuda
