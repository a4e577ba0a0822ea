// What two-stage detectors have between their networks: proposals, and features and boxes of regions. Boxes,
// scores and sizes are F32 and row-major.
#include <array>

#include "engine/cpu/lowering.h"

namespace tyto::cpu {
namespace {

const int32_t* integers(const memory& m) { return static_cast<const int32_t*>(m.get_data_handle()); }

}  // namespace

void Lowering::lower(const DecodeProposals& op, const Node& node, int id) {
  const TensorRef offsets = rows(node.inputs[0]), logits = rows(node.inputs[1]), sizes = rows(node.inputs[2]);
  const TensorRef scores = new_tensor(plain(node.results[1])), boxes = new_tensor(plain(node.results[0]));
  add_step(
      {node.name, "decode_proposals", "tyto", layout_name(boxes.layout), node.shape()},
      [op, n = node.shape()[0], values = static_cast<int>(graph_.shape(node.inputs[1])[2]), o = bind(offsets),
       l = bind(logits), z = bind(sizes), s = bind(scores), b = bind(boxes)](dnnl::stream&) {
        kernels::decode_proposals_cpu(floats(o), floats(l), floats(z), n, values, op, floats(b), floats(s));
      },
      std::array{offsets, logits, sizes, scores, boxes});
  store(id, boxes);
  store(id, scores, 1);
}

// Features are channels last, as the linear layer behind reads them.
void Lowering::pool_rois(const Node& node, int id, RoiKernel kernel) {
  const TensorRef rois = rows(node.inputs[0]);
  std::vector<TensorRef> used = {rois};
  std::vector<memory> maps;
  std::vector<kernels::ChannelBlocks<const float>> views;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    used.push_back(as_blocks(node.inputs[i]));
    maps.push_back(bind(used.back()));
    views.push_back(as_const(blocks(used.back())));
  }
  const Shape& shape = graph_.shape(node.inputs[0]);
  kernels::Rois regions = {.stride = static_cast<int>(shape[2]), .n = shape[0], .capacity = shape[1]};
  memory counts;
  if (const auto number = counted(node.inputs[0])) {
    used.push_back(number->counts);
    counts = bind(number->counts);
  }
  const TensorRef result =
      new_tensor(described(node.shape(), memory::data_type::f32, memory::format_tag::nhwc));
  used.push_back(result);
  add_step(
      {node.name, std::string(name_of(node.op)), "tyto", layout_name(result.layout), node.shape()},
      [maps = std::move(maps), views = std::move(views), regions, counts, r = bind(rois), y = bind(result),
       features = blocks(result), kernel = std::move(kernel)](dnnl::stream&) mutable {
        for (size_t k = 0; k < maps.size(); ++k) views[k].data = floats(maps[k]);
        regions.rows = floats(r);
        if (counts) regions.counts = integers(counts);
        features.data = floats(y);
        kernel(views, regions, features);
      },
      used);
  store(id, result);
}

void Lowering::lower(const RoiPool& op, const Node& node, int id) {
  pool_rois(node, id, [op](auto maps, const auto& rois, const auto& features) {
    kernels::roi_pool_cpu(maps, rois, op, features, nullptr);
  });
}

void Lowering::lower(const RoiAlign& op, const Node& node, int id) {
  pool_rois(node, id, [op](auto maps, const auto& rois, const auto& features) {
    kernels::roi_align_cpu(maps, rois, op, features);
  });
}

void Lowering::lower(const DecodeRois& op, const Node& node, int id) {
  const TensorRef offsets = rows(node.inputs[0]), rois = rows(node.inputs[1]), sizes = rows(node.inputs[2]);
  const TensorRef boxes = new_tensor(plain(node.result()));
  std::vector<TensorRef> used = {offsets, rois, sizes};
  memory counts;
  if (const auto number = counted(node.inputs[1])) {
    used.push_back(number->counts);
    counts = bind(number->counts);
  }
  used.push_back(boxes);
  const Shape& shape = graph_.shape(node.inputs[1]);
  add_step(
      {node.name, "decode_rois", "tyto", layout_name(boxes.layout), node.shape()},
      [op, regions = kernels::Rois{.stride = static_cast<int>(shape[2]), .n = shape[0], .capacity = shape[1]},
       classes = graph_.shape(node.inputs[0])[2], counts, o = bind(offsets), r = bind(rois), z = bind(sizes),
       b = bind(boxes)](dnnl::stream&) mutable {
        regions.rows = floats(r);
        if (counts) regions.counts = integers(counts);
        kernels::decode_rois_cpu(floats(o), regions, floats(z), classes, op, floats(b));
      },
      used);
  store(id, boxes);
}

}  // namespace tyto::cpu
