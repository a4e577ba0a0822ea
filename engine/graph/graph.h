// A network as a list of nodes in topological order, built by the code in networks/.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/graph/operators.h"
#include "engine/graph/value.h"
#include "engine/graph/weights.h"

namespace tyto {

struct Node {
  Operator op;
  std::vector<Value> inputs;
  std::vector<Weight> weights;
  std::vector<Result> results;  // one at least
  std::string name;             // the layer's path, e.g. "layer1.0.conv1"

  const Result& result() const { return results.front(); }
  const Shape& shape() const { return results.front().shape; }
};

using NamedValues = std::vector<std::pair<std::string, Value>>;

// Appended to an input's or output's name: its count, where it has one.
inline constexpr const char* kCountSuffix = ".count";

// Results are inferred while building, shape and type; a mismatch is an Error{Shape} that names the layer and
// both of what does not fit.
class Graph {
 public:
  // As the caller gives it: row-major, N samples first. counted: how many of a sample's shape[1] rows hold
  // something is given, too, as I32 [N] under the name and kCountSuffix. Names are different. steady: see
  // InputInfo and engine/graph/prologue.h.
  Value input(const std::string& name, const Shape& shape, Elements elements = Elements::F32,
              bool counted = false, bool steady = false);
  // An input of F32 values that layers read as activations: images [N, C, H, W] as a map, others as rows.
  Value image_input(const std::string& name, const Shape& shape) { return to_map(input(name, shape)); }
  Value rows_input(const std::string& name, const Shape& shape) {
    return cast(input(name, shape), Elements::Activation);
  }

  // Any operator; its comment says which inputs and weights it takes. Those below add what builders would
  // repeat.
  Value apply(const Operator& op, std::vector<Value> inputs, std::vector<Weight> weights = {});

  // "weight" [outputs, C/groups, kernel, kernel] and "bias" [outputs] under w.
  enum class Bias { IfPresent, Required };
  Value conv2d(Value x, const Weights& w, const Conv2d& op, Bias bias = Bias::IfPresent,
               int64_t outputs = any);
  Value linear(Value x, const Weights& w);  // of rows, or of a map
  Value batch_norm(Value x, const Weights& w, const BatchNorm& op = {});
  Value instance_norm(Value x, const Weights& w, const InstanceNorm& op = {});
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value activate(Value x, Activation activation);
  Value relu(Value x) { return activate(x, Activation::Relu); }
  Value max_pool(Value x, const MaxPool& op);
  Value adaptive_average_pool(Value x, const AdaptiveAveragePool& op);
  Value global_average_pool(Value x) { return adaptive_average_pool(x, {1, 1}); }
  Value flatten(Value x);
  Value average_pool(Value x, const AveragePool& op);

  // Rows: tokens, matrices, tables.
  Value constant(const Weight& values, Elements elements = Elements::Activation);
  Value reshape(Value x, const Shape& shape);
  Value permute(Value x, const std::vector<int>& order);
  Value concat(const std::vector<Value>& values, int axis);
  Value slice(Value x, int axis, int64_t first, int64_t count);
  Value expand(Value x, const Shape& shape);
  Value softmax(Value x, int axis = -1);
  Value reduce(Value x, const Reduce& op);
  Value matmul(Value a, Value b, const MatMul& op = {});
  // bias and mask follow q, k and v where the operator has them.
  Value attention(const std::string& name, std::vector<Value> inputs, const Attention& op);
  Value position_attention(Value q, Value k, Value v, Value x, const Weight& gamma);
  // "weight" [C] and "bias" [C] under w.
  Value layer_norm(Value x, const Weights& w, const LayerNorm& op = {});
  Value group_norm(Value x, const Weights& w, const GroupNorm& op);
  Value cast(Value x, Elements elements);  // x itself where it has them already
  Value to_map(Value x, Channels channels = Channels::First);
  Value to_rows(Value x, Channels channels = Channels::First);
  Value l2_normalize(Value x, const Weight& scale, const L2Normalize& op);

  // Detection heads; the names are those of the layers in messages and reports.
  Value concat_maps(const std::string& name, const std::vector<Value>& maps, int values);
  Value decode_boxes(Value offsets, const Tensor& anchors, const DecodeBoxes& op);
  Value class_scores(Value logits, const ClassScores& op);
  Value nms(const std::string& name, Value boxes, Value scores, const Nms& op);  // of as many as have a count
  // Of a region proposal network's maps, joined to rows; sizes: see kernels/detection/boxes.h.
  struct ScoredBoxes {
    Value boxes, scores;
  };
  ScoredBoxes decode_proposals(Value offsets, Value logits, Value sizes, const DecodeProposals& op);
  Value roi_pool(Value rois, const std::vector<Value>& maps, const RoiPool& op);
  Value roi_align(Value rois, const std::vector<Value>& maps, const RoiAlign& op);
  Value decode_rois(Value offsets, Value rois, Value sizes, const DecodeRois& op);

  // Seen from above: which points of the cameras' frustums fall into which cell, and the features there.
  struct BevIndexValues {
    Value cell_starts, runs;
  };
  BevIndexValues bev_index(const std::string& name, Value intrinsics, Value camera_to_grid,
                           Value image_augmentation, const BevIndexing& op);
  Value bev_pool(const std::string& name, Value depth, Value features, BevIndexValues index,
                 const BevPool& op);

  // Features over several views of an image.
  Value flip_horizontal(Value x);
  Value rescale_bicubic(Value x, double factor);
  Value normalized_sum(const std::string& name, const std::vector<Value>& features);

  // Of what has a count, that goes out, too, under the name and kCountSuffix.
  void output(const std::string& name, Value x);

  const Result& result(Value x) const { return node(x).results[static_cast<size_t>(x.result)]; }
  const Shape& shape(Value x) const { return result(x).shape; }
  int64_t channels(Value x) const { return shape(x)[1]; }  // of a map, or of rows [N, C]

  // For passes and backends.
  Value append(Node node);  // infers the results
  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(Value x) const { return nodes_[static_cast<size_t>(x.node)]; }
  NamedValues inputs() const;  // what a run is given, counts included, in the order of the nodes
  const NamedValues& outputs() const { return outputs_; }

 private:
  std::vector<Node> nodes_;
  NamedValues outputs_;
};

// TensorFlow's SAME: as many cells as the stride needs to cover the input; an odd pixel of padding goes to
// the bottom and right.
Padding same_padding(const Shape& x, int kernel, int stride);

// The results of a node that is about to be appended to the graph. Error{Shape} says what does not fit;
// Error{Memory} names a layer whose result no memory holds.
std::vector<Result> infer_results(const Graph& graph, const Node& node);

}  // namespace tyto
