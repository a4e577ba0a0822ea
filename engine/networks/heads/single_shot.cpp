#include "engine/networks/heads/single_shot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tyto {
namespace {

constexpr int kMaxBoxes = 1 << 20;
constexpr double kMaxComparisons = 2e9;  // of boxes of an image, in the worst case: some ten seconds

// Of all maps' heads; Error{Format} where they were not made for one number of classes.
int64_t count_classes(const Graph& g, const HeadMaps& head) {
  const auto weight = [&](size_t k) -> const Weight& { return g.node(head.logits[k]).weights[0]; };
  const auto described = [&](size_t k) {
    return fmt::format("'{}' is {}", weight(k).key(), weight(k).shape().str());
  };
  int64_t classes = 0;
  for (size_t k = 0; k < head.logits.size(); ++k) {
    const int64_t channels = g.channels(head.logits[k]), anchors = g.channels(head.locations[k]) / 4;
    if (channels % anchors != 0)
      throw Error(ErrorKind::Format, fmt::format("{}: {} channels are no multiple of {} anchors a cell",
                                                 described(k), channels, anchors));
    if (channels / anchors < 2)
      throw Error(
          ErrorKind::Format,
          fmt::format("{}: one class for {} anchors, which is the background alone", described(k), anchors));
    if (k > 0 && channels / anchors != classes)
      throw Error(ErrorKind::Format,
                  fmt::format("{} ({} classes), but {} ({} classes); the file mixes two heads", described(0),
                              classes, described(k), channels / anchors));
    classes = channels / anchors;
  }
  return classes;
}

// Suppression compares every candidate with every box kept before it; limits that allow hours of that are
// refused.
void check_work(const Nms& p, const ClassScores& scores, const Shape& shape) {
  const auto limited = [](int64_t count, int limit) {
    return static_cast<double>(limit > 0 ? std::min<int64_t>(count, limit) : count);
  };
  const double candidates = limited(shape[2], p.top_k),
               kept = std::min(candidates, limited(shape[2], p.max_per_class));
  double classes = static_cast<double>(shape[1]);  // that an anchor can score in
  if (scores.function == kernels::ScoreFunction::Softmax)
    classes = std::min(classes, 1 / double{p.score_threshold});
  if (classes * candidates * kept > kMaxComparisons)
    throw Error(ErrorKind::Usage, fmt::format("top_k={} and max_per_class={} allow {:.0e} comparisons of "
                                              "boxes an image ({} anchors, {} classes); "
                                              "lower one of them (0: all) or raise score_threshold={}",
                                              p.top_k, p.max_per_class, classes * candidates * kept, shape[2],
                                              shape[1], p.score_threshold));
}

}  // namespace

std::vector<OptionSpec> selection_options(const SelectionDefaults& d) {
  return {{"scores", d.scores, "softmax over all classes, or the sigmoid of each"},
          {"score_threshold", d.score_threshold, "a detection scores more"},
          {"top_k", d.top_k, "a class's candidates for suppression, the best; 0: all"},
          {"iou_threshold", d.iou_threshold, "a box that overlaps a better one of its class by more goes"},
          {"empty_union", d.empty_union,
           "of two boxes without area, whose overlap is 0 / 0: keep both or drop the second"},
          {"max_per_class", d.max_per_class, "detections of a class, the best; 0: all"},
          {"max_detections", d.max_detections, "detections of an image, the best; 0: all"},
          {"clip", d.clip, "boxes to the image, before or after suppression, or none"}};
}

void append_head(Graph& g, HeadMaps& head, Value locations_from, const Weights& locations, Value logits_from,
                 const Weights& logits, int anchors, const Conv2d& op) {
  head.locations.push_back(
      g.conv2d(locations_from, locations, op, Graph::Bias::Required, int64_t{4} * anchors));
  head.logits.push_back(g.conv2d(logits_from, logits, op, Graph::Bias::Required));
}

BoxCoding torchvision_coding() {
  return {.max_log_size = static_cast<float>(std::log(1000.0 / 16)), .pixels = true};
}

NetworkOutputs finish_detector(Graph& g, const HeadMaps& head, const Tensor& anchors, const BoxCoding& coding,
                               const Options& options, Value image) {
  const int64_t classes = count_classes(g, head);
  const Value locations = g.concat_maps("locations", head.locations, 4);
  const Value logits = g.concat_maps("logits", head.logits, static_cast<int>(classes));

  const auto height = static_cast<float>(g.shape(image)[2]), width = static_cast<float>(g.shape(image)[3]);
  const std::string clip = options.choice("clip", {"none", "before", "after"});
  DecodeBoxes decode;
  decode.coding.max_log_size = coding.max_log_size;
  decode.clip = clip == "before";
  decode.width = coding.pixels ? width : 1;
  decode.height = coding.pixels ? height : 1;

  ClassScores scores;
  scores.function = options.choice("scores", {"softmax", "sigmoid"}) == "softmax"
                        ? kernels::ScoreFunction::Softmax
                        : kernels::ScoreFunction::Sigmoid;

  Nms select;
  select.score_threshold = static_cast<float>(options.number("score_threshold", 0, 1));
  select.top_k = options.integer("top_k", 0, kMaxBoxes);
  select.iou_threshold = static_cast<float>(options.number("iou_threshold", 0, 1));
  select.empty_union = options.choice("empty_union", {"keep", "drop"}) == "keep" ? kernels::EmptyUnion::Keep
                                                                                 : kernels::EmptyUnion::Drop;
  select.max_per_class = options.integer("max_per_class", 0, kMaxBoxes);
  select.max_detections = options.integer("max_detections", 0, kMaxBoxes);
  select.clip = clip == "after";
  select.width = decode.width;
  select.height = decode.height;
  select.scale_x = coding.pixels ? 1 : width;
  select.scale_y = coding.pixels ? 1 : height;
  const Value probabilities = g.class_scores(logits, scores);
  check_work(select, scores, g.shape(probabilities));
  const Value detections =
      g.nms("detections", g.decode_boxes(locations, anchors, decode), probabilities, select);
  return {{{"locations", locations}, {"logits", logits}, {"detections", detections}}, Task::Detect, classes};
}

}  // namespace tyto
