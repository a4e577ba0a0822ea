// Graph -> steps over one arena. Each operator's overload of lower() stands in a file of its family.
#pragma once

#include <functional>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cpu/packed_weights.h"
#include "engine/graph/graph.h"
#include "engine/runtime/admission.h"
#include "engine/runtime/arena.h"
#include "engine/runtime/steady_inputs.h"
#include "kernels/common/channel_blocks.h"
#include "kernels/detection/rois.h"
#include "kernels/norm/norm.h"
#include "tyto/plan.h"

namespace tyto::cpu {

using dnnl::memory;

// A value in memory: which buffer of the plan, and how it is laid out there.
struct TensorRef {
  int buffer = -1;
  memory::desc layout;
};

struct Step {
  PlanReport::Step report;
  std::function<void(dnnl::stream&)> run;
};

using Arguments = std::vector<std::pair<int, memory>>;  // by DNNL_ARG_...
std::function<void(dnnl::stream&)> execution(const dnnl::primitive& primitive, Arguments arguments);

// Where a memory that steps use stands, in the arena or among what is kept.
struct Placed {
  memory at;
  int64_t offset = 0;
};

// What lowering leaves behind: steps, the memories that are to be placed before they run, and what keeps them
// alive.
struct Lowered {
  std::vector<Step> steps;
  std::vector<std::vector<memory>> inputs;  // for each of the graph's, what is to be bound to the caller's
  std::vector<std::pair<std::string, memory>> outputs;
  std::vector<std::shared_ptr<const memory>> weights;
  std::vector<Placed> placed;
  int64_t arena_bytes = 0;   // values and scratch
  std::vector<Placed> kept;  // what the prologue, the first of the steps, leaves to later runs
  int64_t kept_bytes = 0;
  SteadyInputs steady;  // whose changed() steps read
  PlanReport report;
};

// One layer for so many rows.
struct Rung {
  int64_t rows = 0;
  dnnl::primitive primitive;
  std::string algorithm;
  memory::desc source, result, scratchpad;
};

// Its primitive with memories that are moved to the rows that it is to run on.
struct Movable {
  int64_t rows = 0;
  memory source, result;
  std::function<void(dnnl::stream&)> execute;

  void run(std::byte* from, std::byte* to, dnnl::stream& stream) const {
    source.set_data_handle(from);
    result.set_data_handle(to);
    execute(stream);
    stream.wait();
  }
};

template <class Primitive>
Rung rung_of(int64_t rows, const typename Primitive::primitive_desc& pd) {
  return {rows, Primitive(pd), pd.impl_info_str(), pd.src_desc(), pd.dst_desc(), pd.scratchpad_desc()};
}

// Rungs for the whole capacity and for fractions of it, rising; make(rows) gives a primitive's description or
// none. A fraction for which oneDNN has its reference loop alone, some hundred times slower, is left out.
template <class Primitive, class Make>
std::vector<Rung> rungs_of(const typename Primitive::primitive_desc& whole, int64_t capacity,
                           const Make& make) {
  constexpr int64_t kRungs = 8;
  std::vector<Rung> rungs;
  for (int64_t i = 1; i < kRungs; ++i) {
    const int64_t rows = capacity * i / kRungs;
    if (rows == 0 || (!rungs.empty() && rungs.back().rows == rows)) continue;
    const auto pd = make(rows);
    if (pd && !std::string_view(pd.impl_info_str()).starts_with("ref"))
      rungs.push_back(rung_of<Primitive>(rows, pd));
  }
  rungs.push_back(rung_of<Primitive>(capacity, whole));
  return rungs;
}

// A kernel of ours from the levels' maps and their regions to the regions' features.
using RoiKernel =
    std::function<void(std::span<const kernels::ChannelBlocks<const float>> maps, const kernels::Rois& rois,
                       const kernels::ChannelBlocks<float>& features)>;

class Lowering {
 public:
  // graph: as prologue_first() orders it. memory_limit: of the backend, in bytes; 0: none.
  Lowering(const Graph& graph, Precision precision, const dnnl::engine& engine, PackedWeights& packed,
           const Admission& admission, int64_t memory_limit);

  Lowered lower();  // the whole graph

 private:
#define TYTO_LOWER(Operator, name) void lower(const Operator&, const Node&, int id);
  TYTO_OPERATORS(TYTO_LOWER)
#undef TYTO_LOWER
  void lower_output(size_t index);

  // --- values ---
  const TensorRef& stored(Value v) const {
    return values_[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)];
  }
  void store(int id, TensorRef s, int result = 0);
  TensorRef new_tensor(const memory::desc& layout);          // a new buffer, from the next step on
  TensorRef new_floats(int64_t count);                       // scratch of a kernel of ours
  TensorRef copy(Value v, const memory::desc& layout);       // in a new buffer
  TensorRef in_layout(Value v, const memory::desc& layout);  // itself or a reordered copy
  TensorRef padded(Value v, const Padding& padding, const memory::desc& layout);
  TensorRef as_blocks(Value v);  // F32, in a layout of ChannelBlocks
  // v in this layout, for a step of node `id` that reads `source` and overwrites v: v's own buffer where that
  // is safe.
  TensorRef reuse_or_copy(Value v, const memory::desc& layout, int id, const TensorRef& source);
  // Descriptors of values. Every size that a library sees passes through here, where it is admitted; weights
  // apart, which are in memory already.
  memory::desc plain(const Shape& shape, memory::data_type type = memory::data_type::f32) const;  // row-major
  memory::desc plain(const Result& rows) const;      // how rows are kept
  memory::desc any_layout(const Result& map) const;  // of memory_type(map.elements)
  memory::desc described(const Shape& shape, memory::data_type type, memory::format_tag tag) const;
  memory::desc read_by_convolutions(const Shape& map) const;  // a layout of ChannelBlocks, of F32
  // The same kind of layout for images of another size; the layout is one of ChannelBlocks.
  memory::desc with_area(const memory::desc& layout, int64_t height, int64_t width) const;
  // What layers read and write, maps of activations in bf16. Rows are kept in F32, and so are maps that our
  // own kernels make: what reads them says what it needs.
  memory::data_type memory_type(Elements elements) const;
  TensorRef rows(Value v);  // row-major, in F32 or I32: how rows are kept, and what a map becomes

  // Whose rows are counted: where their number stands.
  struct CountedRows {
    TensorRef counts;  // [samples]
    int64_t samples = 0, capacity = 0;
  };
  std::optional<CountedRows> counted(Value v) const;
  // A layer over counted rows of x: for each sample the smallest of the rungs that covers what it holds, on
  // that part of x and y; what is left of y becomes zero.
  void add_counted(const Node& node, const std::vector<Rung>& rungs, const CountedRows& counted,
                   const TensorRef& x, const TensorRef& y, const Arguments& weights);
  // A layer of which a pass does the next rows of x and y.
  void add_passes(const Node& node, const Rung& rung, int64_t passes, const TensorRef& x, const TensorRef& y,
                  const Arguments& weights);
  Movable movable(const Rung& rung, Arguments arguments);

  // --- families ---
  struct ConvolutionChoice;
  int64_t winograd_scratch(bool alone) const;  // the most that it may take
  ConvolutionChoice choose_convolution(const Conv2d& op, const Node& node, int64_t all, bool is_counted);
  void lower_binary(dnnl::algorithm algorithm, Activation activation, const Node& node, int id);
  void lower_scale_channels(const Node& node, int id);
  void normalize_groups(const kernels::GroupNorm& params, const Node& node, int id);
  bool join_maps(const Node& node, int id);  // false where their layouts do not fit together
  void pool_rois(const Node& node, int id, RoiKernel kernel);

  // --- steps ---
  // The last of `used` is the result.
  void add_primitive(const Node& node, const std::string& algorithm, const dnnl::primitive& primitive,
                     const memory::desc& scratchpad, Arguments arguments, std::span<const TensorRef> used);
  void bind_scratchpad(const memory::desc& scratchpad, Arguments& arguments);
  void add_reorder(PlanReport::Step report, const TensorRef& from, const memory::desc& to_layout,
                   const memory& to, std::span<const TensorRef> used);
  void add_step(PlanReport::Step report, std::function<void(dnnl::stream&)> run,
                std::span<const TensorRef> used);
  // A kernel of ours from the channel blocks of one map to those of another, which becomes the node's result.
  using MapKernel = std::function<void(const kernels::ChannelBlocks<const float>& x,
                                       const kernels::ChannelBlocks<float>& y)>;
  void add_map_step(const Node& node, int id, const TensorRef& x, const TensorRef& y, MapKernel kernel);
  memory bind(const TensorRef& s);  // a memory that gets its address when the arena has one
  memory pack(const Weight& weight, const memory::desc& plain_layout, const memory::desc& wanted);
  kernels::ChannelBlocks<float> blocks(const TensorRef& s) const;  // data is null: fill in at run time

  struct Buffer {
    Lifetime life;
    int last_node = -1;  // the last node that reads a value in it
    int input = -1;      // the caller's memory: which of the graph's inputs
    memory constant;     // a weight's memory, or null
    bool kept = false;   // whatever reads it
  };
  // Whether a buffer outlives the run: the prologue writes it, and later steps read it.
  bool is_kept(const Buffer& buffer) const;
  // For steps of the prologue with a result a sample, which may leave those alone that are as they were; null
  // where a node is not of the prologue or has other samples. What such a step writes is kept.
  const int32_t* changed_samples(int id, int64_t samples, std::span<const TensorRef> results);

  const Graph& graph_;
  Precision precision_;
  dnnl::engine engine_;
  PackedWeights& packed_;
  const Admission& admission_;
  int64_t memory_limit_;
  std::string layer_;                           // being lowered
  std::vector<int> last_reader_;                // per node; beyond the last node where it is an output
  std::vector<std::vector<TensorRef>> values_;  // by node and result
  std::vector<Buffer> buffers_;
  std::vector<bool> prologue_;  // by node
  int prologue_steps_ = 0;      // so far
  std::vector<std::pair<memory, int>> bound_;
  std::vector<memory> scratchpads_;
  Lowered result_;
};

bool has_blocks(const memory::desc& layout);  // it is one of ChannelBlocks

// The same layout for another number of images.
memory::desc with_images(memory::desc layout, int64_t images);

inline float* floats(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

// An activation as oneDNN's elementwise functions, one applied after the other.
struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha, beta;
};
std::vector<Eltwise> eltwise_of(Activation activation);
// The same as a primitive's last post-ops.
void append_activation(dnnl::post_ops& ops, Activation activation);
dnnl::primitive_attr attributes(const dnnl::post_ops& ops);  // with a scratchpad of ours
std::string layout_name(const memory::desc& layout);         // "nChw8c", "nhwc"

}  // namespace tyto::cpu
