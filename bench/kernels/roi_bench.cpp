// Pooling of regions: 300 proposals on VGG16's last map of a picture of 600 x 1000, and 1,000 on the four
// levels of a feature pyramid.
#include <algorithm>
#include <cmath>

#include "bench/kernels/kernel_case.h"
#include "bench/rpn_boxes.h"
#include "kernels/detection/roi_align.h"
#include "kernels/detection/roi_pool.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);
constexpr int kBins = 7;

// The maps that regions are pooled from, and the features that they give.
struct Pooling {
  std::vector<ChannelBlocks<const float>> blocks;
  std::vector<Nhwc<const float>> maps;
  Rois rois;
  RoiLevels levels;
  Map<float> features;
  double bytes = 0;
};

void add_map(Arrays& a, Pooling& p, const Shape& shape, float scale) {
  const auto map = a.input_map("map" + std::to_string(p.maps.size()), shape, numbers(shape.elements()));
  p.levels.scales[p.maps.size()] = scale;
  p.blocks.push_back(map.blocks);
  p.maps.push_back(map.nhwc);
  p.levels.count = static_cast<int>(p.maps.size());
  p.bytes += kFloat * static_cast<double>(map.elements());
}

void add_rois(Arrays& a, Pooling& p, const std::vector<float>& boxes) {
  const auto count = static_cast<int64_t>(boxes.size() / 4);
  p.rois = {.rows = a.input("rois", {1, count, 4}, boxes), .n = 1, .capacity = count};
  p.features = a.output_map("features", {count, p.maps[0].channels, kBins, kBins});
  p.bytes += kFloat * static_cast<double>(p.features.elements() + count * 4);
}

Pooling one_map(Arrays& a) {
  Pooling p;
  add_map(a, p, {1, 512, RpnBoxes::kRows, RpnBoxes::kColumns}, 1.0f / 16);
  add_rois(a, p, rpn_proposals(300));
  return p;
}

Pooling pyramid(Arrays& a) {
  Pooling p;
  for (const int64_t stride : {4, 8, 16, 32})
    add_map(a, p, {1, 256, 800 / stride, 1344 / stride}, 1 / static_cast<float>(stride));
  std::vector<float> boxes = rpn_proposals(1000);
  for (float& v : boxes) v *= 800 / RpnBoxes::kHeight;
  add_rois(a, p, boxes);
  return p;
}

// Cells that the bins of a region have along an axis, one bin's after the other.
double cells(float begin, float end, float scale, int64_t size) {
  const float first = std::round(begin * scale);
  const float part = std::max(std::round(end * scale) - first + 1, 1.0f) / kBins;
  double all = 0;
  for (int bin = 0; bin < kBins; ++bin) {
    const float from = std::floor(static_cast<float>(bin) * part) + first,
                to = std::ceil(static_cast<float>(bin + 1) * part) + first;
    const auto limit = static_cast<float>(size);
    all += double{std::clamp(to, 0.0f, limit)} - double{std::clamp(from, 0.0f, limit)};
  }
  return all;
}

Work pooled(Arrays& a) {
  const Pooling p = one_map(a);
  const std::vector<float> boxes = rpn_proposals(300);
  Work work;
  work.bytes = p.bytes;
  for (size_t i = 0; i < boxes.size(); i += 4)  // a comparison a cell of every bin
    work.operations += static_cast<double>(p.maps[0].channels) *
                       cells(boxes[i], boxes[i + 2], 1.0f / 16, p.maps[0].width) *
                       cells(boxes[i + 1], boxes[i + 3], 1.0f / 16, p.maps[0].height);
  const RoiPool params = {kBins, kBins, p.levels};
  work.cpu = [=] { roi_pool_cpu(p.blocks, p.rois, params, p.features.blocks, nullptr); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { roi_pool<float>(p.maps, p.rois, params, p.features.nhwc, nullptr, s); };
  return work;
}

Work aligned(const Pooling& p) {
  Work work;
  work.bytes = p.bytes;
  // Of each of a bin's four samples four products, three sums, and one more to add it.
  work.operations = 4.0 * 8 * static_cast<double>(p.features.elements());
  const RoiAlign params = {.height = kBins, .width = kBins, .levels = p.levels};
  work.cpu = [=] { roi_align_cpu(p.blocks, p.rois, params, p.features.blocks); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { roi_align<float>(p.maps, p.rois, params, p.features.nhwc, s); };
  return work;
}

}  // namespace

void add_roi_cases(Cases& cases) {
  cases.push_back({"roi_pool/300_of_512x37x62", pooled});
  cases.push_back({"roi_align/300_of_512x37x62", [](Arrays& a) { return aligned(one_map(a)); }});
  cases.push_back({"roi_align/1000_of_pyramid", [](Arrays& a) { return aligned(pyramid(a)); }});
}

}  // namespace tyto::bench
