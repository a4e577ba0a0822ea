// A trainer without a framework: a linear embedding and a classifier learn identities across visible and
// thermal features from the identity loss and CMDC, by SGD with momentum. All it knows of tyto is its C
// interface.
//
// The features are generated: an identity is a point in one space, which each modality turns and shifts in
// its own way and adds noise to, as two cameras would. Prints a line an epoch: the losses' means over its
// batches, and rank-1 of thermal queries in a visible gallery of samples that were not trained on. Usage:
// train_reid_head [SEED]
// c++ -std=c++20 -O2 train_reid_head.cpp $(pkg-config --cflags --libs tyto_losses) -o train_reid_head
#include <tyto_losses.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace {

constexpr int kIdentities = 16, kInput = 32, kWidth = 16, kSamples = 12, kEpochs = 30, kBatches = 10;
constexpr int kBatchIdentities = 8, kBatchSamples = 4;  // of each identity and modality
constexpr int kRows = kBatchIdentities * kBatchSamples * 2;
constexpr float kRate = 0.05f, kMomentum = 0.9f, kDecay = 5e-4f;

using Matrix = std::vector<float>;  // row-major

void fail(const char* text) {
  std::fprintf(stderr, "train_reid_head: %s\n", text);
  std::exit(1);
}

// to [m, n] = a [m, k] b [k, n]
void multiply(const Matrix& a, const Matrix& b, int m, int k, int n, Matrix& to) {
  to.assign(static_cast<size_t>(m * n), 0);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < k; ++j)
      for (int c = 0; c < n; ++c) to[i * n + c] += a[i * k + j] * b[j * n + c];
}

Matrix transposed(const Matrix& a, int rows, int columns) {
  Matrix to(a.size());
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) to[j * rows + i] = a[i * columns + j];
  return to;
}

class Random {
 public:
  explicit Random(unsigned seed) : bits_(seed) {}
  float normal() {  // of std's own distributions the values are not the same everywhere
    const double u = (bits_() + 1.0) / 4294967297.0, v = bits_() / 4294967296.0;
    return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v));
  }
  int below(int n) { return static_cast<int>(bits_() % static_cast<unsigned>(n)); }
  Matrix matrix(int count, float scale) {
    Matrix m(static_cast<size_t>(count));
    for (float& v : m) v = scale * normal();
    return m;
  }

 private:
  std::mt19937 bits_;
};

struct Parameter {
  Matrix values, velocity;
  explicit Parameter(Matrix start) : values(std::move(start)), velocity(values.size(), 0) {}
  void step(const Matrix& gradient) {
    for (size_t i = 0; i < values.size(); ++i) {
      velocity[i] = kMomentum * velocity[i] + gradient[i] + kDecay * values[i];
      values[i] -= kRate * velocity[i];
    }
  }
};

// Features of both modalities: sample s of identity k is row k * kSamples + s.
struct Features {
  Matrix of[2];
  explicit Features(Random& random) {
    const Matrix points = random.matrix(kIdentities * kInput, 1);
    for (Matrix& features : of) {
      const Matrix turn = random.matrix(kInput * kInput, 0.6f / std::sqrt(float{kInput}));
      const Matrix shift = random.matrix(kInput, 1);
      Matrix turned;
      multiply(points, turn, kIdentities, kInput, kInput, turned);
      for (int row = 0; row < kIdentities * kSamples; ++row)
        for (int j = 0; j < kInput; ++j) {
          const int at = row / kSamples * kInput + j;
          features.push_back(0.7f * points[at] + turned[at] + shift[j] + 0.7f * random.normal());
        }
    }
  }
};

// Of each thermal sample of the last third of an identity's: whether its nearest visible one, by the cosine,
// has its identity.
double rank1(const Features& features, const Matrix& embedding) {
  Matrix x[2];
  for (int m = 0; m < 2; ++m) {
    multiply(features.of[m], embedding, kIdentities * kSamples, kInput, kWidth, x[m]);
    for (int row = 0; row < kIdentities * kSamples; ++row) {
      float squares = 0;
      for (int j = 0; j < kWidth; ++j) squares += x[m][row * kWidth + j] * x[m][row * kWidth + j];
      for (int j = 0; j < kWidth; ++j) x[m][row * kWidth + j] /= std::sqrt(squares);
    }
  }
  const auto held_out = [](int row) { return row % kSamples >= kSamples * 2 / 3; };
  int right = 0, queries = 0;
  for (int q = 0; q < kIdentities * kSamples; ++q) {
    if (!held_out(q)) continue;
    int best = -1;
    float most = -2;
    for (int g = 0; g < kIdentities * kSamples; ++g) {
      float cosine = 0;
      for (int j = 0; j < kWidth; ++j) cosine += x[1][q * kWidth + j] * x[0][g * kWidth + j];
      if (held_out(g) && cosine > most) most = cosine, best = g;
    }
    right += best / kSamples == q / kSamples;
    ++queries;
  }
  return static_cast<double>(right) / queries;
}

}  // namespace

int main(int argc, char** argv) {
  Random random(argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1);
  const Features features(random);
  Parameter embedding(random.matrix(kInput * kWidth, 1 / std::sqrt(float{kInput})));
  Parameter classifier(random.matrix(kWidth * kIdentities, 0.1f));

  Matrix input(kRows * kInput), x, logits, x_gradient(kRows * kWidth), logits_gradient(kRows * kIdentities);
  std::vector<int32_t> labels(kRows), modalities(kRows);
  float value[3];  // the total, identity, CMDC

  tyto_identity_and_cmdc_loss_desc loss;
  tyto_identity_and_cmdc_loss_defaults(&loss, sizeof loss);
  loss.elements = TYTO_FLOAT;
  loss.rows = kRows, loss.width = kWidth, loss.classes = kIdentities;
  loss.labels = labels.data(), loss.modalities = modalities.data();
  loss.value = value, loss.gradient = x_gradient.data(), loss.logits_gradient = logits_gradient.data();
  char error[256];
  size_t bytes = 0;
  if (tyto_identity_and_cmdc_loss_workspace(&loss, &bytes, error, sizeof error) != TYTO_LOSSES_OK)
    fail(error);
  std::vector<unsigned char> workspace(bytes);

  std::printf("epoch   total  identity    cmdc  rank-1 thermal to visible\n");
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    double sums[3] = {0, 0, 0};
    for (int batch = 0; batch < kBatches; ++batch) {
      int order[kIdentities];
      for (int k = 0; k < kIdentities; ++k) order[k] = k;
      for (int k = 0; k < kBatchIdentities; ++k)
        std::swap(order[k], order[k + random.below(kIdentities - k)]);
      for (int row = 0; row < kRows; ++row) {
        labels[row] = order[row / 2 % kBatchIdentities], modalities[row] = row % 2;
        const int sample = labels[row] * kSamples + random.below(kSamples * 2 / 3);
        std::copy_n(&features.of[modalities[row]][sample * kInput], kInput, &input[row * kInput]);
      }
      multiply(input, embedding.values, kRows, kInput, kWidth, x);
      multiply(x, classifier.values, kRows, kWidth, kIdentities, logits);
      loss.features = x.data(), loss.logits = logits.data();
      if (tyto_identity_and_cmdc_loss(&loss, workspace.data(), bytes, nullptr, error, sizeof error) !=
          TYTO_LOSSES_OK)
        fail(error);
      for (int k = 0; k < 3; ++k) sums[k] += double{value[k]} / kBatches;

      Matrix through_logits, gradient;
      multiply(logits_gradient, transposed(classifier.values, kWidth, kIdentities), kRows, kIdentities,
               kWidth, through_logits);
      for (size_t i = 0; i < x_gradient.size(); ++i) x_gradient[i] += through_logits[i];
      multiply(transposed(x, kRows, kWidth), logits_gradient, kWidth, kRows, kIdentities, gradient);
      classifier.step(gradient);
      multiply(transposed(input, kRows, kInput), x_gradient, kInput, kRows, kWidth, gradient);
      embedding.step(gradient);
    }
    std::printf("%5d %7.3f %9.3f %7.3f %6.3f\n", epoch, sums[0], sums[1], sums[2],
                rank1(features, embedding.values));
  }
}
