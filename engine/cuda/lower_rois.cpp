// What two-stage detectors have between their networks: proposals, and features and boxes of regions. Counts
// stay on the device: every step runs over the whole capacity.
#include <array>

#include "engine/cuda/lowering.h"

namespace tyto::cuda {
namespace {

// Regions as a step finds them.
kernels::Rois regions(const Addresses& m, const TensorRef& rows, const std::optional<TensorRef>& counts) {
  return {m.at<const float>(rows), static_cast<int>(rows.shape[2]),
          counts ? m.at<const int32_t>(*counts) : nullptr, rows.shape[0], rows.shape[1]};
}

}  // namespace

std::optional<TensorRef> Lowering::counts_of(Value v) const {
  const std::optional<Value> count = graph_.result(v).count;
  return count ? std::optional(stored(*count)) : std::nullopt;
}

void Lowering::lower(const DecodeProposals& op, const Node& node, int id) {
  const TensorRef offsets = stored(node.inputs[0]), logits = stored(node.inputs[1]),
                  sizes = stored(node.inputs[2]);
  const TensorRef scores = new_tensor(node.results[1]), boxes = new_tensor(node.results[0]);
  add_step(node, "tyto", std::array{offsets, logits, sizes, scores, boxes},
           [=, m = addresses_](cudaStream_t s) {
             kernels::decode_proposals(m->at<const float>(offsets), m->at<const float>(logits),
                                       m->at<const float>(sizes), boxes.shape[0],
                                       static_cast<int>(logits.shape[2]), op, m->at<float>(boxes),
                                       m->at<float>(scores), s);
           });
  store(id, boxes);
  store(id, scores, 1);
}

template <class Op, class Kernel>
void Lowering::pool_rois(const Op& op, const Node& node, int id, const Kernel& kernel) {
  const TensorRef rois = stored(node.inputs[0]), y = new_tensor(node);
  const std::optional<TensorRef> counts = counts_of(node.inputs[0]);
  std::vector<TensorRef> maps;
  for (size_t i = 1; i < node.inputs.size(); ++i) maps.push_back(stored(node.inputs[i]));
  std::vector<TensorRef> used = maps;
  used.push_back(rois);
  if (counts) used.push_back(*counts);
  used.push_back(y);
  add_step(node, "tyto", used, [=, m = addresses_](cudaStream_t s) {
    with_element_type(y.type, [&]<class T>() {
      std::vector<kernels::Nhwc<const T>> views;
      for (const TensorRef& map : maps) views.push_back(m->images<const T>(map));
      kernel(std::span<const kernels::Nhwc<const T>>(views), regions(*m, rois, counts), op, m->images<T>(y),
             s);
    });
  });
  store(id, y);
}

void Lowering::lower(const RoiPool& op, const Node& node, int id) {
  pool_rois(op, node, id,
            []<class T>(std::span<const kernels::Nhwc<const T>> maps, const kernels::Rois& rois,
                        const RoiPool& p, const kernels::Nhwc<T>& features,
                        cudaStream_t s) { kernels::roi_pool<T>(maps, rois, p, features, nullptr, s); });
}

void Lowering::lower(const RoiAlign& op, const Node& node, int id) {
  pool_rois(op, node, id,
            []<class T>(std::span<const kernels::Nhwc<const T>> maps, const kernels::Rois& rois,
                        const RoiAlign& p, const kernels::Nhwc<T>& features,
                        cudaStream_t s) { kernels::roi_align<T>(maps, rois, p, features, s); });
}

void Lowering::lower(const DecodeRois& op, const Node& node, int id) {
  const TensorRef offsets = stored(node.inputs[0]), rois = stored(node.inputs[1]),
                  sizes = stored(node.inputs[2]), boxes = new_tensor(node);
  const std::optional<TensorRef> counts = counts_of(node.inputs[1]);
  std::vector<TensorRef> used = {offsets, rois, sizes};
  if (counts) used.push_back(*counts);
  used.push_back(boxes);
  add_step(node, "tyto", used, [=, m = addresses_](cudaStream_t s) {
    kernels::decode_rois(m->at<const float>(offsets), regions(*m, rois, counts), m->at<const float>(sizes),
                         offsets.shape[2], op, m->at<float>(boxes), s);
  });
  store(id, boxes);
}

}  // namespace tyto::cuda
