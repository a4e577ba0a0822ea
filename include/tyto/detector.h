// Images in, labelled boxes out.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tyto/context.h"
#include "tyto/image.h"
#include "tyto/model.h"
#include "tyto/plan.h"

namespace tyto {

struct Detection {
  int label = 0;    // the class: a channel of the network's logits; never the background's
  float score = 0;  // probability, in (0, 1]
  // Finite, in pixels of the original image, whose corners are (0, 0) and (width, height). A box may reach beyond
  // them: ssd.pytorch does not clip, and others clip to the network's input, the border of a letterbox included.
  float x = 0, y = 0, width = 0, height = 0;

  bool operator==(const Detection&) const = default;
};

struct DetectOptions {
  Precision precision = Precision::Fp32;
  int batch = 8;
  std::map<std::string, std::string>
      set;  // the network's options in place of the model file's: score_threshold=0.3
};

// Post-processing (scores, decoding, non-maximum suppression) is part of the network, by the thresholds and
// limits of its project, which the model file keeps as options. With one batch size an image's detections are
// identical whatever stands beside it. A network whose layers overflow gives no NaN that would show: a ReLU makes
// them zeros; `tyto selftest MODEL` tells. Serves one thread at a time; model and context must outlive it.
class Detector {
 public:
  // Error{Unsupported} where the network has no output `detections`, Error{Usage} for impossible options.
  Detector(const Model& model, Context& context, DetectOptions options = {});
  ~Detector();

  int classes() const;                       // of the logits, background included
  const std::string& name(int label) const;  // the model file's class name, else "class 7"

  // input: F32 [batch, 3, H, W], preprocessed, rows beyond images.size() being zero. images: how each of the
  // first rows was made. Error{Shape} for any other. Returns one list an image, by falling score.
  std::vector<std::vector<Detection>> run(const Tensor& input, std::span<const Geometry> images);

  // The same in two halves, as Plan's; from a preprocessed input, or from at most `batch` images, which may go when
  // the call returns.
  void submit(const Tensor& input, std::span<const Geometry> images);
  void submit(std::span<const Image> images);
  std::vector<std::vector<Detection>> collect();
  int in_flight() const;

  // Whether the device preprocesses images faster than threads that prepare inputs for submit() would.
  bool preprocesses() const;

  // Preprocesses by the model's rule, in batches.
  std::vector<std::vector<Detection>> detect(std::span<const Image> images);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto
