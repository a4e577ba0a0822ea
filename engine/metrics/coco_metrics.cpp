#include "engine/metrics/coco_metrics.h"

#include <algorithm>
#include <array>
#include <limits>

namespace tyto {
namespace {

constexpr int kThresholds = 10, kRecallPoints = 101;
constexpr int kMaxDetections = 100;
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// The products and sums of numpy.linspace: 0.05 added up, or 50 / 100, would round differently.
double iou_threshold(int t) { return t == kThresholds - 1 ? 0.95 : t * ((0.95 - 0.5) / 9) + 0.5; }
double recall_point(int r) { return r == kRecallPoints - 1 ? 1.0 : r * 0.01; }
constexpr int kIou50 = 0, kIou75 = 5;

struct AreaRange {
  double low, high;
  bool has(double area) const { return area >= low && area <= high; }
};
enum Area { All, Small, Medium, Large, kAreas };
constexpr std::array<AreaRange, kAreas> kAreaRanges = {
    {{0, 1e10}, {0, 32.0 * 32}, {32.0 * 32, 96.0 * 96}, {96.0 * 96, 1e10}}};

// What is there of one class in one image.
struct Scene {
  std::vector<const CocoObject*> objects;    // as given
  std::vector<const ScoredBox*> detections;  // the best 100, by falling score
  std::vector<double> ious;                  // [detections, objects]

  double iou(size_t detection, size_t object) const { return ious[detection * objects.size() + object]; }
};

// Of a crowd any part will do: there the union is the detection alone.
double iou(const ScoredBox& d, const CocoObject& o) {
  const double width = std::min(d.width + d.x, o.width + o.x) - std::max(d.x, o.x);
  if (width <= 0) return 0;
  const double height = std::min(d.height + d.y, o.height + o.y) - std::max(d.y, o.y);
  if (height <= 0) return 0;
  const double inter = width * height, area = d.width * d.height;
  return inter / (o.crowd ? area : area + o.width * o.height - inter);
}

enum class Verdict : uint8_t { Wrong, Right, Ignored };

struct Judged {
  double score;
  int place;  // in its image, 0 being the best
  std::array<Verdict, kThresholds> verdicts;
};

// Judges the detections of one scene at one threshold. `order` lists the objects, ignored ones last.
class Matcher {
 public:
  Matcher(const Scene& scene, const std::vector<size_t>& order, const std::vector<char>& ignored,
          double threshold)
      : scene_(scene), order_(order), ignored_(ignored), taken_(order.size()), threshold_(threshold) {}

  Verdict judge(size_t detection, bool in_range) {
    const size_t object = best_object(detection);
    if (object == kNone) return in_range ? Verdict::Wrong : Verdict::Ignored;
    taken_[object] = true;
    return ignored_[object] ? Verdict::Ignored : Verdict::Right;
  }

 private:
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();

  size_t best_object(size_t detection) const {
    size_t best = kNone;
    double greatest = std::min(threshold_, 1 - 1e-10);
    for (const size_t object : order_) {
      if (taken_[object] && !scene_.objects[object]->crowd) continue;
      if (best != kNone && !ignored_[best] && ignored_[object]) break;
      if (scene_.iou(detection, object) < greatest) continue;
      greatest = scene_.iou(detection, object);
      best = object;
    }
    return best;
  }

  const Scene& scene_;
  const std::vector<size_t>& order_;
  const std::vector<char>& ignored_;
  std::vector<char> taken_;
  double threshold_;
};

// One class in one range of areas.
struct Record {
  std::vector<Judged> judged;  // images in order, by falling score in each
  int64_t positives = 0;       // objects that are not ignored
};

void judge_scene(const Scene& scene, const AreaRange& range, Record& record) {
  std::vector<char> ignored;
  std::vector<size_t> order;
  for (const CocoObject* object : scene.objects) ignored.push_back(object->crowd || !range.has(object->area));
  for (const char late : {0, 1})
    for (size_t o = 0; o < ignored.size(); ++o)
      if (ignored[o] == late) order.push_back(o);
  record.positives += std::count(ignored.begin(), ignored.end(), 0);

  const size_t first = record.judged.size();
  for (size_t d = 0; d < scene.detections.size(); ++d)
    record.judged.push_back({scene.detections[d]->score, static_cast<int>(d), {}});
  for (int t = 0; t < kThresholds; ++t) {
    Matcher matcher(scene, order, ignored, iou_threshold(t));
    for (size_t d = 0; d < scene.detections.size(); ++d) {
      const bool in_range = range.has(scene.detections[d]->width * scene.detections[d]->height);
      record.judged[first + d].verdicts[static_cast<size_t>(t)] = matcher.judge(d, in_range);
    }
  }
}

// The places of `judged` by falling score; equal scores as they stand.
std::vector<size_t> by_score(const std::vector<Judged>& judged) {
  std::vector<size_t> order(judged.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return judged[a].score != judged[b].score ? judged[a].score > judged[b].score : a < b;
  });
  return order;
}

// The mean over the recall points of the best precision at that recall or a higher one.
double average_precision(const Record& record, const std::vector<size_t>& order, int threshold) {
  std::vector<double> recall, precision;
  int64_t right = 0, wrong = 0;
  for (const size_t i : order) {
    const Verdict verdict = record.judged[i].verdicts[static_cast<size_t>(threshold)];
    right += verdict == Verdict::Right;
    wrong += verdict == Verdict::Wrong;
    recall.push_back(static_cast<double>(right) / static_cast<double>(record.positives));
    precision.push_back(static_cast<double>(right) / (static_cast<double>(wrong + right) + kEpsilon));
  }
  for (size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  double sum = 0;
  size_t i = 0;
  for (int r = 0; r < kRecallPoints; ++r) {
    while (i < recall.size() && recall[i] < recall_point(r)) ++i;
    if (i < recall.size()) sum += precision[i];
  }
  return sum / kRecallPoints;
}

double recall(const Record& record, int threshold, int max_detections) {
  const auto right = std::count_if(record.judged.begin(), record.judged.end(), [&](const Judged& judged) {
    return judged.place < max_detections && judged.verdicts[static_cast<size_t>(threshold)] == Verdict::Right;
  });
  return static_cast<double>(right) / static_cast<double>(record.positives);
}

class Mean {
 public:
  void add(double value) {
    sum_ += value;
    ++count_;
  }
  double value() const { return count_ == 0 ? -1 : sum_ / static_cast<double>(count_); }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

struct AreaMeans {
  Mean ap, ar;
};

struct Means {
  std::array<AreaMeans, kAreas> areas;
  Mean ap50, ap75, ar1, ar10;
};

void add_class(const std::vector<Scene>& scenes, Means& means, CocoClassMetrics& metrics) {
  for (const Area area : {All, Small, Medium, Large}) {
    Record record;
    for (const Scene& scene : scenes) judge_scene(scene, kAreaRanges[area], record);
    if (record.positives == 0) continue;
    const std::vector<size_t> order = by_score(record.judged);
    Mean class_ap;
    for (int t = 0; t < kThresholds; ++t) {
      const double ap = average_precision(record, order, t);
      means.areas[area].ap.add(ap);
      means.areas[area].ar.add(recall(record, t, kMaxDetections));
      if (area != All) continue;
      class_ap.add(ap);
      if (t == kIou50) {
        means.ap50.add(ap);
        metrics.ap50 = ap;
      }
      if (t == kIou75) means.ap75.add(ap);
      means.ar1.add(recall(record, t, 1));
      means.ar10.add(recall(record, t, 10));
    }
    if (area == All) {
      metrics.objects = record.positives;
      metrics.ap = class_ap.value();
    }
  }
}

// The scenes of one class, images rising.
class Scenes {
 public:
  Scenes(std::span<const CocoObject> objects, std::span<const ScoredBox> detections)
      : objects_(sorted(objects, [](const CocoObject&, const CocoObject&) { return 0; })),
        detections_(sorted(detections, [](const ScoredBox& a, const ScoredBox& b) {
          return a.score > b.score ? -1 : a.score < b.score ? 1 : 0;
        })) {}

  // Classes are asked for in rising order.
  std::vector<Scene> of_class(int category) {
    std::vector<Scene> scenes;
    for (int64_t image = next_image(category); image >= 0; image = next_image(category)) {
      Scene& scene = scenes.emplace_back();
      for (; is_at(objects_, object_, category, image); ++object_) scene.objects.push_back(objects_[object_]);
      for (; is_at(detections_, detection_, category, image); ++detection_)
        if (scene.detections.size() < kMaxDetections) scene.detections.push_back(detections_[detection_]);
      for (const ScoredBox* detection : scene.detections)
        for (const CocoObject* object : scene.objects) scene.ious.push_back(iou(*detection, *object));
    }
    return scenes;
  }

 private:
  // By class, by image, by `compare`, as given.
  template <class Box, class Compare>
  static std::vector<const Box*> sorted(std::span<const Box> boxes, Compare compare) {
    std::vector<const Box*> order;
    for (const Box& box : boxes) order.push_back(&box);
    std::sort(order.begin(), order.end(), [&](const Box* a, const Box* b) {
      if (a->category != b->category) return a->category < b->category;
      if (a->image != b->image) return a->image < b->image;
      const int order_of_two = compare(*a, *b);
      return order_of_two != 0 ? order_of_two < 0 : a < b;
    });
    return order;
  }

  template <class Box>
  static bool is_at(const std::vector<const Box*>& boxes, size_t place, int category, int64_t image) {
    return place < boxes.size() && boxes[place]->category == category && boxes[place]->image == image;
  }

  // -1 behind the last image of the class
  int64_t next_image(int category) const {
    int64_t next = -1;
    if (object_ < objects_.size() && objects_[object_]->category == category) next = objects_[object_]->image;
    if (detection_ < detections_.size() && detections_[detection_]->category == category) {
      const int64_t image = detections_[detection_]->image;
      next = next < 0 ? image : std::min(next, image);
    }
    return next;
  }

  std::vector<const CocoObject*> objects_;
  std::vector<const ScoredBox*> detections_;
  size_t object_ = 0, detection_ = 0;
};

}  // namespace

CocoMetrics coco_metrics(int64_t images, int categories, std::span<const CocoObject> objects,
                         std::span<const ScoredBox> detections) {
  for (const CocoObject& o : objects) check_place(o.image, o.category, images, categories);
  for (const ScoredBox& d : detections) check_place(d.image, d.category, images, categories);
  CocoMetrics m;
  m.classes.resize(static_cast<size_t>(categories));
  Means means;
  Scenes scenes(objects, detections);
  for (int c = 0; c < categories; ++c)
    add_class(scenes.of_class(c), means, m.classes[static_cast<size_t>(c)]);

  m.ap = means.areas[All].ap.value();
  m.ap50 = means.ap50.value();
  m.ap75 = means.ap75.value();
  m.ap_small = means.areas[Small].ap.value();
  m.ap_medium = means.areas[Medium].ap.value();
  m.ap_large = means.areas[Large].ap.value();
  m.ar1 = means.ar1.value();
  m.ar10 = means.ar10.value();
  m.ar100 = means.areas[All].ar.value();
  m.ar_small = means.areas[Small].ar.value();
  m.ar_medium = means.areas[Medium].ar.value();
  m.ar_large = means.areas[Large].ar.value();
  return m;
}

}  // namespace tyto
