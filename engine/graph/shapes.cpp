// The shape rule of each operator.
#include <fmt/format.h>

#include "engine/graph/graph.h"
#include "kernels/image/bicubic.h"

namespace tyto {
namespace {

// One rule's view of its node; messages name the layer.
struct Inference {
  const Graph& graph;
  const Node& node;

  const Shape& in(size_t i) const { return graph.shape(node.inputs[i]); }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::Shape, fmt::format("layer '{}' ({}): {}", node.name, name_of(node.op), what));
  }

  const Shape& image() const {
    if (in(0).rank() != 4) fail(fmt::format("needs [N, C, H, W], but its input is {}", in(0).str()));
    return in(0);
  }

  int64_t window(int64_t size, int kernel, int stride, int dilation, int before, int after,
                 const char* axis) const {
    const int64_t extent = int64_t{dilation} * (kernel - 1) + 1;
    const int64_t padded = size + before + after;
    if (padded < extent)
      fail(fmt::format("a window of {} does not fit into a {} of {} (padded: {}); use larger images", extent,
                       axis, size, padded));
    return (padded - extent) / stride + 1;
  }

  Shape operator()(const Input&) const { return node.shape; }

  Shape operator()(const Conv2d& op) const {
    const Shape& x = image();
    const Shape& w = node.weights[0].shape();
    if (x[1] != w[1] * op.groups || w[0] % op.groups != 0)
      fail(fmt::format("weight {} in {} group(s) does not fit input {}", w.str(), op.groups, x.str()));
    Shape out{x[0], w[0],
              window(x[2], op.kernel, op.stride, op.dilation, op.padding.top, op.padding.bottom, "height"),
              window(x[3], op.kernel, op.stride, op.dilation, op.padding.left, op.padding.right, "width")};
    if (node.inputs.size() == 2 && in(1) != out)
      fail(fmt::format("residual {} does not fit output {}", in(1).str(), out.str()));
    return out;
  }

  Shape operator()(const ConvTranspose2d& op) const {
    const Shape& x = image();
    const Shape& w = node.weights[0].shape();
    if (x[1] != w[0] || w[0] % op.groups != 0)
      fail(fmt::format("weight {} in {} group(s) does not fit input {}", w.str(), op.groups, x.str()));
    const auto grown = [&](int64_t size) {
      return (size - 1) * op.stride - 2 * op.padding + int64_t{op.dilation} * (op.kernel - 1) +
             op.output_padding + 1;
    };
    const Shape out = {x[0], w[1] * op.groups, grown(x[2]), grown(x[3])};
    if (x[2] < 1 || x[3] < 1 || out[2] < 1 || out[3] < 1)
      fail(fmt::format("nothing is left of {} behind a padding of {}", x.str(), op.padding));
    return out;
  }

  Shape operator()(const Linear&) const {
    const Shape& x = in(0);
    const Shape& w = node.weights[0].shape();
    if (x.rank() != 2 || x[1] != w[1]) fail(fmt::format("weight {} does not fit input {}", w.str(), x.str()));
    return {x[0], w[0]};
  }

  Shape operator()(const BatchNorm& op) const {
    if (in(0).rank() < 2 || node.weights[0].dim(0) + op.first_channel != in(0)[1])
      fail(fmt::format("{} channels do not fit input {}", node.weights[0].dim(0), in(0).str()));
    return in(0);
  }

  Shape operator()(const InstanceNorm&) const {
    if (node.weights[0].dim(0) > image()[1])
      fail(fmt::format("{} channels do not fit input {}", node.weights[0].dim(0), in(0).str()));
    return in(0);
  }

  Shape operator()(const Add&) const {
    if (in(0) != in(1)) fail(fmt::format("cannot add {} and {}", in(0).str(), in(1).str()));
    return in(0);
  }

  Shape operator()(const Activate&) const { return in(0); }

  Shape operator()(const MaxPool& op) const {
    const Shape& x = image();
    const auto pooled = [&](int64_t size, int before, int after, const char* axis) {
      if (!op.ceil) return window(size, op.kernel, op.stride, 1, before, after, axis);
      const int64_t reach =
          size + before + after - op.kernel + op.stride - 1;  // PyTorch's pooling_output_shape
      int64_t cells = reach < 0 ? 0 : reach / op.stride + 1;
      if ((cells - 1) * op.stride >= size + before) --cells;
      if (cells < 1)
        fail(fmt::format("a window of {} does not fit into a {} of {}; use larger images", op.kernel, axis,
                         size));
      return cells;
    };
    return {x[0], x[1], pooled(x[2], op.padding.top, op.padding.bottom, "height"),
            pooled(x[3], op.padding.left, op.padding.right, "width")};
  }

  Shape operator()(const AdaptiveAveragePool& op) const {
    const Shape& x = image();
    if (x[2] < 1 || x[3] < 1) fail(fmt::format("cannot average the empty {}", x.str()));
    return {x[0], x[1], op.height, op.width};
  }

  Shape operator()(const GemPool&) const {
    const Shape& x = image();
    if (x[2] < 1 || x[3] < 1) fail(fmt::format("cannot pool the empty {}", x.str()));
    if (node.weights[0].shape() != Shape{1})
      fail(fmt::format("its power is {}, not one number", node.weights[0].shape().str()));
    return {x[0], x[1], 1, 1};
  }

  Shape operator()(const Flatten&) const {
    if (in(0).rank() < 1) fail("needs a batch dimension");
    return {in(0)[0], in(0)[0] == 0 ? 0 : in(0).elements() / in(0)[0]};
  }

  Shape operator()(const ScaleChannels&) const {
    if (in(1) != Shape{image()[0], image()[1], 1, 1})
      fail(fmt::format("scales {} do not fit input {}", in(1).str(), in(0).str()));
    return in(0);
  }

  Shape operator()(const L2Normalize&) const {
    if (node.weights[0].shape() != Shape{image()[1]})
      fail(fmt::format("scale {} does not fit input {}", node.weights[0].shape().str(), in(0).str()));
    return in(0);
  }

  Shape operator()(const ConcatMaps& op) const {
    int64_t rows = 0;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const Shape& map = in(k);
      if (map.rank() != 4 || map[0] != in(0)[0] || map[1] % op.values != 0)
        fail(fmt::format("map {} does not hold {} values an anchor for each of {}", map.str(), op.values,
                         in(0).str()));
      rows += map[1] / op.values * map[2] * map[3];
    }
    return {in(0)[0], rows, op.values};
  }

  Shape operator()(const DecodeBoxes&) const {
    const Shape& offsets = in(0);
    if (offsets.rank() != 3 || node.weights[0].shape() != Shape{offsets[1], 4} || offsets[2] != 4)
      fail(fmt::format("{} anchors do not fit offsets {}", node.weights[0].dim(0), offsets.str()));
    return offsets;
  }

  Shape operator()(const ClassScores&) const {
    const Shape& logits = in(0);
    if (logits.rank() != 3 || logits[2] < 2)
      fail(fmt::format("needs [N, anchors, classes] with a background and a class, not {}", logits.str()));
    return {logits[0], logits[2] - 1, logits[1]};
  }

  Shape operator()(const Nms& op) const {
    const Shape &boxes = in(0), &scores = in(1);
    if (boxes.rank() != 3 || scores != Shape{boxes[0], scores.rank() == 3 ? scores[1] : 0, boxes[1]})
      fail(fmt::format("boxes {} do not fit scores {}", boxes.str(), scores.str()));
    return {boxes[0], kernels::detection_capacity(op, scores[1], scores[2]), kernels::kDetectionRow};
  }

  Shape operator()(const FlipHorizontal&) const { return image(); }

  Shape operator()(const RescaleBicubic& op) const {
    const Shape& x = image();
    const Shape out{x[0], x[1], kernels::bicubic_size(x[2], op.factor),
                    kernels::bicubic_size(x[3], op.factor)};
    if (out[2] < 1 || out[3] < 1)
      fail(fmt::format("nothing is left of {} at {} its size", x.str(), op.factor));
    return out;
  }

  Shape operator()(const NormalizedSum&) const {
    if (in(0).rank() != 2) fail(fmt::format("needs features [N, D], but one is {}", in(0).str()));
    for (size_t i = 1; i < node.inputs.size(); ++i)
      if (in(i) != in(0)) fail(fmt::format("cannot add {} and {}", in(0).str(), in(i).str()));
    return in(0);
  }
};

// More than 2^46 elements. With less, the bytes of any value, and of all values of a graph, are counted in 64
// bits.
bool beyond_all_memory(const Shape& shape) {
  double elements = 1;  // exact as far as it matters
  for (const int64_t size : shape) elements *= static_cast<double>(size);
  return elements > 0x1p46;
}

}  // namespace

Shape infer_shape(const Graph& graph, const Node& node) {
  Shape shape = std::visit(Inference{graph, node}, node.op);
  if (beyond_all_memory(shape))
    throw Error(
        ErrorKind::Memory,
        fmt::format("layer '{}' makes {}, which no memory holds; use smaller images or a smaller --batch",
                    node.name, shape.str()));
  return shape;
}

}  // namespace tyto
