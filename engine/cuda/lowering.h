// Graph -> steps over one arena of device memory. Each operator's overload of lower() stands in a file of its
// family.
//
// A value of four dimensions is kept NHWC in the precision's activation type, any other row-major: vectors in
// that type, the tensors of a detector's head as F32.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda/convolution.h"
#include "engine/cuda/element_type.h"
#include "engine/cuda/matrix_product.h"
#include "engine/cuda/weights.h"
#include "engine/graph/graph.h"
#include "engine/runtime/admission.h"
#include "engine/runtime/arena.h"
#include "kernels/common/nhwc.h"
#include "tyto/plan.h"

namespace tyto::cuda {

// A value in memory: which buffer of the plan, and what stands there.
struct TensorRef {
  int buffer = -1;
  DType type = DType::F32;
  Shape shape;           // logical
  int64_t channels = 0;  // of four dimensions: in memory, at least shape[1]; those beyond it are zero
};

// Where the plan's buffers are, known when all of it is lowered.
class Addresses {
 public:
  template <class T = void>
  T* at(const TensorRef& s) const {
    return reinterpret_cast<T*>(arena + offsets[static_cast<size_t>(s.buffer)]);
  }
  // Of four dimensions, or of two: rows as images of one pixel.
  template <class T>
  kernels::Nhwc<T> images(const TensorRef& s) const {
    const bool planes = s.shape.rank() == 4;
    return {at<T>(s), s.shape[0], planes ? s.shape[2] : 1, planes ? s.shape[3] : 1, s.channels};
  }

  std::byte* arena = nullptr;
  std::vector<int64_t> offsets;
  std::byte* workspace = nullptr;
};

struct Step {
  PlanReport::Step report;
  std::function<void(cudaStream_t)> run;
  TensorRef result;
};

// What lowering leaves behind.
struct Lowered {
  std::vector<Step> steps;
  TensorRef input;  // F32, row-major
  TensorRef
      overflow;  // uint32: how many values that leave the fp16 part of the network are not finite; fp16 alone
  std::vector<std::pair<std::string, TensorRef>> outputs;  // F32, row-major; live until the next run
  std::shared_ptr<Addresses> addresses;                    // shared by the steps
  std::vector<DeviceWeights::Buffer> weights;
  DeviceBuffer memory;  // arena and workspace
  PlanReport report;
};

class Lowering {
 public:
  Lowering(const Graph& graph, Precision precision, Libraries& libraries, DeviceWeights& weights,
           const Admission& admission);

  // Lowers the whole graph. `allocate` is asked for the bytes of arena, workspace and outputs; it may throw.
  Lowered lower(const std::function<DeviceBuffer(int64_t)>& allocate);

 private:
#define TYTO_LOWER(Operator, name) void lower(const Operator&, const Node&, int id);
  TYTO_OPERATORS(TYTO_LOWER)
#undef TYTO_LOWER
  void lower_depthwise(const Conv2d&, const Node&, int id);
  void lower_output(size_t index);

  // --- values ---
  const TensorRef& stored(Value v) const { return values_[static_cast<size_t>(v.node)]; }
  void store(int id, TensorRef s) { values_[static_cast<size_t>(id)] = std::move(s); }
  // A new buffer, from the next step on. What a library is asked to read or write has been one, so that its
  // size is admitted.
  TensorRef new_tensor(const Shape& shape, DType type);
  TensorRef new_tensor(const Shape& shape) { return new_tensor(shape, type_); }
  TensorRef scratch(int64_t bytes);
  TensorRef persistent(int64_t bytes);  // from the first step to the next run
  // Counts values of s that are not finite, where fp16 made them. ReLU and pooling hand NaN and infinity on,
  // so that an overflow anywhere shows in what leaves the network.
  void watch(const TensorRef& s, const std::string& name);
  TensorRef new_padded(const Shape& shape, int64_t channels);
  TensorRef with_border(Value v, const Padding& padding);  // a copy with a border of zeros
  // Its channels as rows [N, C * H * W] in that order; itself where that is how it lies.
  TensorRef planes(Value v, DType type, const Shape& shape, const std::string& name);
  // An image, given as planes in F32 of which views are made: in the layout that layers read, where any does.
  void store_image(const Node& node, int id, const TensorRef& planes);
  const TensorRef& image_planes(Value v, const std::string& name);  // in F32

  // --- steps ---
  // Reports the last of `used` as the result.
  void add_step(const Node& node, const std::string& algorithm, std::span<const TensorRef> used,
                std::function<void(cudaStream_t)> run);
  void add_step(PlanReport::Step report, std::span<const TensorRef> used,
                std::function<void(cudaStream_t)> run);
  TensorRef add_residual(const Node& node, Activation activation,
                         const TensorRef& x);  // activation(x + the node's second input)
  // y = activation(y), which the library before it could not apply.
  void add_activation(const Node& node, Activation activation, const TensorRef& y);
  void reserve_workspace(int64_t bytes) { workspace_ = std::max(workspace_, bytes); }
  // F32 values of the weight as they are, or in the layout that `arrange` gives them; kept alive by the plan.
  const DeviceBuffer* pack(const Weight& weight, DType type);
  const DeviceBuffer* pack(const Weight& weight, const std::string& layout, DType type,
                           const std::function<std::vector<float>(const Tensor&)>& arrange);
  const DeviceBuffer* keep(DeviceWeights::Buffer buffer);

  const Graph& graph_;
  DType type_;  // of activations
  Precision precision_;
  Libraries& libraries_;
  DeviceWeights& weights_;
  const Admission& admission_;
  std::string layer_;  // being lowered
  std::vector<TensorRef> values_;
  std::vector<TensorRef> image_planes_;  // of the nodes that are images or views of them
  std::vector<Lifetime> buffers_;
  int64_t workspace_ = 0;
  std::shared_ptr<Addresses> addresses_;
  Lowered result_;
};

}  // namespace tyto::cuda
