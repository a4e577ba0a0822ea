#include "apps/commands/evaluate_detections.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/console.h"
#include "apps/detection/detection_report.h"
#include "apps/detection/matched_detections.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

void report_gaps(const MatchedDetections& matched, const std::string& annotations) {
  if (!matched.unknown_images.empty())
    warning(fmt::format("{} detected images are not in {} and were left out: {}",
                        matched.unknown_images.size(), annotations, some_of(matched.unknown_images)));
  if (!matched.images_without_results.empty())
    warning(fmt::format("{} images of {} were not looked at, which counts as nothing found in them: {}",
                        matched.images_without_results.size(), annotations,
                        some_of(matched.images_without_results)));
  if (!matched.unknown_classes.empty())
    warning(matched.unknown_classes.sentence("detections of classes that " + annotations + " lacks"));
  if (matched.by_label_id)
    notice(fmt::format("not every detected class is called as in {}, so label_id was taken for category_id",
                       annotations));
}

// What pycocotools leaves out without a word.
void report_left_out(const CocoAnnotations& a) {
  if (!a.of_unknown_images.empty())
    warning(a.of_unknown_images.sentence(fmt::format("annotations of images that {} does not list", a.file)));
  if (!a.of_unknown_categories.empty())
    warning(a.of_unknown_categories.sentence(
        fmt::format("annotations of categories that {} does not list", a.file)));
  if (!a.repeated.empty())
    warning(
        a.repeated.sentence(fmt::format("images and categories of {} whose id stands there again", a.file)));
}

void report_skipped_objects(const VocAnnotations& a) {
  constexpr size_t kShown = 3;
  for (size_t i = 0; i < std::min(kShown, a.skipped_objects.size()); ++i)
    warning(a.skipped_objects[i] + "; skipped");
  if (!a.skipped_objects.empty())
    warning(fmt::format("{} of {} objects of {} skipped; the others are judged", a.skipped_objects.size(),
                        a.objects.size() + a.skipped_objects.size(), a.folder));
}

struct Report {
  std::string text, json;
  int exit_code = kDone;
};

Report against_coco(const std::vector<std::string>& files, const DetectionTruth& truth) {
  const CocoAnnotations annotations = read_coco_annotations(truth.coco_annotations);
  if (!annotations.lists_objects)
    throw Error(ErrorKind::Format,
                fmt::format("{} has no list 'annotations' to judge detections by, as image_info files "
                            "of COCO's test sets have none; take an instances file",
                            annotations.file));
  report_left_out(annotations);
  if (annotations.has_object_0)
    warning(
        fmt::format("{}: an annotation has the id 0, whose match pycocotools takes for none; here it counts",
                    annotations.file));
  const MatchedDetections matched = match_to_coco(files, annotations);
  report_gaps(matched, annotations.file);
  const CocoMetrics metrics =
      coco_metrics(static_cast<int64_t>(annotations.images.size()),
                   static_cast<int>(annotations.categories.size()), annotations.objects, matched.boxes);
  const auto detections = static_cast<int64_t>(matched.boxes.size());
  return {coco_text(metrics, annotations, detections), coco_json(metrics, annotations, detections)};
}

Report against_voc(const std::vector<std::string>& files, const DetectionTruth& truth) {
  const VocRule rule = voc_rule(truth.voc_rule);
  const VocAnnotations annotations = read_voc_annotations(truth.voc, truth.split);
  report_skipped_objects(annotations);
  const MatchedDetections matched = match_to_voc(files, annotations);
  report_gaps(matched, annotations.folder);
  const VocMetrics metrics =
      voc_metrics(static_cast<int64_t>(annotations.images.size()),
                  static_cast<int>(annotations.categories.size()), annotations.objects, matched.boxes, rule);
  const auto detections = static_cast<int64_t>(matched.boxes.size());
  return {voc_text(metrics, annotations, rule, detections), voc_json(metrics, annotations, rule, detections),
          annotations.skipped_objects.empty() ? kDone : kSkipped};
}

}  // namespace

int evaluate_detections(const std::vector<std::string>& files, const DetectionTruth& truth,
                        const std::string& out, bool json) {
  const Report report = truth.voc.empty() ? against_coco(files, truth) : against_voc(files, truth);
  if (!out.empty()) write_detection_report(report.json, out);
  fmt::print("{}", json ? report.json + '\n' : report.text);
  return report.exit_code;
}

}  // namespace tyto::apps
