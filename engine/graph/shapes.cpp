// The rule of each operator: from the types of its inputs to those of its results.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/graph/bev_shapes.h"
#include "engine/graph/detection_shapes.h"
#include "kernels/image/bicubic.h"

namespace tyto {
namespace {

struct Inference : DetectionShapes {
  using DetectionShapes::operator();

  int64_t window(int64_t size, int kernel, int stride, int dilation, int before, int after,
                 const char* axis) const {
    const int64_t extent = int64_t{dilation} * (kernel - 1) + 1;
    const int64_t padded = size + before + after;
    if (padded < extent)
      fail(fmt::format("a window of {} does not fit into a {} of {} (padded: {}); use larger images", extent,
                       axis, size, padded));
    return (padded - extent) / stride + 1;
  }

  std::vector<Result> operator()(const Input& op) const {
    if (op.shape.rank() < 1 || (op.counted && op.shape.rank() < 2))
      fail(fmt::format("an input of {} has no samples{}", op.shape.str(), op.counted ? " of rows" : ""));
    Result input = {op.shape, op.elements, Kind::Rows};
    if (!op.counted) return {input};
    input.count = own(1);
    return {input, {{op.shape[0]}, Elements::I32, Kind::Rows}};
  }

  Result operator()(const Cast& op) const {
    if (op.elements == Elements::I32 || input(0).elements == Elements::I32)
      fail(fmt::format("cannot turn {} into {}", described(0), name_of(op.elements)));
    Result result = input(0);
    result.elements = op.elements;
    return result;
  }

  Result operator()(const ToMap& op) const {
    const Shape& x = in(0);
    if (input(0).kind != Kind::Rows || x.rank() != 4 || input(0).elements == Elements::I32)
      fail(fmt::format("needs rows of four dimensions, but its input is {}", described(0)));
    return {op.channels == Channels::First ? x : Shape{x[0], x[3], x[1], x[2]}, Elements::Activation,
            Kind::Map};
  }

  Result operator()(const ToRows& op) const {
    const Shape& x = map();
    return {op.channels == Channels::First ? x : Shape{x[0], x[2], x[3], x[1]}, input(0).elements,
            Kind::Rows};
  }

  Result operator()(const Conv2d& op) const {
    const Shape& x = map();
    const Shape& w = node.weights[0].shape();
    if (x[1] != w[1] * op.groups || w[0] % op.groups != 0)
      fail(fmt::format("weight {} in {} group(s) does not fit input {}", w.str(), op.groups, x.str()));
    const Shape out{
        x[0], w[0],
        window(x[2], op.kernel, op.stride, op.dilation, op.padding.top, op.padding.bottom, "height"),
        window(x[3], op.kernel, op.stride, op.dilation, op.padding.left, op.padding.right, "width")};
    if (node.inputs.size() == 2 && in(1) != out)
      fail(fmt::format("residual {} does not fit output {}", in(1).str(), out.str()));
    if (node.inputs.size() == 2) map(1);
    return map_of(out);
  }

  Result operator()(const ConvTranspose2d& op) const {
    const Shape& x = map();
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
    return map_of(out);
  }

  Result operator()(const Linear&) const {
    Shape out = in(0);
    const Shape& w = node.weights[0].shape();
    if (input(0).kind == Kind::Map) out = {out[0], out[1] * out[2] * out[3]};
    if (out.rank() < 1 || out[out.rank() - 1] != w[1])
      fail(fmt::format("weight {} does not fit its input, {}", w.str(), described(0)));
    out[out.rank() - 1] = w[0];
    if (input(0).kind == Kind::Map && input(0).count) {
      const int64_t samples = graph.shape(*input(0).count)[0];
      out = {samples, out[0] / samples, w[0]};
    }
    Result result = like(out);
    result.kind = Kind::Rows;
    return result;
  }

  Result operator()(const BatchNorm& op) const {
    if (input(0).kind == Kind::Rows && in(0).rank() != 2)
      fail(fmt::format("needs a map or rows [N, C], but its input is {}; make [N, C, L] a map [N, C, 1, L]",
                       described(0)));
    if (node.weights[0].dim(0) + op.first_channel != in(0)[1])
      fail(fmt::format("{} channels do not fit input {}", node.weights[0].dim(0), in(0).str()));
    return like(in(0));
  }

  Result operator()(const InstanceNorm&) const {
    if (node.weights[0].dim(0) > map()[1])
      fail(fmt::format("{} channels do not fit input {}", node.weights[0].dim(0), in(0).str()));
    return like(in(0));
  }

  // The second input is repeated to the first one's shape.
  Result repeated(const char* verb) const {
    const Shape &a = in(0), &b = in(1);
    const bool channels = input(0).kind == Kind::Map && input(1).kind == Kind::Rows;
    bool fits = channels ? b == Shape{a[1]} : input(0).kind == input(1).kind && b.rank() <= a.rank();
    for (size_t i = 0; fits && !channels && i < b.rank(); ++i)
      fits = b[b.rank() - 1 - i] == 1 || b[b.rank() - 1 - i] == a[a.rank() - 1 - i];
    if (!fits) fail(fmt::format("cannot {} {} and {}", verb, described(0), described(1)));
    return like(a);
  }
  Result operator()(const Add&) const { return repeated("add"); }
  Result operator()(const Sub&) const { return repeated("subtract"); }
  Result operator()(const Mul&) const { return repeated("multiply"); }

  Result operator()(const Activate&) const { return like(in(0)); }

  // PyTorch's pooling_output_shape.
  int64_t pooled(int64_t size, int kernel, int stride, int before, int after, bool ceil,
                 const char* axis) const {
    if (!ceil) return window(size, kernel, stride, 1, before, after, axis);
    const int64_t reach = size + before + after - kernel + stride - 1;
    int64_t cells = reach < 0 ? 0 : reach / stride + 1;
    if ((cells - 1) * stride >= size + before) --cells;
    if (cells < 1)
      fail(fmt::format("a window of {} does not fit into a {} of {}; use larger images", kernel, axis, size));
    return cells;
  }

  Result operator()(const MaxPool& op) const {
    const Shape& x = map();
    const Padding& p = op.padding;
    return map_of({x[0], x[1], pooled(x[2], op.kernel, op.stride, p.top, p.bottom, op.ceil, "height"),
                   pooled(x[3], op.kernel, op.stride, p.left, p.right, op.ceil, "width")});
  }

  Result operator()(const AveragePool& op) const {
    const Shape& x = map();
    if (op.padding > op.kernel / 2)
      fail(fmt::format("a padding of {} is more than half a window of {}", op.padding, op.kernel));
    const auto cells = [&](int64_t size, const char* axis) {
      return pooled(size, op.kernel, op.stride, op.padding, op.padding, op.ceil, axis);
    };
    return map_of({x[0], x[1], cells(x[2], "height"), cells(x[3], "width")});
  }

  Result operator()(const Upsample& op) const {
    const Shape& x = map();
    if (x[2] < 1 || x[3] < 1 || op.height < 1 || op.width < 1)
      fail(fmt::format("cannot resample {} to {} x {}", x.str(), op.height, op.width));
    return map_of({x[0], x[1], op.height, op.width});
  }

  Result operator()(const Pad& op) const {
    const Shape& x = map();
    const Padding& p = op.padding;
    const Shape out = {x[0], x[1], x[2] + p.top + p.bottom, x[3] + p.left + p.right};
    const int64_t tall = std::max(p.top, p.bottom), wide = std::max(p.left, p.right);
    const bool reflects = op.mode == kernels::PadMode::Reflect;
    if (out[2] < 1 || out[3] < 1 || x[2] < 1 || x[3] < 1 || (reflects && (tall >= x[2] || wide >= x[3])))
      fail(fmt::format("a border of {}, {}, {} and {} does not fit {}", p.top, p.left, p.bottom, p.right,
                       x.str()));
    return map_of(out);
  }

  Result operator()(const AdaptiveAveragePool& op) const {
    const Shape& x = map();
    if (x[2] < 1 || x[3] < 1) fail(fmt::format("cannot average the empty {}", x.str()));
    return map_of({x[0], x[1], op.height, op.width});
  }

  Result operator()(const GemPool&) const {
    const Shape& x = map();
    if (x[2] < 1 || x[3] < 1) fail(fmt::format("cannot pool the empty {}", x.str()));
    if (node.weights[0].shape() != Shape{1})
      fail(fmt::format("its power is {}, not one number", node.weights[0].shape().str()));
    return map_of({x[0], x[1], 1, 1});
  }

  Result operator()(const Flatten&) const {
    if (in(0).rank() < 1) fail("needs a batch dimension");
    return {{in(0)[0], in(0)[0] == 0 ? 0 : in(0).elements() / in(0)[0]}, input(0).elements, Kind::Rows};
  }

  // Rows of any elements, as they are.
  Result moved(const Shape& shape) const {
    if (input(0).kind != Kind::Rows) fail(fmt::format("needs rows, but its input is {}", described(0)));
    return {shape, input(0).elements, Kind::Rows};
  }

  // As an index from 0; of a map, where only channels are wanted, 1.
  size_t axis_of(int axis, bool channels_of_maps = false) const {
    const size_t at = axis_index(axis, in(0).rank());  // huge where it stays negative
    if (at >= in(0).rank() || (channels_of_maps && input(0).kind == Kind::Map && at != 1))
      fail(fmt::format("has no axis {} of {}", axis, described(0)));
    return at;
  }

  Result operator()(const Reshape& op) const {
    Shape out = op.shape;
    int64_t known = 1;
    size_t open = out.rank();
    for (size_t i = 0; i < out.rank(); ++i)
      if (out[i] != -1)
        known *= out[i];
      else
        open = i;
    if (open < out.rank() && known > 0) out[open] = in(0).elements() / known;
    if (std::ranges::count(op.shape, -1) > 1 || std::ranges::any_of(out, [](int64_t d) { return d < 0; }) ||
        out.elements() != in(0).elements())
      fail(fmt::format("cannot see {} as {}", in(0).str(), op.shape.str()));
    Result result = moved(out);
    const bool same_rows = out.rank() > 1 && in(0).rank() > 1 && out[0] == in(0)[0] && out[1] == in(0)[1];
    if (same_rows) result.count = input(0).count;
    return result;
  }

  Result operator()(const Permute& op) const {
    Shape out = in(0);
    std::vector<bool> taken(out.rank());
    bool fits = op.order.size() == out.rank();
    for (size_t i = 0; fits && i < out.rank(); ++i) {
      const auto from = static_cast<size_t>(op.order[i]);
      fits = from < out.rank() && !taken[from];
      if (!fits) break;
      taken[from] = true;
      out[i] = in(0)[from];
    }
    if (!fits) fail(fmt::format("[{}] is no order of {}", fmt::join(op.order, ", "), in(0).str()));
    return moved(out);
  }

  Result operator()(const Concat& op) const {
    const size_t axis = axis_of(op.axis, /*channels_of_maps=*/true);
    Shape out = in(0);
    out[axis] = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Shape expected = in(0);
      if (in(i).rank() == expected.rank()) expected[axis] = in(i)[axis];
      if (in(i) != expected || input(i).kind != input(0).kind || input(i).elements != input(0).elements)
        fail(fmt::format("cannot join {} and {} along axis {}", described(0), described(i), op.axis));
      out[axis] += in(i)[axis];
    }
    return {out, input(0).elements, input(0).kind};
  }

  Result operator()(const Slice& op) const {
    const size_t axis = axis_of(op.axis, /*channels_of_maps=*/true);
    Result out = input(0);
    if (op.first < 0 || op.count < 1 || op.first + op.count > out.shape[axis])
      fail(fmt::format("cannot take {} from {} on along axis {} of {}", op.count, op.first, op.axis,
                       out.shape.str()));
    out.shape[axis] = op.count;
    if (axis < 2) out.count.reset();
    return out;
  }

  Result operator()(const Expand& op) const {
    bool fits = op.shape.rank() == in(0).rank();
    for (size_t i = 0; fits && i < op.shape.rank(); ++i)
      fits = op.shape[i] == in(0)[i] || (in(0)[i] == 1 && op.shape[i] >= 0);
    if (!fits) fail(fmt::format("cannot repeat {} to {}", in(0).str(), op.shape.str()));
    return moved(op.shape);
  }

  Result operator()(const Constant& op) const {
    if (op.elements == Elements::I32) fail("is of numbers, not I32");
    return {node.weights[0].shape(), op.elements, Kind::Rows};
  }

  Result operator()(const Softmax& op) const {
    if (in(0)[axis_of(op.axis)] < 1) fail(fmt::format("nothing along axis {} of {}", op.axis, in(0).str()));
    return like(in(0));
  }

  Result operator()(const Reduce& op) const {
    const size_t axis = axis_of(op.axis);
    if (in(0)[axis] < 1) fail(fmt::format("nothing along axis {} of {}", op.axis, in(0).str()));
    Result out = like(in(0));
    out.count.reset();
    if (out.kind == Kind::Map) {
      out.shape[axis] = 1;
      return out;
    }
    std::vector<int64_t> left = out.shape.dims();
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(axis));
    out.shape = Shape(std::move(left));
    return out;
  }

  void check_affine(int64_t channels) const {
    for (const Weight& w : node.weights)
      if (w.shape() != Shape{channels})
        fail(fmt::format("'{}' is {}, but its input is {}", w.key(), w.shape().str(), described(0)));
  }

  Result operator()(const LayerNorm&) const {
    if (input(0).kind != Kind::Rows || in(0).rank() < 1 || in(0)[in(0).rank() - 1] < 1)
      fail(fmt::format("needs rows, but its input is {}", described(0)));
    check_affine(in(0)[in(0).rank() - 1]);
    return like(in(0));
  }

  Result operator()(const GroupNorm& op) const {
    const Shape& x = map();
    if (op.groups < 1 || x[1] % op.groups != 0)
      fail(fmt::format("{} groups do not divide the channels of {}", op.groups, x.str()));
    check_affine(x[1]);
    return like(x);
  }

  Result operator()(const MatMul& op) const {
    const Shape &a = in(0), &b = in(1);
    const auto refuse = [&] {
      fail(fmt::format("cannot multiply {}{} by {}{}", described(0), op.transpose_a ? ", transposed," : "",
                       described(1), op.transpose_b ? ", transposed" : ""));
    };
    if (input(0).kind != Kind::Rows || input(1).kind != Kind::Rows || a.rank() < 2 || b.rank() < 2) refuse();
    const size_t m = a.rank() - 2 + op.transpose_a, k = a.rank() - 1 - op.transpose_a;
    const size_t rows = b.rank() - 2 + op.transpose_b, n = b.rank() - 1 - op.transpose_b;
    bool fits = a[k] == b[rows] && (b.rank() == 2 || b.rank() == a.rank());
    for (size_t i = 0; fits && b.rank() > 2 && i + 2 < a.rank(); ++i) fits = a[i] == b[i];
    if (!fits) refuse();
    Shape out = a;
    out[a.rank() - 2] = a[m];
    out[a.rank() - 1] = b[n];
    Result result = like(out);
    result.count.reset();
    return result;
  }

  Result operator()(const Attention& op) const {
    const Shape &q = in(0), &k = in(1), &v = in(2);
    const auto rows = [&](size_t i) { return input(i).kind == Kind::Rows && in(i).rank() == 3; };
    if (!rows(0) || !rows(1) || !rows(2) || q[0] != k[0] || q[0] != v[0] || k[1] != v[1] || q[2] != k[2] ||
        op.heads < 1 || q[2] % op.heads != 0 || v[2] % op.heads != 0)
      fail(fmt::format("{} heads of queries {}, keys {} and values {} do not fit", op.heads, described(0),
                       described(1), described(2)));
    const size_t bias = 3, mask = 3 + op.bias;
    if (node.inputs.size() != mask + op.mask) fail("has not the inputs that it says");
    const auto repeats = [&](int64_t items) { return items > 0 && q[0] % items == 0; };
    if (op.bias) {
      const Shape& b = in(bias);
      if (b.rank() != 4 || !repeats(b[0]) || (b[1] != 1 && b[1] != op.heads) || b[2] != q[1] ||
          b[3] != k[1] || input(bias).elements != input(0).elements)
        fail(fmt::format("a bias of {} does not fit queries {} and keys {}", described(bias), described(0),
                         described(1)));
    }
    if (op.mask) {
      const Shape& b = in(mask);
      if (b.rank() != 3 || !repeats(b[0]) || (b[1] != 1 && b[1] != q[1]) || b[2] != k[1] ||
          input(mask).elements != Elements::I32)
        fail(fmt::format("a mask of {} does not fit queries {} and keys {}", described(mask), described(0),
                         described(1)));
    }
    if (input(1).elements != input(0).elements || input(2).elements != input(0).elements ||
        input(0).elements == Elements::I32)
      fail(fmt::format("cannot take {}, {} and {}; cast them", described(0), described(1), described(2)));
    return {{q[0], q[1], v[2]}, input(0).elements, Kind::Rows};
  }

  Result operator()(const PositionAttention&) const {
    const Shape &q = map(0), &k = map(1), &v = map(2), &x = map(3);
    const Shape wanted{x[0], q[1], x[2], x[3]};
    if (q != wanted || k != wanted || v != x)
      fail(fmt::format("queries {}, keys {} and values {} do not fit {}", described(0), described(1),
                       described(2), described(3)));
    if (node.weights[0].shape() != Shape{1})
      fail(fmt::format("gamma is {}, not one number", node.weights[0].shape().str()));
    Result result = map_of(x);
    result.count = input(3).count;
    return result;
  }

  Result operator()(const L2Normalize&) const {
    if (node.weights[0].shape() != Shape{map()[1]})
      fail(fmt::format("scale {} does not fit input {}", node.weights[0].shape().str(), in(0).str()));
    return like(in(0));
  }

  std::vector<Result> operator()(const BevIndexing& op) const { return BevShapes{{graph, node}}(op); }
  Result operator()(const BevPool& op) const { return BevShapes{{graph, node}}(op); }

  const Shape& image() const {
    const Shape& x = rows(0, Elements::F32, "images [N, C, H, W]");
    if (x.rank() != 4) fail(fmt::format("needs images [N, C, H, W], not {}", x.str()));
    return x;
  }

  Result operator()(const FlipHorizontal&) const { return {image(), Elements::F32, Kind::Rows}; }

  Result operator()(const RescaleBicubic& op) const {
    const Shape& x = image();
    const Shape out{x[0], x[1], kernels::bicubic_size(x[2], op.factor),
                    kernels::bicubic_size(x[3], op.factor)};
    if (out[2] < 1 || out[3] < 1)
      fail(fmt::format("nothing is left of {} at {} its size", x.str(), op.factor));
    return {out, Elements::F32, Kind::Rows};
  }

  Result operator()(const NormalizedSum&) const {
    if (in(0).rank() != 2) fail(fmt::format("needs features [N, D], but one is {}", in(0).str()));
    for (size_t i = 1; i < node.inputs.size(); ++i)
      if (in(i) != in(0)) fail(fmt::format("cannot add {} and {}", in(0).str(), in(i).str()));
    check_numbers();
    return {in(0), Elements::F32, Kind::Rows};
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

std::vector<Result> infer_results(const Graph& graph, const Node& node) {
  struct List {
    std::vector<Result> operator()(Result result) const { return {std::move(result)}; }
    std::vector<Result> operator()(std::vector<Result> results) const { return results; }
  };
  std::vector<Result> results = std::visit(
      [&](const auto& op) {
        return List{}(Inference{{{graph, node}}}(op));
      },
      node.op);
  for (const Result& result : results)
    if (beyond_all_memory(result.shape))
      throw Error(
          ErrorKind::Memory,
          fmt::format("layer '{}' makes {}, which no memory holds; use smaller images or a smaller --batch",
                      node.name, result.shape.str()));
  return results;
}

}  // namespace tyto
