// Views of an image, and the features that are summed over them.
#include <algorithm>
#include <array>

#include "engine/cpu/lowering.h"
#include "kernels/image/bicubic.h"
#include "kernels/image/flip.h"
#include "kernels/retrieval/normalize_rows.h"

namespace tyto::cpu {

void Lowering::lower(const FlipHorizontal& op, const Node& node, int id) {
  const Shape& shape = node.shape();
  const TensorRef x = in_layout(node.inputs[0], plain(shape)), result = new_tensor(plain(shape));
  add_step(
      {node.name, std::string(name_of(op)), "tyto", layout_name(result.layout), shape},
      [from = bind(x), to = bind(result), rows = shape[0] * shape[1] * shape[2], width = shape[3]](
          dnnl::stream&) { kernels::flip_horizontal_cpu(floats(from), rows, width, floats(to)); },
      std::array{x, result});
  store(id, result);
}

void Lowering::lower(const RescaleBicubic& op, const Node& node, int id) {
  const Shape& shape = graph_.shape(node.inputs[0]);
  const TensorRef x = in_layout(node.inputs[0], plain(shape)), result = new_tensor(plain(node.shape()));
  const kernels::BicubicParams params = {shape[0] * shape[1], shape[2], shape[3], op.factor};
  add_step(
      {node.name, std::string(name_of(op)), "tyto", layout_name(result.layout), node.shape()},
      [from = bind(x), to = bind(result), params](dnnl::stream&) {
        kernels::bicubic_cpu(floats(from), floats(to), params);
      },
      std::array{x, result});
  store(id, result);
}

void Lowering::lower(const NormalizedSum& op, const Node& node, int id) {
  std::vector<TensorRef> used;
  for (const Value v : node.inputs) used.push_back(in_layout(v, plain(node.shape())));
  const TensorRef result = new_tensor(plain(node.shape()));
  std::vector<memory> terms;
  for (const TensorRef& s : used) terms.push_back(bind(s));
  used.push_back(result);
  add_step(
      {node.name, std::string(name_of(op)), "tyto", layout_name(result.layout), node.shape()},
      [terms = std::move(terms), to = bind(result), rows = node.shape()[0],
       width = node.shape()[1]](dnnl::stream&) {
        float* const sum = floats(to);
        std::copy_n(floats(terms[0]), rows * width, sum);
        for (size_t t = 1; t < terms.size(); ++t) {
          const float* const term = floats(terms[t]);
          for (int64_t i = 0; i < rows * width; ++i) sum[i] += term[i];
        }
        kernels::normalize_rows_cpu(sum, rows, width);
      },
      used);
  store(id, result);
}

}  // namespace tyto::cpu
