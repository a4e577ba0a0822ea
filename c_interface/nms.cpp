#include "kernels/detection/nms.h"

#include <omp.h>
#include <tyto_operators.h>

#include <cmath>
#include <limits>

#include "c_interface/staging.h"
#include "kernels/detection/nms_plan.h"

namespace tyto::c_interface {
namespace {

kernels::Nms nms_of(const tyto_nms_desc& d) {
  return {
      .score_threshold = static_cast<float>(d.score_threshold),
      .top_k = d.top_k,
      .iou_threshold = static_cast<float>(d.iou_threshold),
      .rule = d.rule == TYTO_OPERATORS_GREATER ? kernels::Suppress::Greater : kernels::Suppress::GreaterEqual,
      .agnostic = d.agnostic != 0,
      .max_per_class = d.max_per_class,
      .max_detections = d.max_detections};
}

struct NonMaximumSuppression : StagedFunction<NonMaximumSuppression> {
  using Desc = tyto_nms_desc;
  static constexpr const char* kName = "tyto_nms";

  static Desc defaults() {
    return {.score_threshold = -std::numeric_limits<double>::infinity(), .iou_threshold = 0.5};
  }
  static void check(const Desc& d, const Arguments& a) {
    a.size("top_k", d.top_k);
    a.size("max_per_class", d.max_per_class);
    a.size("max_detections", d.max_detections);
    a.flag("agnostic", d.agnostic);
    a.choice("rule", d.rule, 2);
    if (d.score_threshold != -std::numeric_limits<double>::infinity())
      a.number("score_threshold", d.score_threshold, -std::numeric_limits<float>::max(),
               std::numeric_limits<float>::max());
    a.number("iou_threshold", d.iou_threshold, 0, 1);
    a.size("batch", d.batch);
    a.size("classes", d.classes, 1);
    a.size("count", d.count);
    a.size("capacity", d.capacity);
    a.below("classes", {d.classes}, int64_t{1} << 24);
    a.below("classes * count", {d.classes, d.count});
    a.below("batch * classes * (count / 4096 + 1)", {d.batch, d.classes, d.count / kernels::kNmsTile + 1});
    const int64_t capacity = kernels::detection_capacity(nms_of(d), d.classes, d.count);
    if (d.capacity != capacity)
      throw Refused{TYTO_OPERATORS_BAD_ARGUMENT, "capacity is " + std::to_string(d.capacity) +
                                                     "; these sizes and limits give " +
                                                     std::to_string(capacity) + " rows an image"};
    // A kernel loads a box of floats at once.
    a.elements("boxes", d.boxes, {d.batch, d.count, 4}, d.elements == TYTO_FLOAT ? 4 : 1);
    a.elements("scores", d.scores, {d.batch, d.classes, d.count});
    a.optional("counts", d.counts, {d.batch}, sizeof *d.counts);
    a.array("detections", d.detections, {d.batch, capacity, kernels::kDetectionRow}, sizeof *d.detections);
    a.optional("kept", d.kept, {d.batch, capacity}, sizeof *d.kept);
    a.array("found", d.found, {d.batch}, sizeof *d.found);
  }
  template <class T>
  static void compute(const Desc& d, Staging& s) {
    const kernels::Nms nms = nms_of(d);
    const kernels::BoxScores in = {
        .boxes = s.in<float>(static_cast<const T*>(d.boxes), {d.batch, d.count, 4}),
        .scores = s.in<float>(static_cast<const T*>(d.scores), {d.batch, d.classes, d.count}),
        .counts = d.counts,
        .n = d.batch,
        .classes = d.classes,
        .count = d.count};
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      void* const memory = s.take_bytes(kernels::nms_workspace_cuda(nms, d.batch, d.classes, d.count));
      if (!s.measures()) kernels::nms(in, nms, memory, d.detections, d.found, s.stream(), d.kept);
      return;
    }
#endif
    const int threads = omp_get_max_threads();
    void* const memory = s.take_bytes(kernels::nms_workspace(nms, d.batch, d.classes, d.count, threads));
    if (!s.measures()) kernels::nms_cpu(in, nms, threads, memory, d.detections, d.found, d.kept);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_nms, tyto::c_interface::NonMaximumSuppression)
