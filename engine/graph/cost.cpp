#include "engine/graph/cost.h"

#include <algorithm>
#include <variant>

namespace tyto {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

// How many cells the windows of adaptive pooling have along one axis, all windows together; they may overlap.
int64_t window_cells(int64_t size, int64_t windows) {
  int64_t cells = 0;
  for (int64_t i = 0; i < windows; ++i)
    cells += ((i + 1) * size + windows - 1) / windows - i * size / windows;
  return cells;
}

double flop_of(const Graph& graph, const Node& node) {
  const auto in = [&](size_t i) -> const Shape& { return graph.shape(node.inputs[i]); };
  const auto count = [](const Shape& shape) { return static_cast<double>(shape.elements()); };
  const double results = count(node.shape());
  // Of the result's channels, `some` out of all.
  const auto of_channels = [&](int64_t some) {
    return node.shape()[1] == 0 ? 0
                                : results / static_cast<double>(node.shape()[1]) * static_cast<double>(some);
  };
  return std::visit(
      Overloaded{
          [&](const auto&) { return results; },  // an operation a result, where nothing else is said
          [](const Input&) { return 0.0; },
          // A product and a sum for each weight of the filter.
          [&](const Conv2d&) {
            const Shape& w = node.weights[0].shape();
            return 2 * results * static_cast<double>(w[1] * w[2] * w[3]);
          },
          // As many for each value of the input.
          [&](const ConvTranspose2d&) {
            const Shape& w = node.weights[0].shape();
            return 2 * count(in(0)) * static_cast<double>(w[1] * w[2] * w[3]);
          },
          [&](const Linear&) { return 2 * results * static_cast<double>(node.weights[0].dim(1)); },
          // x * scale + shift.
          [&](const BatchNorm& op) { return 2 * of_channels(node.shape()[1] - op.first_channel); },
          // The mean's sum; difference, square and sum of the variance; difference, scale and shift.
          [&](const InstanceNorm&) { return 7 * of_channels(node.weights[0].dim(0)); },
          [&](const MaxPool& op) { return results * op.kernel * op.kernel; },
          // A sum for each cell of a window, and a division.
          [&](const AdaptiveAveragePool& op) {
            return static_cast<double>(node.shape()[0] * node.shape()[1]) *
                       static_cast<double>(window_cells(in(0)[2], op.height)) *
                       static_cast<double>(window_cells(in(0)[3], op.width)) +
                   results;
          },
          // A value's maximum with epsilon, power and sum; a division and a root of each mean.
          [&](const GemPool&) { return 3 * count(in(0)) + 2 * results; },
          [](const ToMap&) { return 0.0; },
          [](const ToRows&) { return 0.0; },
          [](const Flatten&) { return 0.0; },
          [](const Reshape&) { return 0.0; },
          [](const Permute&) { return 0.0; },
          [](const Concat&) { return 0.0; },
          [](const Slice&) { return 0.0; },
          [](const Expand&) { return 0.0; },
          [](const Constant&) { return 0.0; },
          [](const Pad&) { return 0.0; },
          // Three blends of two products and a sum.
          [&](const Upsample& op) { return op.mode == kernels::Upsampling::Nearest ? 0.0 : 9 * results; },
          [&](const AveragePool& op) { return results * (op.kernel * op.kernel + 1); },
          // Maximum, difference, exponential, sum and division.
          [&](const Softmax&) { return 5 * results; },
          [&](const Reduce&) { return count(in(0)); },
          // As InstanceNorm.
          [&](const LayerNorm&) { return 7 * results; },
          [&](const GroupNorm&) { return 7 * results; },
          [&](const MatMul& op) {
            const Shape& a = in(0);
            return 2 * results * static_cast<double>(a[a.rank() - (op.transpose_a ? 2 : 1)]);
          },
          // The two products, and the softmax between them.
          [&](const Attention& op) {
            const double scores = static_cast<double>(in(0)[0] * in(0)[1] * in(1)[1]);
            return scores * (2 * static_cast<double>(in(0)[2] + in(2)[2]) + 5.0 * op.heads);
          },
          // The same of one head; a product and a sum each result.
          [&](const PositionAttention&) {
            const double positions = static_cast<double>(in(0)[2] * in(0)[3]);
            const double scores = static_cast<double>(in(0)[0]) * positions * positions;
            return scores * (2 * static_cast<double>(in(0)[1] + in(3)[1]) + 5) + 2 * results;
          },
          [](const ConcatMaps&) { return 0.0; },
          // Square, sum, division, scale; a root a pixel.
          [&](const L2Normalize&) { return 4 * results + of_channels(1); },
          // Of a box's centre and size along both axes: offset * variance * anchor + anchor, exp(offset *
          // variance) * anchor; its corners: half the size, taken off and added.
          [&](const DecodeBoxes&) { return results / 4 * 2 * (3 + 3 + 3); },
          // A sigmoid: exponential, sum and division. A softmax: maximum, difference, exponential, sum and
          // division.
          [&](const ClassScores& op) {
            return op.function == kernels::ScoreFunction::Sigmoid ? 3 * results : 5 * count(in(0));
          },
          [&](const Nms&) { return count(in(1)); },
          // As DecodeBoxes, the four clamps, two sides and their comparison, and the logits' difference.
          [&](const DecodeProposals&) { return results / 4 * (2 * (3 + 3 + 3) + 4 + 4 + 1); },
          [&](const DecodeRois&) { return results / 4 * (2 * (3 + 3 + 3) + 4); },
          // A comparison for each cell of a bin: the whole map, were it one RoI with bins that do not
          // overlap.
          [&](const RoiPool&) { return static_cast<double>(node.shape()[0]) * count(in(1)) / in(1)[0]; },
          // Four products and sums a sample.
          [&](const RoiAlign& op) {
            return results * 8 * std::max(1, op.sampling_ratio) * std::max(1, op.sampling_ratio);
          },
          // A product with the linear part and a sum with the offset for each point, and its cell's index.
          [&](const BevIndexing& op) {
            const double points = static_cast<double>(in(0)[0] * in(0)[1] * op.frustum.points());
            return points * (2 * 9 + 3 + 2 * 3);
          },
          // A product and a sum for each channel of each point that falls into the grid: of all of them,
          // which alone is known. The softmax: maximum, difference, exponential, sum and division.
          [&](const BevPool& op) {
            const double depths = count(in(0)), channels = static_cast<double>(in(1)[1]);
            return depths * (2 * channels + (op.logits ? 5 : 0));
          },
          [](const FlipHorizontal&) { return 0.0; },
          // Four products and sums along each of four rows, and along the column of their sums.
          [&](const RescaleBicubic&) { return results * 2 * 4 * (4 + 1); },
          // The sums of the terms; square and sum of the length, and the division; a root a row.
          [&](const NormalizedSum&) {
            return results * static_cast<double>(node.inputs.size() - 1) + 3 * results +
                   static_cast<double>(node.shape()[0]);
          },
      },
      node.op);
}

}  // namespace

DType dtype_of(Elements elements, DType activations) {
  return elements == Elements::Activation ? activations : elements == Elements::I32 ? DType::I32 : DType::F32;
}

Cost cost_of(const Graph& graph, const Node& node, DType activations) {
  const auto bytes = [&](const Result& r) {
    return r.shape.elements() * size_of(dtype_of(r.elements, activations));
  };
  Cost cost;
  if (std::holds_alternative<Input>(node.op)) return cost;
  cost.flop = flop_of(graph, node);
  for (const Value in : node.inputs) cost.bytes_read += bytes(graph.result(in));
  for (const Weight& w : node.weights)
    cost.bytes_read += w.shape().elements() * size_of(dtype_of(node.result().elements, activations));
  for (const Result& result : node.results) cost.bytes_written += bytes(result);
  return cost;
}

}  // namespace tyto
