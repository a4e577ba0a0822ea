// What all single-shot detectors end in: heads joined, boxes decoded, detections selected.
#pragma once

#include <limits>
#include <string_view>
#include <vector>

#include "engine/networks/network.h"

namespace tyto {

// A project's own values for the options that every detector has.
struct SelectionDefaults {
  std::string_view scores = "softmax";  // or sigmoid
  std::string_view score_threshold = "0.01";
  std::string_view top_k = "0";  // candidates of a class, before suppression
  std::string_view iou_threshold = "0.45";
  std::string_view empty_union = "keep";  // or drop
  std::string_view max_per_class = "0";   // after suppression
  std::string_view max_detections = "0";
  std::string_view clip = "none";  // or before, after: of suppression
};
std::vector<OptionSpec> selection_options(const SelectionDefaults& defaults);

// One value a map: locations [N, anchors * 4, H, W] and logits [N, anchors * classes, H, W].
struct HeadMaps {
  std::vector<Value> locations, logits;
};

// The last convolutions of a head for a map with so many anchors a cell.
void append_head(Graph& g, HeadMaps& head, Value locations_from, const Weights& locations, Value logits_from,
                 const Weights& logits, int anchors, const Conv2d& op);

struct BoxCoding {
  float max_log_size = std::numeric_limits<float>::infinity();
  bool pixels = false;  // the anchors' unit: pixels of the input, else fractions of it
};

BoxCoding torchvision_coding();  // pixels; weights 10, 10, 5, 5; sizes at most 1000 / 16 of the anchor's

// Outputs `locations`, `logits` and `detections`, the last in pixels of the image [N, 3, H, W]. Error{Format}
// where the maps' heads were not made for one number of classes, Error{Usage} for options that make no sense.
// anchors: [P, 4]
NetworkOutputs finish_detector(Graph& g, const HeadMaps& head, const Tensor& anchors, const BoxCoding& coding,
                               const Options& options, Value image);

}  // namespace tyto
