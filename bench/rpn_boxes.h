// What a trained region proposal network gives for one picture, invented: raw maps, and the boxes that they
// decode to. Boxes overlap as a real network's do: crowds around the objects, which suppression thins out,
// and a sparse rest.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace tyto::bench {

// simple-faster-rcnn-pytorch's VGG16 on a picture of 600 x 1000: a map of 37 x 62 cells of 16 pixels, 9
// anchors a cell.
struct RpnBoxes {
  static constexpr int kRows = 37, kColumns = 62, kPerCell = 9;
  static constexpr int64_t kCount = int64_t{kRows} * kColumns * kPerCell;  // 20,646
  static constexpr float kHeight = 600, kWidth = 1000;

  std::vector<float> anchors;  // [kCount, 4]  x1, y1, x2, y2
  std::vector<float> offsets;  // [kCount, 4]  y, x, log height, log width
  std::vector<float> logits;   // [kCount, 2]  background, object
  std::vector<float> boxes;    // [kCount, 4]  x1, y1, x2, y2, decoded and clipped to the picture
  std::vector<float> scores;   // [kCount]     object less background
};

// The `count` boxes that score best, in the anchors' order, and their scores.
struct BestBoxes {
  std::vector<float> boxes, scores;
};

namespace detail {

inline float overlap(const float* a, const float* b) {
  const float width = std::min(a[2], b[2]) - std::max(a[0], b[0]);
  const float height = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const float shared = width * height;
  return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared);
}

// The standard library's engines are the same everywhere, its distributions are not.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(engine_() >> 8) * 0x1p-24f;
  }
  // Nearly normal, of deviation 1: the sum of twelve.
  float normal() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform(0, 1);
    return sum;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace detail

// The same for a seed on every run.
inline RpnBoxes rpn_boxes(uint32_t seed = 1) {
  constexpr int kObjects = 20;
  constexpr float kPull = 0.7f;  // how much of the way to its object a box goes
  detail::Random random(seed);
  std::vector<std::array<float, 4>> objects;
  for (int i = 0; i < kObjects; ++i) {
    const float side = 48 * std::exp(random.uniform(0, 2)), shape = std::exp(random.uniform(-0.5f, 0.5f));
    const float width = side * shape, height = side / shape;
    const float x = random.uniform(0, RpnBoxes::kWidth - width);
    const float y = random.uniform(0, std::max(1.0f, RpnBoxes::kHeight - height));
    objects.push_back({x, y, x + width, std::min(y + height, RpnBoxes::kHeight)});
  }
  RpnBoxes all;
  for (int row = 0; row < RpnBoxes::kRows; ++row)
    for (int column = 0; column < RpnBoxes::kColumns; ++column)
      for (const double ratio : {0.5, 1.0, 2.0})
        for (const double scale : {8.0, 16.0, 32.0}) {
          const auto height = static_cast<float>(16 * scale * std::sqrt(ratio));
          const auto width = static_cast<float>(16 * scale * std::sqrt(1 / ratio));
          const float x = 8 + 16 * static_cast<float>(column), y = 8 + 16 * static_cast<float>(row);
          const float anchor[] = {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
          all.anchors.insert(all.anchors.end(), anchor, anchor + 4);
          const auto object = std::max_element(objects.begin(), objects.end(), [&](auto& a, auto& b) {
            return detail::overlap(anchor, a.data()) < detail::overlap(anchor, b.data());
          });
          const float near = detail::overlap(anchor, object->data());
          const auto& [x1, y1, x2, y2] = *object;
          const float pull = near > 0.35f ? kPull : 0, spread = near > 0.35f ? 0.1f : 0.25f;
          const float offset[] = {pull * ((y1 + y2) / 2 - y) / height + spread * random.normal(),
                                  pull * ((x1 + x2) / 2 - x) / width + spread * random.normal(),
                                  pull * std::log((y2 - y1) / height) + spread * random.normal(),
                                  pull * std::log((x2 - x1) / width) + spread * random.normal()};
          all.offsets.insert(all.offsets.end(), offset, offset + 4);
          const float logit = 10 * near - 5 + 1.2f * random.normal(), background = random.normal();
          all.logits.insert(all.logits.end(), {background, background + logit});
          all.scores.push_back(all.logits.back() - background);
          const float y_centre = y + offset[0] * height, x_centre = x + offset[1] * width;
          const float half_height = height * std::exp(offset[2]) / 2,
                      half_width = width * std::exp(offset[3]) / 2;
          for (const float edge :
               {x_centre - half_width, y_centre - half_height, x_centre + half_width, y_centre + half_height})
            all.boxes.push_back(
                std::clamp(edge, 0.0f, all.boxes.size() % 2 == 0 ? RpnBoxes::kWidth : RpnBoxes::kHeight));
        }
  return all;
}

inline BestBoxes best_of(const RpnBoxes& all, int64_t count) {
  std::vector<size_t> order(all.scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return all.scores[i] > all.scores[j]; });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  BestBoxes best;
  for (const size_t i : order) {
    const auto box = all.boxes.begin() + static_cast<int64_t>(i * 4);
    best.boxes.insert(best.boxes.end(), box, box + 4);
    best.scores.push_back(all.scores[i]);
  }
  return best;
}

// What suppression leaves of the best 6,000, the best `count` [count, 4]: the regions that are pooled.
inline std::vector<float> rpn_proposals(int64_t count) {
  const BestBoxes best = best_of(rpn_boxes(), 6000);
  std::vector<size_t> order(best.scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return best.scores[i] > best.scores[j]; });
  std::vector<float> kept;
  for (const size_t i : order) {
    if (static_cast<int64_t>(kept.size()) == count * 4) break;
    const float* box = best.boxes.data() + i * 4;
    bool stays = true;
    for (size_t k = 0; k < kept.size() && stays; k += 4) stays = detail::overlap(&kept[k], box) <= 0.7f;
    if (stays) kept.insert(kept.end(), box, box + 4);
  }
  return kept;
}

}  // namespace tyto::bench
