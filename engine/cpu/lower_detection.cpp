// The head of a detector: from maps to boxes, all in F32 and row-major.
#include <omp.h>

#include <algorithm>
#include <array>

#include "engine/cpu/lowering.h"
#include "kernels/detection/concat_maps.h"

namespace tyto::cpu {
void Lowering::lower(const ConcatMaps&, const Node& node, int id) {
  std::vector<TensorRef> used;
  std::vector<memory> maps;
  std::vector<kernels::ChannelBlocks<const float>> views;
  for (Value in : node.inputs) {
    used.push_back(as_blocks(in));
    maps.push_back(bind(used.back()));
    views.push_back(as_const(blocks(used.back())));
  }
  const TensorRef result = new_tensor(plain(node.shape()));
  used.push_back(result);
  add_step(
      {node.name, "concat_maps", "tyto", layout_name(result.layout), node.shape()},
      [maps = std::move(maps), views = std::move(views), rows = bind(result)](dnnl::stream&) mutable {
        for (size_t k = 0; k < maps.size(); ++k) views[k].data = floats(maps[k]);
        kernels::concat_maps_cpu(views, floats(rows));
      },
      used);
  store(id, result);
}

void Lowering::lower(const DecodeBoxes& op, const Node& node, int id) {
  const TensorRef offsets = in_layout(node.inputs[0], plain(node.shape())),
                  result = new_tensor(plain(node.shape()));
  add_step(
      {node.name, "decode_boxes", "tyto", layout_name(result.layout), node.shape()},
      [op, from = bind(offsets), to = bind(result), anchors = std::as_const(node).weights[0].load(),
       n = node.shape()[0], count = node.shape()[1]](dnnl::stream&) {
        kernels::decode_boxes_cpu(floats(from), anchors.as<float>().data(), n, count, op, floats(to));
      },
      std::array{offsets, result});
  store(id, result);
}

void Lowering::lower(const ClassScores& op, const Node& node, int id) {
  const Shape& in = graph_.shape(node.inputs[0]);
  const TensorRef logits = in_layout(node.inputs[0], plain(in)), result = new_tensor(plain(node.shape()));
  add_step(
      {node.name, "class_scores", "tyto", layout_name(result.layout), node.shape()},
      [op, in, from = bind(logits), to = bind(result)](dnnl::stream&) {
        kernels::class_scores_cpu(floats(from), in[0], in[1], in[2], op, floats(to));
      },
      std::array{logits, result});
  store(id, result);
}

void Lowering::lower(const Nms& op, const Node& node, int id) {
  const Shape& in = graph_.shape(node.inputs[1]);
  const int threads = omp_get_max_threads();
  const TensorRef boxes = in_layout(node.inputs[0], plain(graph_.shape(node.inputs[0])));
  const TensorRef scores = in_layout(node.inputs[1], plain(in));
  const TensorRef workspace = new_tensor(described({kernels::nms_workspace(op, in[0], in[1], in[2], threads)},
                                                   memory::data_type::u8, memory::format_tag::a));
  const TensorRef result = new_tensor(plain(node.shape())),
                  counts = new_tensor(plain(node.results[1].shape, memory::data_type::s32));
  std::vector<TensorRef> used = {boxes, scores, workspace, counts, result};
  memory there;
  if (node.inputs.size() > 2) {
    used.push_back(in_layout(node.inputs[2], plain(graph_.shape(node.inputs[2]), memory::data_type::s32)));
    there = bind(used.back());
  }
  add_step(
      {node.name, "nms", "tyto", layout_name(result.layout), node.shape()},
      [op, in, threads, class_boxes = graph_.shape(node.inputs[0]).rank() == 4, b = bind(boxes),
       s = bind(scores), there, w = bind(workspace), c = bind(counts), to = bind(result)](dnnl::stream&) {
        kernels::nms_cpu({.boxes = floats(b),
                          .scores = floats(s),
                          .counts = there ? static_cast<const int32_t*>(there.get_data_handle()) : nullptr,
                          .n = in[0],
                          .classes = in[1],
                          .count = in[2],
                          .class_boxes = class_boxes},
                         op, threads, w.get_data_handle(), floats(to),
                         static_cast<int32_t*>(c.get_data_handle()));
      },
      used);
  store(id, result);
  store(id, counts, 1);
}

}  // namespace tyto::cpu
