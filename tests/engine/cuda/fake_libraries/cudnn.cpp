// A libcudnn_graph.so.9 that does as it is told: it keeps what descriptors are given, and runs an operation
// graph by the naive loops, on the emulated device. Every graph has three engines. The first, and best by its
// heuristic, multiplies by tensor cores, so that fp32 operands lose digits; the others as the operands are.
// The second wants a workspace as large as its input, the others none. An engine takes its own knob alone.
// What is not asked of it is not there.
#include <cudnn_graph.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "emulation/library_call.h"
#include "engine/cuda/fake_libraries/values.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

using fake::Type;

struct Described;
using Shared = std::shared_ptr<const Described>;

struct Described {
  cudnnBackendDescriptorType_t type{};
  std::map<cudnnBackendAttributeName_t, std::vector<std::byte>> values;
  std::map<cudnnBackendAttributeName_t, std::vector<Shared>> parts;
  int64_t engine = 0;  // of an engine, its configuration, or a plan
  Shared graph;        // of these, too

  template <class T>
  std::vector<T> list(cudnnBackendAttributeName_t name) const {
    const std::vector<std::byte>& bytes = values.at(name);
    std::vector<T> items(bytes.size() / sizeof(T));
    std::memcpy(items.data(), bytes.data(), bytes.size());
    return items;
  }
  template <class T>
  T get(cudnnBackendAttributeName_t name) const {
    T value{};
    std::memcpy(&value, values.at(name).data(), sizeof value);
    return value;
  }
  const Described& part(cudnnBackendAttributeName_t name) const { return *parts.at(name).at(0); }
};

constexpr int64_t kEngines = 3;
int64_t heuristics_asked = 0;

// The only value of its only knob.
int64_t knob_of(int64_t engine) { return engine + 10; }

// Handles are addresses of what owns a description: a part that was handed over outlives its handle.
using Handle = std::shared_ptr<Described>;
Described& described(cudnnBackendDescriptor_t handle) { return **static_cast<Handle*>(handle); }

size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_DOUBLE:
      return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    default:
      return 4;
  }
}

// --- an operation graph, run ---

struct TensorView {
  explicit TensorView(const Described& tensor)
      : id(tensor.get<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)),
        dims(tensor.list<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS)),
        strides(tensor.list<int64_t>(CUDNN_ATTR_TENSOR_STRIDES)),
        is_virtual(tensor.get<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL)) {
    const auto data = tensor.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
    type = data == CUDNN_DATA_HALF ? Type::Half : data == CUDNN_DATA_BFLOAT16 ? Type::BFloat16 : Type::Float;
  }

  int64_t elements() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
  int64_t at(int64_t n, int64_t c, int64_t h, int64_t w) const {
    return n * strides[0] + c * strides[1] + h * strides[2] + w * strides[3];
  }

  int64_t id;
  std::vector<int64_t> dims, strides;
  bool is_virtual;
  Type type;
};

class GraphRun {
 public:
  GraphRun(std::map<int64_t, void*> pointers, bool tensor_cores)
      : pointers_(std::move(pointers)), tensor_cores_(tensor_cores) {}

  void run(const Described& operation) {
    operation.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ? convolve(operation)
                                                                             : combine(operation);
  }

 private:
  using Values = std::vector<float>;

  Values read(const TensorView& t, bool operand = false) {
    if (t.is_virtual) return passed_.at(t.id);
    Values values(static_cast<size_t>(t.elements()));
    for (size_t i = 0; i < values.size(); ++i) {
      const float value = fake::load(pointers_.at(t.id), static_cast<int64_t>(i), t.type);
      values[i] = operand && tensor_cores_ ? fake::tf32(value) : value;
    }
    return values;
  }

  void write(const TensorView& t, Values values) {
    if (t.is_virtual) {
      passed_[t.id] = std::move(values);
      return;
    }
    for (size_t i = 0; i < values.size(); ++i)
      fake::store(pointers_.at(t.id), static_cast<int64_t>(i), t.type, values[i]);
  }

  void convolve(const Described& operation) {
    const Described& how = operation.part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC);
    const auto strides = how.list<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
               padding = how.list<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
               dilation = how.list<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
    const TensorView x(operation.part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X)),
        w(operation.part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W)),
        y(operation.part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y));
    const Values in = read(x, true), filters = read(w, true);
    Values out(static_cast<size_t>(y.elements()));
    const int64_t group_in = w.dims[1], group_out = w.dims[0] / (x.dims[1] / group_in);
    for (int64_t n = 0; n < y.dims[0]; ++n)
      for (int64_t i = 0; i < y.dims[2]; ++i)
        for (int64_t j = 0; j < y.dims[3]; ++j)
          for (int64_t k = 0; k < y.dims[1]; ++k) {
            float sum = 0;
            for (int64_t r = 0; r < w.dims[2]; ++r)
              for (int64_t s = 0; s < w.dims[3]; ++s) {
                const int64_t row = i * strides[0] + r * dilation[0] - padding[0],
                              column = j * strides[1] + s * dilation[1] - padding[1];
                if (row < 0 || row >= x.dims[2] || column < 0 || column >= x.dims[3]) continue;
                const float *a = in.data() + x.at(n, k / group_out * group_in, row, column),
                            *b = filters.data() + w.at(k, 0, r, s);
                for (int64_t c = 0; c < group_in; ++c) sum += a[c * x.strides[1]] * b[c * w.strides[1]];
              }
            out[static_cast<size_t>(y.at(n, k, i, j))] = sum;
          }
    write(y, std::move(out));
  }

  void combine(const Described& operation) {
    const auto mode = operation.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)
                          .get<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
    const TensorView x(operation.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC)),
        y(operation.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
    Values values = read(x);
    if (mode == CUDNN_POINTWISE_RELU_FWD) {
      for (float& v : values) v = v < 0 ? 0 : v;
    } else {
      const TensorView b(operation.part(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
      const Values summand = read(b);
      const auto within = [](int64_t i, int64_t size) { return size == 1 ? 0 : i; };
      for (int64_t n = 0; n < x.dims[0]; ++n)
        for (int64_t c = 0; c < x.dims[1]; ++c)
          for (int64_t h = 0; h < x.dims[2]; ++h)
            for (int64_t v = 0; v < x.dims[3]; ++v)
              values[static_cast<size_t>(x.at(n, c, h, v))] += summand[static_cast<size_t>(b.at(
                  within(n, b.dims[0]), within(c, b.dims[1]), within(h, b.dims[2]), within(v, b.dims[3])))];
    }
    write(y, std::move(values));
  }

  const std::map<int64_t, void*> pointers_;
  const bool tensor_cores_;
  std::map<int64_t, Values> passed_;  // from operation to operation
};

// The tensors of a graph that lie in memory, and whether an operation writes them.
std::map<int64_t, std::pair<TensorView, bool>> tensors_of(const std::vector<Shared>& operations) {
  std::map<int64_t, std::pair<TensorView, bool>> tensors;
  for (const Shared& operation : operations)
    for (const auto& [name, parts] : operation->parts)
      for (const Shared& part : parts) {
        if (part->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR) continue;
        const TensorView view(*part);
        const bool written = name == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y ||
                             name == CUDNN_ATTR_OPERATION_POINTWISE_YDESC;
        if (!view.is_virtual) tensors.insert_or_assign(view.id, std::pair(view, written));
      }
  return tensors;
}

int64_t input_bytes(const Described& graph) {
  const Described& convolution = *graph.parts.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).at(0);
  const TensorView x(convolution.part(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X));
  return x.elements() * static_cast<int64_t>(fake::size_of(x.type));
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}
size_t cudnnGetVersion() { return 91900; }
const char* cudnnGetErrorString(cudnnStatus_t) { return "an error of the fake"; }
void cudnnGetLastErrorString(char* text, size_t bytes) {
  if (bytes > 0) text[0] = 0;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* handle) {
  auto* const made = new Handle(std::make_shared<Described>());
  (*made)->type = type;
  *handle = made;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle) {
  delete static_cast<Handle*>(handle);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  Described& to = described(handle);
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    std::vector<Shared>& parts = to.parts[name];
    parts.clear();
    for (int64_t i = 0; i < count; ++i)
      parts.push_back(*static_cast<Handle*>(static_cast<const cudnnBackendDescriptor_t*>(values)[i]));
    if (name == CUDNN_ATTR_ENGINE_OPERATION_GRAPH) to.graph = parts.at(0);
    if (name == CUDNN_ATTR_ENGINECFG_ENGINE || name == CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG) {
      to.engine = parts.at(0)->engine;
      to.graph = parts.at(0)->graph;
    }
  } else {
    const auto* bytes = static_cast<const std::byte*>(values);
    to.values[name].assign(bytes, bytes + static_cast<size_t>(count) * size_of(type));
    if (name == CUDNN_ATTR_ENGINE_GLOBAL_INDEX) to.engine = to.get<int64_t>(name);
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle) {
  const Described& finished = described(handle);
  bool serves = true;
  if (finished.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    serves = finished.get<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE) == CUDNN_HEUR_MODE_A;
    heuristics_asked += serves;
  } else if (finished.type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) {
    const auto knobs = finished.parts.find(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES);
    serves = knobs != finished.parts.end() && knobs->second.size() == 1 &&
             knobs->second[0]->get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE) == knob_of(finished.engine);
  }
  return serves ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

int64_t fake_cudnn_heuristics_asked() { return heuristics_asked; }

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t limit, int64_t* count,
                                       void* values) {
  const Described& from = described(handle);
  const auto part = [&](int64_t i) -> Described& {
    return described(static_cast<cudnnBackendDescriptor_t*>(values)[i]);
  };
  *count = 0;
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
      *count = kEngines;
      for (int64_t i = 0; i < std::min(limit, kEngines); ++i) {
        part(i).graph = from.parts.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).at(0);
        part(i).engine = i;
      }
      break;
    case CUDNN_ATTR_ENGINECFG_ENGINE:
      *count = 1;
      part(0).engine = from.engine;
      break;
    case CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
      *count = 1;
      part(0).engine = from.engine;
      break;
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE:
      *count = 1;
      *static_cast<cudnnBackendKnobType_t*>(values) = CUDNN_KNOB_TYPE_TILE_SIZE;
      break;
    case CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE:
      *count = 1;
      *static_cast<int64_t*>(values) = knob_of(from.engine);
      break;
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      *count = 1;
      *static_cast<int64_t*>(values) = from.engine;
      break;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
      if (from.engine != 0) break;
      *count = 1;
      *static_cast<cudnnBackendNumericalNote_t*>(values) = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
      break;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      *count = 1;
      *static_cast<int64_t*>(values) = from.engine == 1 ? input_bytes(*from.graph) : 0;
      break;
    default:  // other notes: none
      break;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  const std::vector<Shared> operations = described(plan).graph->parts.at(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  const auto ids = described(pack).list<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto data = described(pack).list<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  std::map<int64_t, void*> pointers;
  for (size_t i = 0; i < ids.size(); ++i) pointers[ids[i]] = data.at(i);

  emulation::LibraryCall call;
  call.name = "the fake cuDNN's graph";
  for (const auto& [id, tensor] : tensors_of(operations)) {
    if (!pointers.contains(id)) return CUDNN_STATUS_BAD_PARAM;
    const auto& [view, written] = tensor;
    (written ? call.writes : call.reads)
        .push_back({pointers[id], static_cast<size_t>(view.elements()) * fake::size_of(view.type)});
  }
  call.run = [operations, pointers, tensor_cores = described(plan).engine == 0] {
    GraphRun run(pointers, tensor_cores);
    for (const Shared& operation : operations) run.run(*operation);
  };
  return emulation::enqueue_library_call(handle->stream, std::move(call)) == cudaSuccess
             ? CUDNN_STATUS_SUCCESS
             : CUDNN_STATUS_EXECUTION_FAILED;
}

}  // extern "C"
