// The same values seen otherwise, moved or repeated.
#include <algorithm>
#include <functional>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

// Calls f(position) for each of a shape's, the last dimension fastest.
void for_each_position(const Shape& shape, const std::function<void(const std::vector<int64_t>&)>& f) {
  std::vector<int64_t> position(shape.rank());
  for (int64_t i = 0; i < shape.elements(); ++i) {
    int64_t rest = i;
    for (size_t d = shape.rank(); d-- > 0; rest /= shape[d]) position[d] = rest % shape[d];
    f(position);
  }
}

double& at(Array& a, const std::vector<int64_t>& position) {
  int64_t index = 0;
  for (size_t d = 0; d < position.size(); ++d) index = index * a.shape[d] + position[d];
  return a.values[static_cast<size_t>(index)];
}

double at(const Array& a, const std::vector<int64_t>& position) {
  return at(const_cast<Array&>(a), position);
}

}  // namespace

Results reference(const Cast&, const Call& call) { return call.x(); }

Results reference(const Flatten&, const Call& call) { return Array{call.node.shape(), call.x().values}; }

Results reference(const ToMap& op, const Call& call) {
  if (op.channels == Channels::First) return call.x();
  Array map = call.result();
  size_t at = 0;
  for (int64_t n = 0; n < map.shape[0]; ++n)
    for (int64_t i = 0; i < map.shape[2]; ++i)
      for (int64_t j = 0; j < map.shape[3]; ++j)
        for (int64_t c = 0; c < map.shape[1]; ++c) map.at(n, c, i, j) = call.x().values[at++];
  return map;
}

Results reference(const ToRows& op, const Call& call) {
  if (op.channels == Channels::First) return call.x();
  Array rows = call.result();
  const Shape& map = call.x().shape;
  size_t at = 0;
  for (int64_t n = 0; n < map[0]; ++n)
    for (int64_t i = 0; i < map[2]; ++i)
      for (int64_t j = 0; j < map[3]; ++j)
        for (int64_t c = 0; c < map[1]; ++c) rows.values[at++] = call.x().at(n, c, i, j);
  return rows;
}

Results reference(const Reshape&, const Call& call) { return Array{call.node.shape(), call.x().values}; }

Results reference(const Permute& op, const Call& call) {
  Array y = call.result();
  for_each_position(y.shape, [&](const std::vector<int64_t>& to) {
    std::vector<int64_t> from(to.size());
    for (size_t d = 0; d < to.size(); ++d) from[static_cast<size_t>(op.order[d])] = to[d];
    at(y, to) = at(call.x(), from);
  });
  return y;
}

Results reference(const Concat& op, const Call& call) {
  Array y = call.result();
  const size_t axis = call.axis(op.axis);
  int64_t first = 0;
  for (const Array* x : call.in) {
    for_each_position(x->shape, [&](const std::vector<int64_t>& from) {
      std::vector<int64_t> to = from;
      to[axis] += first;
      at(y, to) = at(*x, from);
    });
    first += x->shape[axis];
  }
  return y;
}

Results reference(const Slice& op, const Call& call) {
  Array y = call.result();
  for_each_position(y.shape, [&](std::vector<int64_t> position) {
    double& to = at(y, position);
    position[call.axis(op.axis)] += op.first;
    to = at(call.x(), position);
  });
  return y;
}

Results reference(const Expand&, const Call& call) {
  Array y = call.result();
  for_each_position(y.shape, [&](std::vector<int64_t> position) {
    double& to = at(y, position);
    for (size_t d = 0; d < position.size(); ++d) position[d] = std::min(position[d], call.x().shape[d] - 1);
    to = at(call.x(), position);
  });
  return y;
}

Results reference(const Constant&, const Call& call) { return call.weight(0); }

}  // namespace tyto
