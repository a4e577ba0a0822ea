#include "engine/networks/trunks/attention_blocks.h"

namespace tyto {
namespace {

// A map's places as rows [N, H*W, C].
Value places(Graph& g, Value map) {
  const Shape s = g.shape(map);
  return g.reshape(g.to_rows(map, Channels::Last), {s[0], s[2] * s[3], s[1]});
}

Value map_of_places(Graph& g, Value rows, const Shape& map) {
  return g.to_map(g.reshape(rows, {map[0], map[2], map[3], -1}), Channels::Last);
}

}  // namespace

Value non_local(Graph& g, const Weights& w, Value x) {
  const Shape s = g.shape(x);
  const Value theta = places(g, g.conv2d(x, w.scope("theta"), {}));
  const Value phi = places(g, g.conv2d(x, w.scope("phi"), {}));
  const Value values = places(g, g.conv2d(x, w.scope("g.0"), {}));
  const float scale = 1 / static_cast<float>(s[2] * s[3]);
  const Value summed = g.matmul(phi, values, {.transpose_a = true, .scale = scale});
  const Value y = map_of_places(g, g.matmul(theta, summed), s);
  return g.add(g.batch_norm(g.conv2d(y, w.scope("W.0"), {}), w.scope("W.1")), x);
}

Value position_attention(Graph& g, const Weights& w, Value x) {
  const Value q = g.conv2d(x, w.scope("query_conv"), {});
  const Value k = g.conv2d(x, w.scope("key_conv"), {});
  const Value v = g.conv2d(x, w.scope("value_conv"), {});
  return g.position_attention(q, k, v, x, w("gamma", {1}));
}

Value channel_attention(Graph& g, const Weights& w, Value x) {
  const Shape s = g.shape(x);
  const Value rows = g.reshape(g.to_rows(x), {s[0], s[1], s[2] * s[3]});
  // softmax(largest - e) is softmax(-e).
  const Value y = g.attention("channel_attention", {rows, rows, rows}, {.heads = 1, .scale = -1});
  return g.add(g.to_map(g.reshape(g.mul(y, g.constant(w("gamma", {1}))), s)), x);
}

}  // namespace tyto
