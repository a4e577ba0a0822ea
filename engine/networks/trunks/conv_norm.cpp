#include "engine/networks/trunks/conv_norm.h"

namespace tyto {

Value conv_norm(Graph& g, const Weights& conv, const Weights& norm, Value x, Conv2d op,
                const NormStyle& style) {
  op.padding = style.same ? same_padding(g.shape(x), op.kernel, op.stride) : Padding(op.kernel / 2);
  return g.batch_norm(g.conv2d(x, conv, op), norm, {.epsilon = style.epsilon});
}

Value conv_norm_activation(Graph& g, const Weights& w, Value x, const Conv2d& op, Activation activation,
                           const NormStyle& style) {
  x = conv_norm(g, w.scope("0"), w.scope("1"), x, op, style);
  return activation == Activation::None ? x : g.activate(x, activation);
}

Value depthwise_norm_activation(Graph& g, const Weights& w, Value x, Conv2d op, Activation activation,
                                const NormStyle& style) {
  op.groups = static_cast<int>(g.channels(x));
  return conv_norm_activation(g, w, x, op, activation, style);
}

}  // namespace tyto
