// Images in, one unit-length feature vector each out: the test-time rule of person re-identification.
#pragma once

#include <span>
#include <vector>

#include "tyto/context.h"
#include "tyto/image_pipeline.h"
#include "tyto/model.h"

namespace tyto {

struct ExtractOptions {
  Precision precision = Precision::Fp32;
  int batch = 8;
  bool flip = true;  // adds the features of the mirrored image
  // Each image is rescaled by sqrt(scale), one after the other, compounding.
  std::vector<double> scales = {1};
};

// For each orientation and scale the network's output `features` is summed, and the sum divided by its length
// (Person_reID_baseline_pytorch, test.py). A zero sum stays zero. With one batch size an image's feature is
// bit-identical whichever images are beside it. An extractor serves one thread at a time; model and context
// must outlive it.
class FeatureExtractor : public ImagePipeline {
 public:
  // Error{Unsupported} where the network has no output `features` or takes more than an image, Error{Usage}
  // for impossible options.
  FeatureExtractor(const Model& model, Context& context, const ExtractOptions& options = {});

  int64_t dimensions() const { return dimensions_; }

  // [batch, dimensions], or [1, dimensions] of one image where sizes vary: the extractor's own until the next
  // call; rows without an image mean nothing.
  const Tensor& collect();

  // A preprocessed batch, and images in as many batches as they need: [images.size(), dimensions].
  const Tensor& run(const Tensor& input);
  Tensor extract(std::span<const Image> images);

 private:
  FeatureExtractor(const Model& model, Context& context, const ExtractOptions& options, const Graph& graph);

  int64_t dimensions_;
};

}  // namespace tyto
