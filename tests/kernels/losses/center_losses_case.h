// Batches of two modalities, and CMDC beside its definition in plain loops of double. Tests of the losses
// around centres call them on the CPU (HostRun) and on the device under test (DeviceRun).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/losses/center_loss.h"
#include "kernels/losses/cmdc.h"
#include "kernels/losses/hetero_center.h"
#include "kernels/losses/hetero_center_triplet.h"

namespace tyto::kernels {

struct CenterBatch {
  int64_t rows = 0, width = 0;
  std::vector<double> features = {};
  std::vector<int32_t> labels = {}, modalities = {};
  int64_t classes = 0;  // of learned centres
  std::vector<double> centers = {};
};

// The batch of the golden numbers (reid.md 2 and 4.2).
inline CenterBatch golden_batch() {
  CenterBatch b{.rows = 8, .width = 6};
  b.labels = {0, 0, 1, 1, 0, 0, 1, 1};
  b.modalities = {0, 0, 0, 0, 1, 1, 1, 1};
  for (int i = 0; i < 8; ++i)
    for (int d = 0; d < 6; ++d) b.features.push_back(std::sin(0.37 * (i + 1) * (d + 1)) + 0.05 * i);
  return b;
}

// Rows around a point for each of `classes` labels, which are 0, 3, 6, ...; every third class has visible
// rows alone. Rows are floats.
inline CenterBatch random_batch(int64_t rows, int64_t width, int64_t classes, uint32_t seed = 5) {
  CenterBatch b{.rows = rows, .width = width, .classes = 3 * classes};
  std::mt19937 random(seed);
  std::normal_distribution<float> of;
  std::vector<double> points(static_cast<size_t>(classes * width));
  for (double& v : points) v = of(random);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t k = i < classes ? i : static_cast<int64_t>(random() % static_cast<uint32_t>(classes));
    b.labels.push_back(static_cast<int32_t>(3 * k));
    b.modalities.push_back(k % 3 == 2 ? 0 : static_cast<int32_t>(random() % 2));
    for (int64_t j = 0; j < width; ++j)
      b.features.push_back(static_cast<float>(points[static_cast<size_t>(k * width + j)] + 0.7 * of(random)));
  }
  for (int64_t i = 0; i < b.classes * width; ++i)
    b.centers.push_back(of(random) / static_cast<float>(std::sqrt(static_cast<double>(width))));
  return b;
}

struct CenterResult {
  double value = 0;
  std::vector<double> gradient = {}, centers_gradient = {};
  std::string status = {};

  double norm() const {
    double squares = 0;
    for (double g : gradient) squares += g * g;
    return std::sqrt(squares);
  }
};

// The value of CMDC by its definition.
inline double cmdc_by_definition(const CenterBatch& b, const CmdcLoss& p) {
  const int64_t n = b.rows, width = b.width;
  std::vector<double> x = b.features;
  for (int64_t i = 0; p.normalize && i < n; ++i) {
    double squares = 0;
    for (int64_t j = 0; j < width; ++j) squares += x[i * width + j] * x[i * width + j];
    for (int64_t j = 0; j < width; ++j) x[i * width + j] /= std::sqrt(squares);
  }
  std::vector<int32_t> classes = b.labels;
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  const bool by_modality = p.centers == CmdcCenters::Modality;
  double value = 0, pull = 0;
  int centers = 0;
  for (int32_t k : classes)
    for (int modality = 0; modality < (by_modality ? 2 : 1); ++modality) {
      std::vector<double> center(static_cast<size_t>(width));
      const auto member = [&](int64_t i) {
        return b.labels[i] == k && (!by_modality || b.modalities[i] == modality);
      };
      int members = 0;
      for (int64_t i = 0; i < n; ++i)
        if (member(i)) {
          ++members;
          for (int64_t j = 0; j < width; ++j) center[j] += x[i * width + j];
        }
      if (members == 0) continue;
      for (int64_t j = 0; j < width; ++j)
        center[j] = p.centers == CmdcCenters::Learned ? b.centers[k * width + j] : center[j] / members;
      ++centers;
      double sums[2] = {}, largest[2] = {};
      int counts[2] = {};
      for (int64_t i = 0; i < n; ++i) {
        double squares = 0;
        for (int64_t j = 0; j < width; ++j) {
          const double apart = x[i * width + j] - center[j];
          squares += apart * apart;
        }
        const double d = std::sqrt(squares);
        const bool other = b.labels[i] != k;
        const double hinge = std::max(0.0, other ? p.negative_bound - d : d - p.positive_bound);
        sums[other] += hinge;
        largest[other] = std::max(largest[other], hinge);
        ++counts[other];
        if (member(i)) pull += squares;
      }
      for (int other : {0, 1})
        if (counts[other] > 0)
          value += p.mining == CmdcMining::All ? sums[other] / counts[other] : largest[other];
    }
  return centers == 0 ? 0 : value / centers + p.center_weight / (2 * static_cast<double>(n)) * pull;
}

// All switches.
inline std::vector<CmdcLoss> cmdc_variants() {
  std::vector<CmdcLoss> all;
  for (const CmdcCenters centers : {CmdcCenters::Modality, CmdcCenters::Joint, CmdcCenters::Learned})
    for (const CmdcMining mining : {CmdcMining::All, CmdcMining::Hard})
      all.push_back({.centers = centers,
                     .mining = mining,
                     .positive_bound = 0.5,
                     .negative_bound = 1.2,
                     .center_weight = mining == CmdcMining::All ? 0.7 : 0.0,
                     .normalize = centers != CmdcCenters::Joint});
  return all;
}

}  // namespace tyto::kernels
