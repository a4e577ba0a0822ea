#include <tyto_losses.h>

#include "c_interface/sample_builder.h"

namespace tyto {
namespace {

constexpr int64_t kRows = 6, kWidth = 5, kClasses = 3, kBatch = 2, kPriors = 6, kCapacity = 2, kSamples = 4;

const std::vector<double> kBoxes = {0.1, 0.1, 0.3, 0.35, 0.3, 0.5, 0.7, 0.9,
                                    0.6, 0.4, 0.9, 0.9,  0,   0,   0.4, 0.4};
const std::vector<double> kCorners = {0.1, 0.1, 0.3, 0.3, 0.4, 0.1, 0.6, 0.3, 0.3, 0.4, 0.7, 0.9,
                                      0.6, 0.5, 0.9, 0.8, 0,   0,   0.5, 0.5, 0.5, 0.5, 1,   1};
const std::vector<int32_t> kLabels = {0, 1, 0, 1, 2, 2}, kModalities = {0, 0, 1, 1, 0, 1};

template <class B>
void add_features(B& b) {
  b.size("rows", b->rows, kRows).size("width", b->width, kWidth);
  b.in("features", b->features, waves(kRows * kWidth, 0.37)).integers("labels", b->labels, kLabels);
}

template <class B>
void add_rows(B& b) {
  add_features(b);
  b.gradient("gradient", b->gradient, kRows * kWidth);
}

template <class B>
void add_multibox(B& b) {
  b.size("batch", b->batch, kBatch).size("priors", b->priors, kPriors).size("classes", b->classes, kClasses);
  b.size("capacity", b->capacity, kCapacity);
  b.in("locations", b->locations, waves(kBatch * kPriors * 4, 0.3));
  b.in("logits", b->logits, waves(kBatch * kPriors * kClasses, 0.7));
  b.reals("prior_boxes", b->prior_boxes, {0.2, 0.2, 0.3, 0.3, 0.5, 0.2, 0.3, 0.3, 0.8, 0.2, 0.3, 0.3,
                                          0.2, 0.7, 0.4, 0.5, 0.5, 0.7, 0.4, 0.5, 0.8, 0.7, 0.4, 0.5});
  b.reals("boxes", b->boxes, kBoxes);
  b.integers("box_classes", b->box_classes, {0, 1, 1, 0}).integers("box_counts", b->box_counts, {2, 1}, true);
  b.gradient("locations_gradient", b->locations_gradient, kBatch * kPriors * 4);
  b.gradient("logits_gradient", b->logits_gradient, kBatch * kPriors * kClasses);
}

}  // namespace

std::vector<Sample> samples(int32_t elements) {
  std::vector<Sample> all;
#define TYTO_ROWS(loss)                    \
  {                                        \
    auto b = TYTO_BUILDER(loss, elements); \
    add_rows(b);                           \
    all.push_back(b.take());               \
  }
  TYTO_ROWS(tyto_circle_loss) {
    auto b = TYTO_BUILDER(tyto_cross_entropy, elements);
    b.size("rows", b->rows, kRows).size("classes", b->classes, kClasses).size("parts", b->parts, 2);
    b.in("logits", b->logits, waves(2 * kRows * kClasses, 0.7)).integers("labels", b->labels, kLabels);
    b.gradient("gradient", b->gradient, 2 * kRows * kClasses);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_symmetric_kl, elements);
    b.size("rows", b->rows, kRows).size("classes", b->classes, kClasses);
    b.in("first", b->first, waves(kRows * kClasses, 0.7));
    b.in("second", b->second, waves(kRows * kClasses, 0.4));
    b.gradient("gradient", b->gradient, kRows * kClasses);
    b.gradient("second_gradient", b->second_gradient, kRows * kClasses);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_center_loss, elements);
    add_rows(b);
    b.size("classes", b->classes, kClasses);
    b.in("centers", b->centers, waves(kClasses * kWidth, 0.2));
    b.gradient("centers_gradient", b->centers_gradient, kClasses * kWidth);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_update_centers, elements);
    add_features(b);
    b.size("classes", b->classes, kClasses);
    b.in("centers", b->centers, waves(kClasses * kWidth, 0.2));
    all.push_back(b.take());
    all.back().arrays.back().output = true;
  }
  {
    auto b = TYTO_BUILDER(tyto_hetero_center_loss, elements);
    add_rows(b);
    b.integers("modalities", b->modalities, kModalities);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_hetero_center_triplet_loss, elements);
    add_rows(b);
    b.integers("modalities", b->modalities, kModalities);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_cmdc_loss, elements);
    add_rows(b);
    b.size("classes", b->classes, kClasses).integers("modalities", b->modalities, kModalities, true);
    b.in("learned", b->learned, waves(kClasses * kWidth, 0.2));
    b.gradient("learned_gradient", b->learned_gradient, kClasses * kWidth);
    b->centers = TYTO_CENTERS_LEARNED;
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_identity_and_cmdc_loss, elements);
    add_rows(b);
    b.size("classes", b->classes, kClasses).integers("modalities", b->modalities, kModalities);
    b.in("logits", b->logits, waves(kRows * kClasses, 0.7));
    b.gradient("logits_gradient", b->logits_gradient, kRows * kClasses);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_multibox_loss, elements);
    add_multibox(b);
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_multibox_distillation_loss, elements);
    add_multibox(b);
    b.in("teacher_locations", b->teacher_locations, waves(kBatch * kPriors * 4, 0.2));
    b.in("teacher_logits", b->teacher_logits, waves(kBatch * kPriors * kClasses, 0.9));
    all.push_back(b.take());
  }
  {
    auto b = TYTO_BUILDER(tyto_faster_rcnn_loss, elements);
    b.size("anchors", b->anchors, kRows).size("rois", b->rois, kRows).size("classes", b->classes, kClasses);
    b.in("anchor_locations", b->anchor_locations, waves(kRows * 4, 0.3));
    b.in("anchor_logits", b->anchor_logits, waves(kRows * 2, 0.7));
    b.integers("anchor_labels", b->anchor_labels, {0, 1, -1, 1, 0, 0});
    b.reals("anchor_targets", b->anchor_targets, waves(kRows * 4, 0.4));
    b.in("roi_locations", b->roi_locations, waves(kRows * kClasses * 4, 0.3));
    b.in("roi_logits", b->roi_logits, waves(kRows * kClasses, 0.7));
    b.integers("roi_labels", b->roi_labels, {2, 1, 0, -1, 1, 0});
    b.reals("roi_targets", b->roi_targets, waves(kRows * 4, 0.4));
    b.gradient("anchor_locations_gradient", b->anchor_locations_gradient, kRows * 4);
    b.gradient("anchor_logits_gradient", b->anchor_logits_gradient, kRows * 2);
    b.gradient("roi_locations_gradient", b->roi_locations_gradient, kRows * kClasses * 4);
    b.gradient("roi_logits_gradient", b->roi_logits_gradient, kRows * kClasses);
    all.push_back(b.take());
  }
  if (elements == TYTO_DOUBLE || elements == TYTO_FLOAT) {
    {
      auto b = TYTO_BUILDER(tyto_anchor_targets, elements);
      b.size("batch", b->batch, kBatch)
          .size("anchors", b->anchors, kPriors)
          .size("capacity", b->capacity, kCapacity);
      b.reals("anchor_boxes", b->anchor_boxes, kCorners).reals("boxes", b->boxes, kBoxes);
      b.integers("box_counts", b->box_counts, {2, 1}, true)
          .reals("image_sizes", b->image_sizes, {1, 1, 0.9, 1});
      b.out("labels", b->labels, kBatch * kPriors, kInteger, false);
      b.out("locations", b->locations, kBatch * kPriors * 4, elements, true);
      all.push_back(b.take());
    }
    {
      auto b = TYTO_BUILDER(tyto_proposal_targets, elements);
      b.size("batch", b->batch, kBatch).size("region_capacity", b->region_capacity, kPriors / 2);
      b.size("capacity", b->capacity, kCapacity);
      b->samples = kSamples;
      b.reals("regions", b->regions, kCorners).integers("region_counts", b->region_counts, {3, 2}, true);
      b.reals("boxes", b->boxes, kBoxes).integers("box_classes", b->box_classes, {0, 1, 1, 0});
      b.integers("box_counts", b->box_counts, {2, 1}, true);
      b.out("rois", b->rois, kBatch * kSamples * 4, elements, false);
      b.out("labels", b->labels, kBatch * kSamples, kInteger, false);
      b.out("locations", b->locations, kBatch * kSamples * 4, elements, false);
      b.out("counts", b->counts, kBatch, kInteger, false);
      all.push_back(b.take());
    }
  }
  return all;
}

}  // namespace tyto
