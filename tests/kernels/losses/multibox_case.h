// A batch for MultiBox losses in double, and the loss as the Python references write it: overlaps as a
// matrix, ranks as the sort of a sort, one list of rows per step.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/detection/random_boxes.h"
#include "kernels/losses/multibox_loss.h"

namespace tyto::kernels {

struct MultiboxCase {
  int64_t batch = 1, capacity = 1, priors = 1, classes = 2;
  bool corners = false;
  std::vector<double> prior_boxes = {}, boxes = {}, locations = {}, logits = {};
  std::vector<int32_t> object_classes = {}, counts = {};
  MultiboxLoss loss = {};
  double scale = 1;

  size_t rows() const { return static_cast<size_t>(batch * priors); }
  size_t there(size_t image) const {
    return counts.empty() ? static_cast<size_t>(capacity) : static_cast<size_t>(counts[image]);
  }
};

// Image i has i * 2 of `capacity` objects, the first none. Priors lie close enough for many to match.
inline MultiboxCase random_case(int64_t batch, int64_t capacity, int64_t priors, int64_t classes,
                                MultiboxReference reference, uint32_t seed = 1) {
  Numbers numbers(seed);
  MultiboxCase c = {.batch = batch, .capacity = capacity, .priors = priors, .classes = classes};
  c.loss = multibox_as(reference);
  c.corners = reference == MultiboxReference::Bubbliiiing || reference == MultiboxReference::Torchvision;
  const auto doubles = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
  c.prior_boxes = doubles(crowded_boxes(numbers, priors));
  if (!c.corners)
    for (size_t i = 0; i < c.prior_boxes.size(); i += 4) {
      c.prior_boxes[i + 2] -= c.prior_boxes[i];
      c.prior_boxes[i + 3] -= c.prior_boxes[i + 1];
    }
  c.boxes = doubles(crowded_boxes(numbers, batch * capacity));
  c.locations = doubles(numbers.vector(batch * priors * 4, -2, 2));
  c.logits = doubles(numbers.vector(batch * priors * classes, -4, 4));
  for (int64_t i = 0; i < batch * capacity; ++i)
    c.object_classes.push_back(static_cast<int32_t>(numbers.next() % static_cast<uint32_t>(classes - 1)) + 1 -
                               c.loss.match.first_label);
  for (int64_t image = 0; image < batch; ++image)
    c.counts.push_back(static_cast<int32_t>(std::min(2 * image, capacity)));
  return c;
}

struct MatchedReference {
  std::vector<int32_t> labels, objects;
  std::vector<double> targets;
};

inline double overlap_of(const double* a, const double* b) {
  const double width = std::max(0.0, std::min(a[2], b[2]) - std::max(a[0], b[0]));
  const double height = std::max(0.0, std::min(a[3], b[3]) - std::max(a[1], b[1]));
  return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height);
}

inline size_t argmax(const std::vector<double>& v) {
  return static_cast<size_t>(std::max_element(v.begin(), v.end()) - v.begin());
}

inline MatchedReference match_reference(const MultiboxCase& c) {
  const size_t priors = static_cast<size_t>(c.priors), capacity = static_cast<size_t>(c.capacity);
  const MatchPriors& p = c.loss.match;
  MatchedReference out = {std::vector<int32_t>(c.rows(), 0), std::vector<int32_t>(c.rows(), -1),
                          std::vector<double>(c.rows() * 4, 0)};
  std::vector<double> corners = c.prior_boxes, centres = c.prior_boxes;
  for (size_t i = 0; i < priors; ++i)
    for (size_t axis = 0; axis < 2; ++axis) {
      double *corner = &corners[4 * i + axis], *centre = &centres[4 * i + axis];
      if (c.corners) {
        centre[0] = (corner[0] + corner[2]) / 2;
        centre[2] = corner[2] - corner[0];
      } else {
        corner[0] = centre[0] - centre[2] / 2;
        corner[2] = centre[0] + centre[2] / 2;
      }
    }
  for (size_t image = 0; image < static_cast<size_t>(c.batch); ++image) {
    const size_t objects = c.there(image);
    if (objects == 0) continue;
    const double* boxes = &c.boxes[4 * image * capacity];
    // overlaps[j][i] of object j with prior i
    std::vector<std::vector<double>> overlaps(objects, std::vector<double>(priors));
    for (size_t j = 0; j < objects; ++j)
      for (size_t i = 0; i < priors; ++i) overlaps[j][i] = overlap_of(boxes + 4 * j, &corners[4 * i]);
    const auto column = [&](size_t i) {
      std::vector<double> of_prior;
      for (const auto& row : overlaps) of_prior.push_back(row[i]);
      return of_prior;
    };
    std::vector<int32_t> owner(priors, -1);
    if (p.rule == PriorMatch::BestPrior) {
      std::vector<double> best(priors);
      for (size_t i = 0; i < priors; ++i) {
        owner[i] = static_cast<int32_t>(argmax(column(i)));
        best[i] = column(i)[static_cast<size_t>(owner[i])];
      }
      for (size_t j = 0; j < objects; ++j) best[argmax(overlaps[j])] = 2;
      for (size_t j = 0; j < objects; ++j) owner[argmax(overlaps[j])] = static_cast<int32_t>(j);
      for (size_t i = 0; i < priors; ++i)
        if (best[i] < p.threshold) owner[i] = -1;
    } else {
      for (auto& row : overlaps) {
        const size_t best = argmax(row);
        const double most = row[best];
        for (double& o : row) o = o > p.threshold ? o : 0;
        if (std::count(row.begin(), row.end(), 0) == static_cast<long>(priors)) row[best] = most;
      }
      for (size_t i = 0; i < priors; ++i)
        if (column(i)[argmax(column(i))] > 0) owner[i] = static_cast<int32_t>(argmax(column(i)));
    }
    for (size_t i = 0; i < priors; ++i) {
      if (owner[i] < 0) continue;
      const size_t at = image * priors + i, j = static_cast<size_t>(owner[i]);
      out.objects[at] = owner[i];
      out.labels[at] = c.object_classes[image * capacity + j] + p.first_label;
      for (size_t axis = 0; axis < 2; ++axis) {
        const double low = boxes[4 * j + axis], high = boxes[4 * j + axis + 2];
        const double centre = centres[4 * i + axis], side = centres[4 * i + axis + 2];
        out.targets[4 * at + axis] = ((low + high) / 2 - centre) / (p.variance[axis] * side);
        out.targets[4 * at + axis + 2] = std::log((high - low) / side) / p.variance[axis + 2];
      }
    }
  }
  return out;
}

// The indices of the values, the greatest first, equal ones in their order.
inline std::vector<size_t> falling(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  return order;
}

inline std::vector<size_t> ranks(const std::vector<double>& values) {
  const std::vector<size_t> order = falling(values);
  std::vector<size_t> rank(values.size());
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  return rank;
}

inline std::vector<double> softmax_of(const MultiboxCase& c, size_t row) {
  const size_t classes = static_cast<size_t>(c.classes);
  std::vector<double> p(c.logits.begin() + static_cast<long>(row * classes),
                        c.logits.begin() + static_cast<long>((row + 1) * classes));
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& v : p) sum += v = std::exp(v - largest);
  for (double& v : p) v /= sum;
  return p;
}

// 1 of a positive, + 2 of a row taken as a negative.
inline std::vector<uint8_t> mine_reference(const MultiboxCase& c, const std::vector<int32_t>& labels) {
  const size_t priors = static_cast<size_t>(c.priors);
  const MineNegatives& p = c.loss.mine;
  std::vector<uint8_t> selected(c.rows());
  std::vector<double> all;  // of bubbliiiing
  double of_all = 0;
  for (size_t image = 0; image < static_cast<size_t>(c.batch); ++image) {
    std::vector<double> hardness;
    int64_t positives = 0;
    for (size_t row = image * priors; row < (image + 1) * priors; ++row) {
      const bool positive = labels[row] > 0;
      positives += positive;
      selected[row] = positive;
      const std::vector<double> share = softmax_of(c, row);
      if (p.rule == Mining::Bubbliiiing)
        hardness.push_back(positive ? 0 : std::accumulate(share.begin() + 1, share.end(), 0.0));
      else if (positive)
        hardness.push_back(p.rule == Mining::Torchvision ? -std::numeric_limits<double>::infinity() : 0);
      else
        hardness.push_back(-std::log(share[0]));
    }
    const double wanted = p.negatives_per_positive * static_cast<double>(positives);
    if (p.rule == Mining::Bubbliiiing) {
      all.insert(all.end(), hardness.begin(), hardness.end());
      of_all += std::min(wanted, static_cast<double>(c.priors - positives));
      continue;
    }
    double negatives =
        p.rule == Mining::Torchvision ? wanted : std::min(wanted, static_cast<double>(c.priors - 1));
    if (negatives == 0) negatives = static_cast<double>(p.negatives_for_hard);
    const std::vector<size_t> rank = ranks(hardness);
    for (size_t i = 0; i < priors; ++i)
      if (static_cast<double>(rank[i]) < negatives) selected[image * priors + i] |= 2;
  }
  if (p.rule == Mining::Bubbliiiing) {
    const double negatives = of_all > 0 ? std::floor(of_all) : static_cast<double>(p.negatives_for_hard);
    const std::vector<size_t> best = falling(all);
    for (size_t i = 0; i < best.size() && static_cast<double>(i) < negatives; ++i) selected[best[i]] |= 2;
  }
  return selected;
}

struct MultiboxResult {
  std::vector<double> value, locations, logits;  // and gradients, of a scale of 1
  LossStatus status = 0;
};

inline MultiboxResult loss_reference(const MultiboxCase& c) {
  const MatchedReference matched = match_reference(c);
  const std::vector<uint8_t> selected = mine_reference(c, matched.labels);
  const size_t classes = static_cast<size_t>(c.classes), priors = static_cast<size_t>(c.priors);
  MultiboxResult out = {
      {0, 0, 0}, std::vector<double>(c.rows() * 4), std::vector<double>(c.rows() * classes)};
  for (size_t image = 0; image < static_cast<size_t>(c.batch); ++image) {
    double positives = 0;
    for (size_t row = image * priors; row < (image + 1) * priors; ++row) positives += selected[row] & 1;
    const bool own_one = c.loss.normalizer == MultiboxNormalizer::PositivesOrOneAnImage;
    out.value[2] += own_one ? std::max(positives, 1.0) : positives;
  }
  if (c.loss.normalizer == MultiboxNormalizer::PositivesOrOne) out.value[2] = std::max(out.value[2], 1.0);
  for (size_t row = 0; row < c.rows(); ++row) {
    if (selected[row] == 0) continue;
    const double weight = c.loss.mine.rule != Mining::SsdPytorch && selected[row] == 3 ? 2 : 1;
    const std::vector<double> share = softmax_of(c, row);
    const size_t label = static_cast<size_t>(matched.labels[row]);
    const bool clamped = share[label] < c.loss.least_probability;
    out.value[1] -= weight * std::log(std::max(share[label], c.loss.least_probability));
    for (size_t k = 0; k < classes && !clamped; ++k)
      out.logits[row * classes + k] = weight * (share[k] - (k == label ? 1 : 0)) / out.value[2];
    for (size_t k = 4 * row; k < 4 * row + 4 && (selected[row] & 1) != 0; ++k) {
      const double d = c.locations[k] - matched.targets[k];
      out.value[0] += std::abs(d) < 1 ? d * d / 2 : std::abs(d) - 0.5;
      out.locations[k] = std::clamp(d, -1.0, 1.0) / out.value[2];
    }
  }
  out.value[0] /= out.value[2];
  out.value[1] /= out.value[2];
  return out;
}

}  // namespace tyto::kernels
