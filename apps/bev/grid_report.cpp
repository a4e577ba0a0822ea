#include "apps/bev/grid_report.h"

#include <fmt/format.h>

#include "apps/console.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

std::string percent(double value) {
  return value < 0 ? fmt::format("{:>6}  ", "-") : fmt::format("{:6.2f} %", value * 100);
}

double mean_iou(const GridEvaluation& evaluation) {
  double sum = 0;
  int judged = 0;
  for (const GridOverlap& overlap : evaluation.overlaps) {
    if (overlap.iou() < 0) continue;
    sum += overlap.iou();
    ++judged;
  }
  return judged == 0 ? -1 : sum / judged;
}

}  // namespace

std::string grid_text(const GridEvaluation& e) {
  std::string text = fmt::format(
      "IoU of cells, summed over all samples as Lift-Splat-Shoot does: logit > {}, {}\n{} samples\n\n",
      e.threshold, e.truth, e.samples);
  text += fmt::format("{:24} {:>12} {:>12} {:>8}\n", "class", "labelled", "predicted", "IoU");
  for (size_t i = 0; i < e.classes.size(); ++i)
    text += fmt::format("{:24} {:12} {:12} {}\n", for_terminal(e.classes[i]), e.overlaps[i].labelled,
                        e.overlaps[i].predicted, percent(e.overlaps[i].iou()));
  if (e.classes.size() > 1) text += fmt::format("{:50} {}\n", "mean", percent(mean_iou(e)));
  return text;
}

std::string grid_json(const GridEvaluation& e) {
  using nlohmann::ordered_json;
  ordered_json j = {{"rule", "Lift-Splat-Shoot"},       {"truth", e.truth},
                    {"threshold", e.threshold},         {"samples", e.samples},
                    {"not_predicted", e.not_predicted}, {"mean_iou", mean_iou(e)},
                    {"classes", ordered_json::array()}};
  for (size_t i = 0; i < e.classes.size(); ++i) {
    const GridOverlap& overlap = e.overlaps[i];
    j["classes"].push_back({{"name", e.classes[i]},
                            {"iou", overlap.iou()},
                            {"intersection", overlap.intersection},
                            {"union", overlap.in_either()},
                            {"predicted", overlap.predicted},
                            {"labelled", overlap.labelled}});
  }
  return dump_json(j);
}

}  // namespace tyto::apps
