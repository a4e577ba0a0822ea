// What detectors of two stages share (Ren et al., NIPS 2015): proposals of a region proposal network, and
// detections in what is pooled from them.
#pragma once

#include <string_view>
#include <vector>

#include "engine/networks/network.h"
#include "kernels/detection/anchor_grid.h"
#include "kernels/detection/boxes.h"

namespace tyto {

// A project's own values for the options that all have.
struct TwoStageDefaults {
  std::string_view pre_nms, post_nms, rpn_iou_threshold = "0.7";
  std::string_view score_threshold, iou_threshold, max_detections;
};
std::vector<OptionSpec> two_stage_options(const TwoStageDefaults& defaults);

// The region proposal network's maps, one a level: locations [N, anchors * 4, H, W] and logits [N, anchors *
// values, H, W].
struct ProposalMaps {
  std::vector<Value> locations, logits;
  int values = 1;  // logits an anchor: of an object, or of background and object
};

struct ProposalRule {
  kernels::BoxCoding coding;
  kernels::AnchorGrid grid;
  float min_size_before = 0;  // DecodeProposals::min_size: before the best are taken
  float min_size_after = 0;   // Nms::min_size: of the best
  float score_threshold = 0;  // a proposal's probability is this at least
};

// Rows as nms() gives them: x1, y1, x2, y2 in pixels of the network's input, probability, level + 1.
struct Proposals {
  Value locations, logits;  // [N, P, 4], [N, P, values]
  Value rows;               // [N, post_nms, 6], counted
};
Proposals propose(Graph& g, const ProposalMaps& maps, const ProposalRule& rule, const Options& options,
                  Value sizes);

struct DetectionRule {
  kernels::BoxCoding coding;
  bool one_scale = false;  // DecodeRois::one_scale
  float min_size = 0;      // Nms::min_size
  float score_threshold = 0;
};

// The end of the head: `x`, rows [N, R, width], to each region's logits and locations, and `detections`.
// Names: the layers under w. Outputs `rpn_locations`, `rpn_logits`, `proposals`, `roi_features`, `locations`
// [N, R, classes, 4], `logits` [N, R, classes] and `detections`, the boxes in pixels of the network's input.
struct HeadLayers {
  Weights locations, logits;
};
NetworkOutputs finish_two_stage(Graph& g, const Proposals& proposals, Value roi_features, Value x,
                                const HeadLayers& layers, const DetectionRule& rule, const Options& options,
                                Value sizes);

// torchvision's coding of boxes: sizes at most 1000 / 16 of the reference's. weights: torchvision's, 10, 10,
// 5, 5 say.
kernels::BoxCoding torchvision_box_coding(const std::array<float, 4>& weights);

}  // namespace tyto
