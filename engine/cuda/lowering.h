// Graph -> steps over one arena of device memory. Each operator's overload of lower() stands in a file of its
// family.
//
// A map is kept NHWC, rows row-major, both in the type of their elements.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda/convolution.h"
#include "engine/cuda/element_type.h"
#include "engine/cuda/matrix_product.h"
#include "engine/cuda/weights.h"
#include "engine/graph/cost.h"
#include "engine/graph/graph.h"
#include "engine/runtime/admission.h"
#include "engine/runtime/arena.h"
#include "engine/runtime/steady_inputs.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/strided_box.h"
#include "kernels/elementwise/broadcast.h"
#include "tyto/plan.h"

namespace tyto::cuda {

// A value in memory: which buffer of the plan, and what stands there.
struct TensorRef {
  int buffer = -1;
  DType type = DType::F32;
  Shape shape;  // logical
  Kind kind = Kind::Rows;
  int64_t channels = 0;                  // of a map: in memory, at least shape[1]; those beyond it are zero
  const DeviceBuffer* weight = nullptr;  // a weight that is a value stands here, and in no buffer of the plan
};

inline const char* layout_name(const TensorRef& s) { return s.kind == Kind::Map ? "nhwc" : "rows"; }

// Where the plan's buffers are: their offsets are known when all of it is lowered, the arena when it runs.
class Addresses {
 public:
  template <class T = void>
  T* at(const TensorRef& s) const {
    if (s.weight) return reinterpret_cast<T*>(s.weight->data());
    const auto buffer = static_cast<size_t>(s.buffer);
    return reinterpret_cast<T*>((is_kept[buffer] ? kept : arena) + offsets[buffer]);
  }
  // A map; rows as images of one pixel, whose channels are their last dimension.
  template <class T>
  kernels::Nhwc<T> images(const TensorRef& s) const {
    if (s.kind == Kind::Map) return {at<T>(s), s.shape[0], s.shape[2], s.shape[3], s.channels};
    const int64_t width = s.shape.rank() == 0 ? 1 : s.shape[s.shape.rank() - 1];
    return {at<T>(s), width == 0 ? 0 : s.shape.elements() / width, 1, 1, width};
  }

  void place(std::byte* at) {
    arena = at;
    workspace = at + workspace_offset;
  }

  std::byte* arena = nullptr;
  std::byte* workspace = nullptr;
  std::byte* kept = nullptr;  // stays where it is
  std::vector<int64_t> offsets;
  std::vector<bool> is_kept;  // by buffer: it stands there and not in the arena
  int64_t workspace_offset = 0;
};

struct Step {
  PlanReport::Step report;
  std::function<void(cudaStream_t)> run;
  TensorRef result;
};

// What lowering leaves behind.
struct Lowered {
  std::vector<Step> steps;
  std::vector<TensorRef> inputs;  // rows, in the order of the graph's inputs
  // uint32: how many values that leave the fp16 part of the network are not finite; fp16 alone.
  TensorRef overflow;
  std::vector<std::pair<std::string, TensorRef>> outputs;  // rows; live until the next run
  std::shared_ptr<Addresses> addresses;                    // shared by the steps
  std::vector<DeviceWeights::Buffer> weights;
  int64_t arena_bytes = 0;    // values and scratch; addresses are to be told where it is before the steps run
  size_t prologue_steps = 0;  // the first of the steps
  int64_t kept_bytes = 0;     // that they leave to later runs
  SteadyInputs steady;
  TensorRef changed;  // I32 [steady.samples()], kept: steady.changed() of the run; where there is a prologue
  PlanReport report;
};

class Lowering {
 public:
  // graph: as prologue_first() orders it.
  Lowering(const Graph& graph, Precision precision, Libraries& libraries, DeviceWeights& weights,
           const Admission& admission);

  Lowered lower();  // the whole graph

 private:
#define TYTO_LOWER(Operator, name) void lower(const Operator&, const Node&, int id);
  TYTO_OPERATORS(TYTO_LOWER)
#undef TYTO_LOWER
  void lower_depthwise(const Conv2d&, const Node&, int id);
  void lower_by_products(const Attention&, const Node&, int id);
  template <class Op, class Kernel>
  void pool_rois(const Op& op, const Node& node, int id, const Kernel& kernel);
  void lower_output(size_t index);

  // --- values ---
  const TensorRef& stored(Value v) const {
    return values_[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)];
  }
  void store(int id, TensorRef s, int result = 0) {
    values_[static_cast<size_t>(id)][static_cast<size_t>(result)] = std::move(s);
  }
  std::optional<TensorRef> counts_of(Value v) const;  // where it has any
  DType type_of(Elements elements) const { return dtype_of(elements, type_); }
  // In which a value is computed with: F32 is not rounded, whatever the plan's precision.
  Precision precision_of(Elements elements) const {
    return elements == Elements::Activation ? precision_ : Precision::Fp32;
  }
  // A new buffer, from the next step on. What a library is asked to read or write has been one, so that its
  // size is admitted.
  TensorRef new_tensor(const Result& result);
  TensorRef new_tensor(const Node& node) { return new_tensor(node.result()); }
  TensorRef new_buffer(const TensorRef& of);  // as large as what is to stand in it
  TensorRef scratch(int64_t bytes);
  TensorRef persistent(int64_t bytes);  // from the first step to the next run
  bool is_kept(size_t buffer) const;  // it outlives the run: the prologue writes it, and later steps read it
  // For steps of the prologue with a result a sample, which may leave those alone that are as they were:
  // where it stands which are not. None where a node is not of the prologue or has other samples. What such a
  // step writes is kept.
  std::optional<TensorRef> changed_samples(int id, int64_t samples, std::span<const TensorRef> results);
  void begin_steps();  // of every run, behind the prologue's
  // Counts values of s that are not finite, where fp16 made them. ReLU and pooling hand NaN and infinity on,
  // so that an overflow anywhere shows in what leaves the network.
  void watch(const TensorRef& s, const std::string& name);
  TensorRef new_padded(const Shape& map, DType type, int64_t channels);
  TensorRef with_border(Value v, const Padding& padding);  // a copy with a border of zeros
  // A map as rows of this shape, channels first.
  TensorRef planes(const TensorRef& map, const Shape& shape, const std::string& operation,
                   const std::string& name);
  // Copies values into rows of their own as `to` has elements.
  void convert(const TensorRef& from, const TensorRef& to, const PlanReport::Step& report);

  void keep_until(const TensorRef& s, int step);  // its buffer is not reused before

  // --- steps ---
  // Reports the last of `used` as the result.
  void add_step(const Node& node, const std::string& algorithm, std::span<const TensorRef> used,
                std::function<void(cudaStream_t)> run);
  void add_step(PlanReport::Step report, std::span<const TensorRef> used,
                std::function<void(cudaStream_t)> run);
  TensorRef add_residual(const Node& node, Activation activation,
                         const TensorRef& x);  // activation(x + the node's second input)
  void add_product(const Node& node, const MatrixProductSpec& spec, const TensorRef& a, const TensorRef& b,
                   const TensorRef& y);
  // x [batch, tokens, heads, size] with its heads before its tokens, or back; as `shape`.
  TensorRef swap_heads(const TensorRef& x, const kernels::StridedBox<2>& box, const Shape& shape,
                       const Node& node);
  // activation(first input op second input), repeated to the first one's shape.
  TensorRef combine(const Node& node, kernels::BinaryOp op, Activation activation);
  // The result, copied together; positions in elements.
  struct Part {
    TensorRef x;
    int64_t first = 0, to = 0;  // where the box begins in x and in the result
    kernels::StridedBox<2> box;
  };
  TensorRef copy(const Node& node, const std::vector<Part>& parts);
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
  std::string layer_;                           // being lowered
  std::vector<std::vector<TensorRef>> values_;  // by node and result
  std::vector<Lifetime> buffers_;
  std::vector<bool> prologue_;            // by node
  std::vector<bool> of_prologue_, kept_;  // by buffer: a node of it made it; whatever reads it
  bool in_prologue_ = false;              // what is being lowered
  int64_t workspace_ = 0;
  std::shared_ptr<Addresses> addresses_;
  Lowered result_;
};

}  // namespace tyto::cuda
