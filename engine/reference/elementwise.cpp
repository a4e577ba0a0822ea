// What looks at one value at a time.
#include <algorithm>

#include "engine/reference/operators.h"

namespace tyto {

double activated(double v, Activation activation) {
  switch (activation) {
    case Activation::None:
      break;
    case Activation::Relu:
      return std::max(v, 0.0);
    case Activation::Relu6:
      return std::clamp(v, 0.0, 6.0);
    case Activation::HardSigmoid:
      return std::clamp(v / 6 + 0.5, 0.0, 1.0);
    case Activation::HardSwish:
      return v * std::clamp(v / 6 + 0.5, 0.0, 1.0);
  }
  return v;
}

Results reference(const Add& op, const Call& call) {
  Array y = call.result();
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = activated(call.in[0]->values[i] + call.in[1]->values[i], op.activation);
  return y;
}

Results reference(const Activate& op, const Call& call) {
  Array y = call.result();
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = activated(call.x().values[i], op.activation);
  return y;
}

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

Results reference(const ScaleChannels&, const Call& call) {
  Array y = call.result();
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t c = 0; c < y.shape[1]; ++c)
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j)
          y.at(n, c, i, j) = call.x().at(n, c, i, j) * call.in[1]->at(n, c, 0, 0);
  return y;
}

}  // namespace tyto
