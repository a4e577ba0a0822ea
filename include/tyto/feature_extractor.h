// Images in, feature vectors of unit length out: the test-time rule of person re-identification.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tyto/context.h"
#include "tyto/image_pipeline.h"
#include "tyto/model.h"

namespace tyto {

struct ExtractOptions {
  Precision precision = Precision::Fp32;
  int batch = 8;
  std::optional<bool> flip;  // adds the features of the mirrored image; none: as the network's test code does
  // Each image is rescaled by sqrt(scale), one after the other, compounding.
  std::vector<double> scales = {1};
  // The network's options in place of the model file's: modality=thermal
  std::map<std::string, std::string> set;
};

// An output of the network that is a vector an image: `features` of most; AGW has two, `fc` and `pool`.
struct FeatureMatrix {
  std::string name;
  int64_t width = 0;
  bool operator==(const FeatureMatrix&) const = default;
};

// For each orientation and scale the network's vectors are summed, and each sum divided by its length
// (Person_reID_baseline_pytorch, test.py). A zero sum stays zero. With one batch size an image's feature is
// bit-identical whichever images are beside it. An extractor serves one thread at a time; model and context
// must outlive it.
class FeatureExtractor : public ImagePipeline {
 public:
  // Error{Unsupported} where the network has no vector an image or takes more than an image, Error{Usage}
  // for impossible options.
  FeatureExtractor(const Model& model, Context& context, const ExtractOptions& options = {});

  // What a row holds, one after another: the network's default first.
  const std::vector<FeatureMatrix>& matrices() const { return matrices_; }
  int64_t dimensions() const;  // of a row: the sum of their widths
  bool flips() const { return flips_; }

  // [batch, dimensions], or [1, dimensions] of one image where sizes vary: the extractor's own until the next
  // call; rows without an image mean nothing.
  const Tensor& collect();

  // A preprocessed batch, and images in as many batches as they need: [images.size(), dimensions].
  const Tensor& run(const Tensor& input);
  Tensor extract(std::span<const Image> images);

 private:
  std::vector<FeatureMatrix> matrices_;
  bool flips_;
};

}  // namespace tyto
