// What copies elements to other places, whatever they mean.
#include <fmt/format.h>

#include <array>
#include <numeric>
#include <vector>

#include "engine/cuda/lowering.h"
#include "kernels/layout/strided_copy.h"

namespace tyto::cuda {
namespace {

// A value as rows, one after the other: those of [..., axis, ...] have all from the axis on. A map's channels
// are innermost, whatever the axis says.
struct Pieces {
  int64_t count = 1, width = 1;  // elements
};

Pieces pieces_of(const TensorRef& s, int axis) {
  if (s.kind == Kind::Map) return {s.shape[0] * s.shape[2] * s.shape[3], s.channels};
  const size_t first = axis_index(axis, s.shape.rank());
  Pieces pieces;
  for (size_t d = 0; d < s.shape.rank(); ++d) (d < first ? pieces.count : pieces.width) *= s.shape[d];
  return pieces;
}

// `width` elements of each piece.
kernels::StridedBox<2> box_of(const Pieces& from, const Pieces& to, int64_t width) {
  kernels::StridedBox<2> box;
  box.rank = 2;
  box.sizes = {to.count, width};
  box.strides[0] = {from.width, 1};
  box.strides[1] = {to.width, 1};
  return box;
}

std::vector<int64_t> dense_strides(const Shape& shape) {
  std::vector<int64_t> strides(shape.rank(), 1);
  for (size_t d = shape.rank(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

// Rows y [sizes], whose dimension d steps through the source by steps[d].
kernels::StridedBox<2> box_of(const std::vector<int64_t>& steps, const Shape& y) {
  if (y.rank() > kernels::kMaxRank)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{} has more than {} dimensions; reshape it first", y.str(), kernels::kMaxRank));
  const std::vector<int64_t> dense = dense_strides(y);
  kernels::StridedBox<2> box;
  box.rank = static_cast<int>(y.rank());
  for (size_t d = 0; d < y.rank(); ++d) {
    box.sizes[d] = y[d];
    box.strides[0][d] = steps[d];
    box.strides[1][d] = dense[d];
  }
  return box;
}

}  // namespace

TensorRef Lowering::copy(const Node& node, const std::vector<Part>& parts) {
  const TensorRef y = new_tensor(node);
  const auto bytes = static_cast<int>(size_of(y.type));
  std::vector<TensorRef> used;
  for (const Part& part : parts) used.push_back(part.x);
  used.push_back(y);
  add_step(node, "tyto", used, [=, m = addresses_](cudaStream_t s) {
    for (const Part& part : parts)
      kernels::strided_copy(m->at<const std::byte>(part.x) + part.first * bytes, bytes, part.box,
                            m->at<std::byte>(y) + part.to * bytes, s);
  });
  return y;
}

void Lowering::lower(const Permute& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  const std::vector<int64_t> dense = dense_strides(x.shape);
  std::vector<int64_t> steps;
  for (const int from : op.order) steps.push_back(dense[static_cast<size_t>(from)]);
  store(id, copy(node, {{.x = x, .box = box_of(steps, node.shape())}}));
}

void Lowering::lower(const Expand&, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  std::vector<int64_t> steps = dense_strides(x.shape);
  for (size_t d = 0; d < steps.size(); ++d)
    if (x.shape[d] == 1) steps[d] = 0;
  store(id, copy(node, {{.x = x, .box = box_of(steps, node.shape())}}));
}

void Lowering::lower(const Slice& op, const Node& node, int id) {
  const TensorRef x = stored(node.inputs[0]);
  const Pieces from = pieces_of(x, op.axis);
  const size_t axis = axis_index(op.axis, x.shape.rank());
  const int64_t inner = from.width / x.shape[axis], width = op.count * inner;
  store(id,
        copy(node, {{.x = x, .first = op.first * inner, .box = box_of(from, {from.count, width}, width)}}));
}

void Lowering::lower(const Concat& op, const Node& node, int id) {
  std::vector<Part> parts;
  Pieces to;
  to.width = 0;
  for (const Value in : node.inputs) {
    to.count = pieces_of(stored(in), op.axis).count;
    to.width += pieces_of(stored(in), op.axis).width;
  }
  int64_t at = 0;
  for (const Value in : node.inputs) {
    const TensorRef& x = stored(in);
    const Pieces from = pieces_of(x, op.axis);
    parts.push_back({.x = x, .to = at, .box = box_of(from, to, from.width)});
    at += from.width;
  }
  store(id, copy(node, parts));
}

}  // namespace tyto::cuda
