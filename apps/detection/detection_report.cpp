#include "apps/detection/detection_report.h"

#include <fmt/format.h>

#include <array>

#include "apps/console.h"
#include "apps/outputs.h"
#include "files/file.h"
#include "files/json.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

std::string percent(double value) {
  return value < 0 ? fmt::format("{:>6}  ", "-") : fmt::format("{:6.2f} %", value * 100);
}

struct NamedNumber {
  const char* key;
  const char* what;
  double CocoMetrics::*value;
};
constexpr std::array<NamedNumber, 12> kCocoNumbers = {{
    {"ap", "AP    IoU 0.50:0.95", &CocoMetrics::ap},
    {"ap50", "AP    IoU 0.50", &CocoMetrics::ap50},
    {"ap75", "AP    IoU 0.75", &CocoMetrics::ap75},
    {"ap_small", "AP    small", &CocoMetrics::ap_small},
    {"ap_medium", "AP    medium", &CocoMetrics::ap_medium},
    {"ap_large", "AP    large", &CocoMetrics::ap_large},
    {"ar1", "AR    1 detection an image", &CocoMetrics::ar1},
    {"ar10", "AR    10 detections", &CocoMetrics::ar10},
    {"ar100", "AR    100 detections", &CocoMetrics::ar100},
    {"ar_small", "AR    small", &CocoMetrics::ar_small},
    {"ar_medium", "AR    medium", &CocoMetrics::ar_medium},
    {"ar_large", "AR    large", &CocoMetrics::ar_large},
}};

int64_t objects_in(const std::vector<CocoClassMetrics>& classes) {
  int64_t sum = 0;
  for (const CocoClassMetrics& c : classes) sum += c.objects;
  return sum;
}

struct VocTotals {
  int64_t objects = 0, difficult = 0;
};

VocTotals totals(const std::vector<VocClassMetrics>& classes) {
  VocTotals sum;
  for (const VocClassMetrics& c : classes) {
    sum.objects += c.objects;
    sum.difficult += c.difficult;
  }
  return sum;
}

}  // namespace

std::string coco_text(const CocoMetrics& metrics, const CocoAnnotations& annotations, int64_t detections) {
  std::string text =
      fmt::format("COCO: boxes, 100 detections an image and class\n{} images, {} objects, {} detections\n\n",
                  annotations.images.size(), objects_in(metrics.classes), detections);
  for (const NamedNumber& n : kCocoNumbers)
    text += fmt::format("{:28} {}\n", n.what, percent(metrics.*n.value));
  text += fmt::format("\n{:24} {:>8} {:>8} {:>8}\n", "class", "objects", "AP", "AP50");
  for (size_t i = 0; i < metrics.classes.size(); ++i) {
    const CocoClassMetrics& c = metrics.classes[i];
    if (c.objects > 0)
      text += fmt::format("{:24} {:8} {} {}\n", for_terminal(annotations.categories[i].shown()), c.objects,
                          percent(c.ap), percent(c.ap50));
  }
  return text;
}

std::string coco_json(const CocoMetrics& metrics, const CocoAnnotations& annotations, int64_t detections) {
  ordered_json j = {{"rule", "COCO"},
                    {"images", annotations.images.size()},
                    {"objects", objects_in(metrics.classes)},
                    {"detections", detections}};
  for (const NamedNumber& n : kCocoNumbers) j[n.key] = metrics.*n.value;
  j["classes"] = ordered_json::array();
  for (size_t i = 0; i < metrics.classes.size(); ++i) {
    const CocoClassMetrics& c = metrics.classes[i];
    j["classes"].push_back({{"id", ordered_json::parse(json_of(annotations.categories[i].id))},
                            {"name", annotations.categories[i].name},
                            {"objects", c.objects},
                            {"ap", c.ap},
                            {"ap50", c.ap50}});
  }
  return dump_json(j);
}

std::string voc_text(const VocMetrics& metrics, const VocAnnotations& annotations, const VocRule& rule,
                     int64_t detections) {
  const auto [objects, difficult] = totals(metrics.classes);
  std::string text = fmt::format(
      "PASCAL VOC{}: boxes as {} reads them, IoU {} 0.5\n{} images, {} objects and {} difficult, {} "
      "detections\n\n",
      annotations.split.empty() ? "" : ", " + annotations.split, rule.name, rule.match_at_half ? ">=" : ">",
      annotations.images.size(), objects, difficult, detections);
  text += fmt::format("{:24} {:>8} {:>8} {:>8}\n", "class", "objects", "11-point", "area");
  for (size_t i = 0; i < metrics.classes.size(); ++i) {
    const VocClassMetrics& c = metrics.classes[i];
    text += fmt::format("{:24} {:8} {} {}\n", for_terminal(annotations.categories[i]), c.objects,
                        percent(c.ap_11_point), percent(c.ap_area));
  }
  return text + fmt::format("{:24} {:8} {} {}\n", "mAP", objects, percent(metrics.map_11_point),
                            percent(metrics.map_area));
}

std::string voc_json(const VocMetrics& metrics, const VocAnnotations& annotations, const VocRule& rule,
                     int64_t detections) {
  const auto [objects, difficult] = totals(metrics.classes);
  ordered_json j = {{"rule", rule.name},
                    {"split", annotations.split},
                    {"images", annotations.images.size()},
                    {"objects", objects},
                    {"difficult", difficult},
                    {"detections", detections},
                    {"map_11_point", metrics.map_11_point},
                    {"map_area", metrics.map_area},
                    {"classes", ordered_json::array()}};
  for (size_t i = 0; i < metrics.classes.size(); ++i) {
    const VocClassMetrics& c = metrics.classes[i];
    j["classes"].push_back({{"name", annotations.categories[i]},
                            {"objects", c.objects},
                            {"difficult", c.difficult},
                            {"ap_11_point", c.ap_11_point},
                            {"ap_area", c.ap_area}});
  }
  return dump_json(j);
}

void write_detection_report(const std::string& json, const std::filesystem::path& folder) {
  make_folder(folder);
  write_text(folder / "evaluation.json", json + '\n');
}

}  // namespace tyto::apps
