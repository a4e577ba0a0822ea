// The head of a detector: from maps to boxes, all in F32 and row-major.
#include <array>

#include "engine/cuda/lowering.h"
#include "kernels/detection/concat_maps.h"

namespace tyto::cuda {

void Lowering::lower(const ConcatMaps&, const Node& node, int id) {
  std::vector<TensorRef> maps;
  for (Value in : node.inputs) {
    maps.push_back(stored(in));
    watch(maps.back(), graph_.node(in).name);
  }
  const TensorRef rows = new_tensor(node);
  std::vector<TensorRef> used = maps;
  used.push_back(rows);
  add_step(node, "tyto", used, [=, m = addresses_](cudaStream_t s) {
    with_element_type(maps.front().type, [&]<class T>() {
      std::vector<kernels::Nhwc<const T>> views;
      for (const TensorRef& map : maps) views.push_back(m->images<const T>(map));
      kernels::concat_maps<T>(views, m->at<float>(rows), s);
    });
  });
  store(id, rows);
}

void Lowering::lower(const DecodeBoxes& op, const Node& node, int id) {
  const TensorRef offsets = stored(node.inputs[0]), boxes = new_tensor(node);
  const DeviceBuffer* anchors = pack(node.weights[0], DType::F32);
  add_step(node, "tyto", std::array{offsets, boxes}, [=, m = addresses_](cudaStream_t s) {
    kernels::decode_boxes(m->at<const float>(offsets), reinterpret_cast<const float*>(anchors->data()),
                          boxes.shape[0], boxes.shape[1], op, m->at<float>(boxes), s);
  });
  store(id, boxes);
}

void Lowering::lower(const ClassScores& op, const Node& node, int id) {
  const TensorRef logits = stored(node.inputs[0]), scores = new_tensor(node);
  add_step(node, "tyto", std::array{logits, scores}, [=, m = addresses_](cudaStream_t s) {
    const Shape& in = logits.shape;
    kernels::class_scores(m->at<const float>(logits), in[0], in[1], in[2], op, m->at<float>(scores), s);
  });
  store(id, scores);
}

void Lowering::lower(const Nms& op, const Node& node, int id) {
  const TensorRef boxes = stored(node.inputs[0]), scores = stored(node.inputs[1]);
  const Shape& in = scores.shape;
  const TensorRef workspace = scratch(kernels::nms_workspace_cuda(op, in[0], in[1], in[2]));
  const TensorRef rows = new_tensor(node), counts = new_tensor(node.results[1]);
  std::vector<TensorRef> used = {boxes, scores, workspace, counts, rows};
  const bool counted = node.inputs.size() > 2;
  const TensorRef there = counted ? stored(node.inputs[2]) : TensorRef{};
  if (counted) used.push_back(there);
  add_step(node, "tyto", used, [=, m = addresses_](cudaStream_t s) {
    kernels::nms({.boxes = m->at<const float>(boxes),
                  .scores = m->at<const float>(scores),
                  .counts = counted ? m->at<const int32_t>(there) : nullptr,
                  .n = scores.shape[0],
                  .classes = scores.shape[1],
                  .count = scores.shape[2],
                  .class_boxes = boxes.shape.rank() == 4},
                 op, m->at(workspace), m->at<float>(rows), m->at<int32_t>(counts), s);
  });
  store(id, rows);
  store(id, counts, 1);
}

}  // namespace tyto::cuda
