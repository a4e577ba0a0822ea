#include "engine/metrics/voc_metrics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "files/named.h"

namespace tyto {
namespace {

const std::vector<VocRule>& rules() {
  static const std::vector<VocRule> all = {
      {"devkit", 0, 0, true, false},
      {"ssd.pytorch", -1, 0, false, true},
      {"chainercv", -1, 1, true, true},
  };
  return all;
}

struct Corners {
  double left, top, right, bottom;
  double area() const { return (right - left) * (bottom - top); }
};

Corners corners(const VocObject& o, const VocRule& rule) {
  const double add = rule.last + rule.extra;
  return {o.xmin - 1, o.ymin - 1, o.xmax + add, o.ymax + add};
}

Corners corners(const ScoredBox& d, const VocRule& rule) {
  return {d.x, d.y, d.x + d.width + rule.extra, d.y + d.height + rule.extra};
}

double iou(const Corners& a, const Corners& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const double inter = width * height;
  return inter / (a.area() + b.area() - inter);
}

struct Candidate {
  Corners corners;
  bool difficult, taken;
};

// One class in all images.
struct ClassBoxes {
  std::vector<const VocObject*> objects;     // by image, as given
  std::vector<const ScoredBox*> detections;  // by falling score, by image, as given
};

std::vector<ClassBoxes> by_class(int categories, std::span<const VocObject> objects,
                                 std::span<const ScoredBox> detections) {
  std::vector<ClassBoxes> classes(static_cast<size_t>(categories));
  for (const VocObject& o : objects) classes[static_cast<size_t>(o.category)].objects.push_back(&o);
  for (const ScoredBox& d : detections) classes[static_cast<size_t>(d.category)].detections.push_back(&d);
  for (ClassBoxes& boxes : classes) {
    std::sort(boxes.objects.begin(), boxes.objects.end(), [](const VocObject* a, const VocObject* b) {
      return a->image != b->image ? a->image < b->image : a < b;
    });
    std::sort(boxes.detections.begin(), boxes.detections.end(), [](const ScoredBox* a, const ScoredBox* b) {
      if (a->score != b->score) return a->score > b->score;
      return a->image != b->image ? a->image < b->image : a < b;
    });
  }
  return classes;
}

// Right (true) or wrong for every detection that counts, by falling score.
std::vector<bool> judge(const ClassBoxes& boxes, const VocRule& rule) {
  std::vector<Candidate> candidates;
  for (const VocObject* o : boxes.objects) candidates.push_back({corners(*o, rule), o->difficult, false});
  const auto first_of = [&](int64_t image) {
    const auto found = std::lower_bound(boxes.objects.begin(), boxes.objects.end(), image,
                                        [](const VocObject* o, int64_t wanted) { return o->image < wanted; });
    return static_cast<size_t>(found - boxes.objects.begin());
  };

  std::vector<bool> right;
  for (const ScoredBox* d : boxes.detections) {
    const Corners box = corners(*d, rule);
    double greatest = 0;
    Candidate* best = nullptr;
    for (size_t i = first_of(d->image); i < candidates.size() && boxes.objects[i]->image == d->image; ++i) {
      const double overlap = iou(box, candidates[i].corners);
      if (overlap <= greatest) continue;
      greatest = overlap;
      best = &candidates[i];
    }
    const bool matches = rule.match_at_half ? greatest >= 0.5 : greatest > 0.5;
    if (matches && best->difficult) continue;
    right.push_back(matches && !best->taken);
    if (matches) best->taken = true;
  }
  return right;
}

// The curve after each detection that counts.
struct Curve {
  int64_t objects;
  std::vector<int64_t> found;     // of the objects
  std::vector<double> precision;  // the best from here on

  double recall(size_t i) const { return static_cast<double>(found[i]) / static_cast<double>(objects); }
};

Curve curve(const std::vector<bool>& right, int64_t objects) {
  Curve c{objects, {}, {}};
  int64_t found = 0;
  for (const bool hit : right) {
    found += hit;
    c.found.push_back(found);
    c.precision.push_back(static_cast<double>(found) / static_cast<double>(c.found.size()));
  }
  for (size_t i = c.precision.size(); i-- > 1;)
    c.precision[i - 1] = std::max(c.precision[i - 1], c.precision[i]);
  return c;
}

double ap_11_point(const Curve& c, const VocRule& rule) {
  double sum = 0;
  size_t i = 0;
  for (int tenth = 0; tenth <= 10; ++tenth) {
    const auto reached = [&] {
      return rule.decimal_recalls ? c.recall(i) >= tenth * 0.1 : 10 * c.found[i] >= tenth * c.objects;
    };
    while (i < c.found.size() && !reached()) ++i;
    if (i < c.found.size()) sum += c.precision[i];
  }
  return sum / 11;
}

double ap_area(const Curve& c) {
  double area = 0, before = 0;
  for (size_t i = 0; i < c.found.size(); ++i) {
    area += (c.recall(i) - before) * c.precision[i];
    before = c.recall(i);
  }
  return area;
}

}  // namespace

VocRule voc_rule(const std::string& name) { return row_named(name, rules(), "VOC rule"); }
std::vector<std::string> voc_rule_names() { return names_in(rules()); }

VocMetrics voc_metrics(int64_t images, int categories, std::span<const VocObject> objects,
                       std::span<const ScoredBox> detections, const VocRule& rule) {
  for (const VocObject& o : objects) check_place(o.image, o.category, images, categories);
  for (const ScoredBox& d : detections) check_place(d.image, d.category, images, categories);
  VocMetrics m;
  double sum_11_point = 0, sum_area = 0;
  int64_t counted = 0;
  for (const ClassBoxes& boxes : by_class(categories, objects, detections)) {
    VocClassMetrics& metrics = m.classes.emplace_back();
    for (const VocObject* o : boxes.objects) ++(o->difficult ? metrics.difficult : metrics.objects);
    if (metrics.objects == 0) continue;
    const Curve c = curve(judge(boxes, rule), metrics.objects);
    sum_11_point += metrics.ap_11_point = ap_11_point(c, rule);
    sum_area += metrics.ap_area = ap_area(c);
    ++counted;
  }
  if (counted == 0) return m;
  m.map_11_point = sum_11_point / static_cast<double>(counted);
  m.map_area = sum_area / static_cast<double>(counted);
  return m;
}

}  // namespace tyto
