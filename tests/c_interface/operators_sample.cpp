#include <tyto_operators.h>

#include "c_interface/sample_builder.h"

namespace tyto {
namespace {

constexpr int64_t kBatch = 2, kHeads = 2, kQueries = 3, kKeys = 5, kDepth = 4, kWidth = 3;
constexpr int64_t kPositions = 6, kChannels = 5;
constexpr int64_t kImages = 2, kHeight = 4, kColumns = 5, kRegions = 4, kBins = 6;
constexpr int64_t kCount = 6, kClasses = 2, kCapacity = 4;

template <class B>
void add_attention(B& b) {
  b.size("batch", b->batch, kBatch).size("heads", b->heads, kHeads).size("queries", b->queries, kQueries);
  b.size("keys", b->keys, kKeys).size("depth", b->depth, kDepth).size("width", b->width, kWidth);
  b.size("bias_batch", b->bias_batch, 1).size("bias_heads", b->bias_heads, kHeads);
  b.size("mask_batch", b->mask_batch, kBatch).size("mask_queries", b->mask_queries, kQueries);
  // Queries stand in wider rows.
  b.size("q_stride", b->q_stride, kHeads * kDepth + 2).size("k_stride", b->k_stride, kHeads * kDepth);
  b.size("v_stride", b->v_stride, kHeads * kWidth).size("y_stride", b->y_stride, kHeads * kWidth);
  b.in("q", b->q, waves(kBatch * kQueries * (kHeads * kDepth + 2), 0.7));
  b.in("k", b->k, waves(kBatch * kKeys * kHeads * kDepth, 0.3));
  b.in("v", b->v, waves(kBatch * kKeys * kHeads * kWidth, 0.9));
}
std::vector<int32_t> mask() {
  std::vector<int32_t> values(kBatch * kQueries * kKeys, 1);
  for (size_t i = 0; i < values.size(); i += 4) values[i] = 0;
  return values;
}

template <class B>
void add_positions(B& b, int32_t layout) {
  b->layout = layout;
  b.size("batch", b->batch, kBatch).size("positions", b->positions, kPositions);
  b.size("depth", b->depth, kDepth).size("channels", b->channels, kChannels);
  b.in("q", b->q, waves(kBatch * kPositions * kDepth, 0.7));
  b.in("k", b->k, waves(kBatch * kPositions * kDepth, 0.3));
  b.in("v", b->v, waves(kBatch * kPositions * kChannels, 0.9));
  b.reals("gamma", b->gamma, {0.75});
}

// The third is of no image.
const std::vector<double> kRois = {1, 0, 1, 8, 7, 0, 2, 2, 5, 6, -1, 0, 0, 9, 9, 1, 3, 0.5, 30, 9};

template <class Desc>
void set_regions(Desc& d, int32_t layout) {
  d.layout = layout;
  d.spatial_scale = 0.5;
  d.images = kImages, d.channels = kChannels, d.height = kHeight, d.width = kColumns;
  d.regions = kRegions, d.rows = 2, d.columns = 3;
}
template <class B>
void add_regions(B& b, int32_t layout) {
  set_regions(*b.operator->(), layout);
  b.size("images", b->images, kImages).size("channels", b->channels, kChannels);
  b.size("height", b->height, kHeight)
      .size("width", b->width, kColumns)
      .size("regions", b->regions, kRegions);
  b.size("rows", b->rows, 2).size("columns", b->columns, 3);
  b.reals("rois", b->rois, kRois);
}
constexpr int64_t kMaps = kImages * kHeight * kColumns * kChannels, kFeatures = kRegions * kBins * kChannels;

// As the pooling leaves it.
std::vector<int32_t> argmax() {
  tyto_roi_pool_desc pool;
  tyto_roi_pool_defaults(&pool, sizeof pool);
  set_regions(pool, TYTO_OPERATORS_CHANNELS_LAST);
  pool.elements = TYTO_FLOAT;
  const std::vector<double> values = waves(kMaps, 0.7);
  const std::vector<float> maps(values.begin(), values.end()), rois(kRois.begin(), kRois.end());
  std::vector<float> features(kFeatures);
  std::vector<int32_t> found(kFeatures);
  pool.maps = maps.data(), pool.rois = rois.data(), pool.features = features.data(),
  pool.argmax = found.data();
  size_t bytes = 0;
  tyto_roi_pool_workspace(&pool, &bytes, nullptr, 0);
  std::vector<char> workspace(bytes);
  tyto_roi_pool(&pool, workspace.data(), bytes, nullptr, nullptr, 0);
  return found;
}

}  // namespace

std::vector<Sample> samples(int32_t elements) {
  std::vector<Sample> all;
  if (elements == TYTO_DOUBLE) return all;
  {
    auto b = TYTO_BUILDER(tyto_attention, elements);
    b.options(offsetof(tyto_attention_desc, scale));
    add_attention(b);
    b.in("bias", b->bias, waves(kHeads * kQueries * kKeys, 0.5));
    b.optional();
    b.integers("mask", b->mask, mask(), true);
    b.out("y", b->y, kBatch * kQueries * kHeads * kWidth, elements, false);
    b.out("maximum", b->maximum, kBatch * kHeads * kQueries, TYTO_FLOAT, true);
    b.out("sum", b->sum, kBatch * kHeads * kQueries, TYTO_FLOAT, true);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_attention_backward, elements);
    b.options(offsetof(tyto_attention_backward_desc, scale));
    add_attention(b);
    b.in("bias", b->bias, waves(kHeads * kQueries * kKeys, 0.5));
    b.integers("mask", b->mask, mask(), true);
    b.reals("maximum", b->maximum, std::vector<double>(kBatch * kHeads * kQueries, 1.5));
    b.reals("sum", b->sum, std::vector<double>(kBatch * kHeads * kQueries, 2.5));
    b.in("y_gradient", b->y_gradient, waves(kBatch * kQueries * kHeads * kWidth, 1.1));
    b.gradient("q_gradient", b->q_gradient, kBatch * kQueries * (kHeads * kDepth + 2));
    b.gradient("k_gradient", b->k_gradient, kBatch * kKeys * kHeads * kDepth);
    b.gradient("v_gradient", b->v_gradient, kBatch * kKeys * kHeads * kWidth);
    b.out("bias_gradient", b->bias_gradient, kHeads * kQueries * kKeys, TYTO_FLOAT, true);
    all.push_back(b.take());
  }
  for (const int32_t layout : {TYTO_OPERATORS_CHANNELS_LAST, TYTO_OPERATORS_CHANNELS_FIRST}) {
    const bool last = layout == TYTO_OPERATORS_CHANNELS_LAST;
    {
      auto b = TYTO_BUILDER(tyto_position_attention, elements);
      b.options(offsetof(tyto_position_attention_desc, layout));
      add_positions(b, layout);
      b.in("x", b->x, waves(kBatch * kPositions * kChannels, 1.3));
      b.out("y", b->y, kBatch * kPositions * kChannels, elements, false);
      b.out("maximum", b->maximum, kBatch * kPositions, TYTO_FLOAT, true);
      b.out("sum", b->sum, kBatch * kPositions, TYTO_FLOAT, true);
      all.push_back(b.take());
    }
    {
      auto b = TYTO_BUILDER(tyto_position_attention_backward, elements);
      b.options(offsetof(tyto_position_attention_backward_desc, layout));
      add_positions(b, layout);
      b.reals("maximum", b->maximum, std::vector<double>(kBatch * kPositions, 1.5));
      b.reals("sum", b->sum, std::vector<double>(kBatch * kPositions, 2.5));
      b.in("y_gradient", b->y_gradient, waves(kBatch * kPositions * kChannels, 1.1));
      b.gradient("q_gradient", b->q_gradient, kBatch * kPositions * kDepth);
      b.gradient("k_gradient", b->k_gradient, kBatch * kPositions * kDepth);
      b.gradient("v_gradient", b->v_gradient, kBatch * kPositions * kChannels);
      b.out("gamma_gradient", b->gamma_gradient, 1, TYTO_FLOAT, true);
      all.push_back(b.take());
    }
    {
      auto b = TYTO_BUILDER(tyto_roi_pool, elements);
      b.options(offsetof(tyto_roi_pool_desc, layout));
      add_regions(b, layout);
      b.in("maps", b->maps, waves(kMaps, 0.7));
      b.out("features", b->features, kFeatures, elements, false);
      // Of channels first its order is each device's own.
      if (last) b.out("argmax", b->argmax, kFeatures, kInteger, true);
      all.push_back(b.take());
    }
    if (last) {
      auto b = TYTO_BUILDER(tyto_roi_pool_backward, elements);
      b.options(offsetof(tyto_roi_pool_backward_desc, layout));
      add_regions(b, layout);
      b.integers("argmax", b->argmax, argmax());
      b.in("features_gradient", b->features_gradient, waves(kFeatures, 0.9));
      b.out("maps_gradient", b->maps_gradient, kMaps, elements, false);
      all.push_back(b.take());
    }
    {
      auto b = TYTO_BUILDER(tyto_roi_align, elements);
      b.options(offsetof(tyto_roi_align_desc, layout));
      add_regions(b, layout);
      b->sampling_ratio = last ? 2 : 0;
      b->aligned = last;
      b.in("maps", b->maps, waves(kMaps, 0.7));
      b.out("features", b->features, kFeatures, elements, false);
      all.push_back(b.take());
    }
    {
      auto b = TYTO_BUILDER(tyto_roi_align_backward, elements);
      b.options(offsetof(tyto_roi_align_backward_desc, layout));
      add_regions(b, layout);
      b->sampling_ratio = 2;
      b.in("features_gradient", b->features_gradient, waves(kFeatures, 0.9));
      b.out("maps_gradient", b->maps_gradient, kMaps, elements, false);
      all.push_back(b.take());
    }
  }
  {
    auto b = TYTO_BUILDER(tyto_nms, elements);
    b.options(offsetof(tyto_nms_desc, top_k));
    b.size("batch", b->batch, kBatch).size("classes", b->classes, kClasses).size("count", b->count, kCount);
    b.size("capacity", b->capacity, kCapacity);
    b->max_detections = kCapacity;
    std::vector<double> boxes;
    for (int i = 0; i < kBatch * kCount; ++i)
      boxes.insert(boxes.end(), {0.25 * (i % 3), 0.25 * (i % 2), 1 + 0.25 * (i % 5), 1 + 0.125 * (i % 4)});
    b.in("boxes", b->boxes, boxes).in("scores", b->scores, waves(kBatch * kClasses * kCount, 0.7));
    b.integers("counts", b->counts, {kCount, 4}, true);
    b.out("detections", b->detections, kBatch * kCapacity * 6, TYTO_FLOAT, false);
    b.out("kept", b->kept, kBatch * kCapacity, kInteger, true);
    b.out("found", b->found, kBatch, kInteger, false);
    all.push_back(b.take());
  }
  return all;
}

}  // namespace tyto
