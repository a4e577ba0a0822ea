// Products of values with each other, by cuBLASLt, and attention.
#include <array>

#include "engine/cuda/lowering.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/masked_softmax.h"
#include "kernels/attention/position_attention.h"
#include "kernels/layout/strided_copy.h"

namespace tyto::cuda {
namespace {

// From [batch, tokens, heads, size] to [batch, heads, tokens, size], or back.
kernels::StridedBox<2> heads_first(int64_t batch, int64_t heads, int64_t tokens, int64_t size, bool back) {
  kernels::StridedBox<2> box;
  box.rank = 4;
  box.sizes = {batch, heads, tokens, size};
  box.strides[back] = {tokens * heads * size, size, heads * size, 1};
  box.strides[!back] = {heads * tokens * size, tokens * size, size, 1};
  return box;
}

}  // namespace

void Lowering::add_product(const Node& node, const MatrixProductSpec& spec, const TensorRef& a,
                           const TensorRef& b, const TensorRef& y) {
  auto product = std::make_shared<MatrixProduct>(libraries_, spec);
  reserve_workspace(product->workspace_bytes());
  add_step({node.name, std::string(name_of(node.op)), product->algorithm(), "rows", y.shape},
           std::array{a, b, y}, [=, m = addresses_](cudaStream_t s) {
             product->run(m->at(a), m->at(b), nullptr, m->at(y), m->workspace, s);
           });
}

void Lowering::lower(const MatMul& op, const Node& node, int id) {
  const TensorRef a = stored(node.inputs[0]), b = stored(node.inputs[1]), y = new_tensor(node);
  const size_t rank = y.shape.rank();
  MatrixProductSpec spec;
  spec.precision = precision_of(node.result().elements);
  spec.rows = y.shape[rank - 2];
  spec.outputs = y.shape[rank - 1];
  spec.inputs = a.shape[rank - 1 - op.transpose_a];
  spec.transpose_a = op.transpose_a;
  spec.transpose_b = op.transpose_b;
  spec.scale = op.scale;
  for (size_t d = 0; d + 2 < rank; ++d) spec.batch *= y.shape[d];
  spec.a.item = spec.rows * spec.inputs;
  spec.b.item = b.shape.rank() == 2 ? 0 : spec.inputs * spec.outputs;
  spec.y.item = spec.rows * spec.outputs;
  add_product(node, spec, a, b, y);
  store(id, y);
}

TensorRef Lowering::swap_heads(const TensorRef& x, const kernels::StridedBox<2>& box, const Shape& shape,
                               const Node& node) {
  const TensorRef y = new_buffer({.type = x.type, .shape = shape});
  add_step({node.name, "permute", "tyto", "rows", shape}, std::array{x, y},
           [=, m = addresses_, bytes = static_cast<int>(size_of(x.type))](cudaStream_t s) {
             kernels::strided_copy(m->at(x), bytes, box, m->at(y), s);
           });
  return y;
}

// One kernel, which keeps no map of queries x keys. TF32 is the library's, and so are heads too large for it.
void Lowering::lower(const Attention& op, const Node& node, int id) {
  const TensorRef q = stored(node.inputs[0]), k = stored(node.inputs[1]), v = stored(node.inputs[2]);
  const int64_t depth = q.shape[2] / op.heads;
  if (depth > kernels::kMaxHeadSize || precision_of(node.result().elements) == Precision::Tf32)
    return lower_by_products(op, node, id);
  std::vector<TensorRef> used = {q, k, v};
  for (size_t i = 3; i < node.inputs.size(); ++i) used.push_back(stored(node.inputs[i]));
  const TensorRef y = new_tensor(node);
  used.push_back(y);
  add_step(node, "tyto", used, [=, m = addresses_](cudaStream_t s) {
    with_element_type(y.type, [&]<class T>() {
      kernels::AttentionOf<T> of;
      of.batch = q.shape[0];
      of.heads = op.heads;
      of.queries = q.shape[1];
      of.depth = depth;
      of.width = v.shape[2] / op.heads;
      of.scale = op.scale;
      of.q = {m->at<const T>(q), q.shape[2]};
      kernels::KeySet<T>& keys = of.sets[0];
      keys.k = {m->at<const T>(k), k.shape[2]};
      keys.v = {m->at<const T>(v), v.shape[2]};
      keys.keys = k.shape[1];
      if (op.bias) keys.bias = {m->at<const T>(used[3]), used[3].shape[0], used[3].shape[1]};
      if (op.mask) {
        const TensorRef& mask = used[static_cast<size_t>(3 + op.bias)];
        keys.mask = {m->at<const int32_t>(mask), mask.shape[0], mask.shape[1]};
      }
      kernels::attention<T>(of, {m->at<T>(y), y.shape[2]}, {}, s);
    });
  });
  store(id, y);
}

// Each head's tokens are brought together, as the products of a batch want them; scores are F32, so that
// their softmax loses nothing to the precision.
void Lowering::lower_by_products(const Attention& op, const Node& node, int id) {
  const Shape &q = graph_.shape(node.inputs[0]), &k = graph_.shape(node.inputs[1]),
              &v = graph_.shape(node.inputs[2]);
  const int64_t batch = q[0], heads = op.heads, queries = q[1], keys = k[1], depth = q[2] / heads,
                width = v[2] / heads;
  const auto by_head = [&](size_t input, int64_t tokens, int64_t size) {
    const TensorRef x = stored(node.inputs[input]);
    if (heads == 1 || tokens == 1) return x;
    return swap_heads(x, heads_first(batch, heads, tokens, size, /*back=*/false),
                      {batch, heads, tokens, size}, node);
  };
  const TensorRef by_query = by_head(0, queries, depth), by_key = by_head(1, keys, depth),
                  by_value = by_head(2, keys, width);

  MatrixProductSpec spec;
  spec.precision = precision_of(node.result().elements);
  spec.batch = batch * heads;
  spec.rows = queries;
  spec.inputs = depth;
  spec.outputs = keys;
  spec.transpose_b = true;
  spec.scale = op.scale;
  spec.f32_result = true;
  spec.a.item = queries * depth;
  spec.b.item = keys * depth;
  spec.y.item = queries * keys;
  const Shape map = {batch, heads, queries, keys};
  const TensorRef scores = new_buffer({.type = DType::F32, .shape = map});
  add_product(node, spec, by_query, by_key, scores);

  const TensorRef weights = new_buffer({.type = by_query.type, .shape = map});
  std::vector<TensorRef> used = {scores};
  for (size_t i = 3; i < node.inputs.size(); ++i) used.push_back(stored(node.inputs[i]));
  used.push_back(weights);
  add_step({node.name, "softmax", "tyto", "rows", map}, used,
           [=, m = addresses_, masked = op.mask, biased = op.bias](cudaStream_t s) {
             kernels::AttentionMask mask;
             if (masked) {
               const TensorRef& ref = used[1 + biased];
               mask = {m->at<const int32_t>(ref), ref.shape[0], ref.shape[1]};
             }
             with_element_type(weights.type, [&]<class T>() {
               kernels::AttentionBias<T> bias;
               if (biased) bias = {m->at<const T>(used[1]), used[1].shape[0], used[1].shape[1]};
               kernels::masked_softmax<T>(m->at<const float>(scores), {batch, heads, queries, keys}, bias,
                                          mask, m->at<T>(weights), s);
             });
           });

  spec.inputs = keys;
  spec.outputs = width;
  spec.transpose_b = false;
  spec.scale = 1;
  spec.f32_result = false;
  spec.a.item = queries * keys;
  spec.b.item = keys * width;
  spec.y.item = queries * width;
  const bool together = heads == 1 || queries == 1;
  const TensorRef result = together
                               ? new_tensor(node)
                               : new_buffer({.type = weights.type, .shape = {batch, heads, queries, width}});
  add_product(node, spec, weights, by_value, result);
  store(id, together ? result
                     : swap_heads(result, heads_first(batch, heads, queries, width, /*back=*/true),
                                  node.shape(), node));
}

// Channels that fill a map up are zero, and add nothing.
void Lowering::lower(const PositionAttention&, const Node& node, int id) {
  const TensorRef q = stored(node.inputs[0]), k = stored(node.inputs[1]), v = stored(node.inputs[2]),
                  x = stored(node.inputs[3]), y = new_tensor(node);
  const DeviceBuffer* const gamma = pack(node.weights[0], DType::F32);
  add_step(node, "tyto", std::array{q, k, v, x, y}, [=, m = addresses_](cudaStream_t s) {
    with_element_type(y.type, [&]<class T>() {
      kernels::PositionAttentionOf<T> of;
      of.batch = x.shape[0];
      of.positions = x.shape[2] * x.shape[3];
      of.depth = q.channels;
      of.channels = x.channels;
      of.q = m->at<const T>(q);
      of.k = m->at<const T>(k);
      of.v = m->at<const T>(v);
      of.x = m->at<const T>(x);
      of.gamma = reinterpret_cast<const float*>(gamma->data());
      kernels::position_attention<T>(of, m->at<T>(y), {}, s);
    });
  });
  store(id, y);
}

}  // namespace tyto::cuda
