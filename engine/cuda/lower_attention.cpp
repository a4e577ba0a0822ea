// Products of values with each other, by cuBLASLt.
#include <array>

#include "engine/cuda/lowering.h"
#include "kernels/attention/masked_softmax.h"
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

// Each head's tokens are brought together, as the products of a batch want them; scores are F32, so that
// their softmax loses nothing to the precision.
void Lowering::lower(const Attention& op, const Node& node, int id) {
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

}  // namespace tyto::cuda
