// Images in, one unit-length feature vector each out: the test-time rule of person re-identification.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tyto/context.h"
#include "tyto/image.h"
#include "tyto/model.h"
#include "tyto/plan.h"

namespace tyto {

struct ExtractOptions {
  Precision precision = Precision::Fp32;
  int batch = 8;
  bool flip = true;  // add the features of the mirrored image
  std::vector<double> scales = {
      1};  // each image is rescaled by sqrt(scale), one after the other, compounding
};

// For each orientation and scale the network's output `features` is summed, and the sum divided by its length
// (Person_reID_baseline_pytorch, test.py). A zero sum stays zero. With one batch size an image's feature is
// bit-identical whatever stands beside it. Serves one thread at a time; model and context must outlive it.
class FeatureExtractor {
 public:
  // Error{Unsupported} where the network has no output `features`, Error{Usage} for impossible options.
  FeatureExtractor(const Model& model, Context& context, ExtractOptions options = {});
  ~FeatureExtractor();

  int64_t dimensions() const;

  // input: F32 [batch, 3, H, W], preprocessed, rows that hold no image being zero; Error{Shape} for any other.
  // features: [batch, dimensions], the extractor's own until the next call.
  const Tensor& run(const Tensor& input);

  // The same in two halves, as Plan's; from a preprocessed input, or from at most `batch` images, which may go when
  // the call returns and whose features are the first rows.
  void submit(const Tensor& input);
  void submit(std::span<const Image> images);
  const Tensor& collect();
  int in_flight() const;

  // Whether the device preprocesses images faster than threads that prepare inputs for submit() would.
  bool preprocesses() const;

  // Preprocesses by the model's rule, in batches. Returns [images.size(), dimensions].
  Tensor extract(std::span<const Image> images);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto
