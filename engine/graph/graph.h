// A network as a list of nodes in topological order, built by the code in networks/.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/graph/operators.h"
#include "engine/graph/weights.h"

namespace tyto {

struct Value {
  int node = -1;
};

struct Node {
  Operator op;
  std::vector<Value> inputs;
  std::vector<Weight> weights;
  Shape shape;       // of the result
  std::string name;  // the layer's path, e.g. "layer1.0.conv1"
};

// Shapes are inferred while building; a mismatch is an Error{Shape} that names the layer and both shapes.
class Graph {
 public:
  Value input(const std::string& name, const Shape& shape);

  // Any operator; its comment says which inputs and weights it takes. Those below add what builders would
  // repeat.
  Value apply(const Operator& op, std::vector<Value> inputs, std::vector<Weight> weights = {});

  // "weight" [outputs, C/groups, kernel, kernel] and "bias" [outputs] under w.
  enum class Bias { IfPresent, Required };
  Value conv2d(Value x, const Weights& w, const Conv2d& op, Bias bias = Bias::IfPresent,
               int64_t outputs = any);
  Value linear(Value x, const Weights& w);
  Value batch_norm(Value x, const Weights& w, const BatchNorm& op = {});
  Value instance_norm(Value x, const Weights& w, const InstanceNorm& op = {});
  Value add(Value a, Value b);
  Value activate(Value x, Activation activation);
  Value relu(Value x) { return activate(x, Activation::Relu); }
  Value max_pool(Value x, const MaxPool& op);
  Value adaptive_average_pool(Value x, const AdaptiveAveragePool& op);
  Value global_average_pool(Value x) { return adaptive_average_pool(x, {1, 1}); }
  Value flatten(Value x);
  Value scale_channels(Value x, Value scales);
  Value l2_normalize(Value x, const Weight& scale, const L2Normalize& op);

  // Detection heads; the names are those of the layers in messages and reports.
  Value concat_maps(const std::string& name, const std::vector<Value>& maps, int values);
  Value decode_boxes(Value offsets, const Tensor& anchors, const DecodeBoxes& op);
  Value class_scores(Value logits, const ClassScores& op);
  Value nms(Value boxes, Value scores, const Nms& op);

  // Features over several views of an image.
  Value flip_horizontal(Value x);
  Value rescale_bicubic(Value x, double factor);
  Value normalized_sum(const std::string& name, const std::vector<Value>& features);

  void output(const std::string& name, Value x);

  const Shape& shape(Value x) const { return nodes_[static_cast<size_t>(x.node)].shape; }
  int64_t channels(Value x) const { return shape(x)[1]; }

  // For passes and backends.
  Value append(Node node);  // infers the shape
  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(Value x) const { return nodes_[static_cast<size_t>(x.node)]; }
  const std::vector<std::pair<std::string, Value>>& outputs() const { return outputs_; }

 private:
  std::vector<Node> nodes_;
  std::vector<std::pair<std::string, Value>> outputs_;
};

// TensorFlow's SAME: as many cells as the stride needs to cover the input; an odd pixel of padding goes to
// the bottom and right.
Padding same_padding(const Shape& x, int kernel, int stride);

// The result's shape. Error{Shape} says what does not fit; Error{Memory} names a layer whose result no memory
// holds.
Shape infer_shape(const Graph& graph, const Node& node);

}  // namespace tyto
