// Images in, labelled boxes out.
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

struct Detection {
  int label = 0;    // the class: a channel of the network's logits; never the background's
  float score = 0;  // probability, in (0, 1]
  // Finite, in pixels of the original image, whose corners are (0, 0) and (width, height). A box may reach
  // beyond them: ssd.pytorch does not clip, and others clip to the network's input, the border of a letterbox
  // included.
  float x = 0, y = 0, width = 0, height = 0;

  bool operator==(const Detection&) const = default;
};

struct DetectOptions {
  Precision precision = Precision::Fp32;
  int batch = 8;
  bool trace = false;  // see Detector::traces()
  // The network's options in place of the model file's: score_threshold=0.3
  std::map<std::string, std::string> set;
};

// Post-processing (scores, box decoding, non-maximum suppression) is part of the network. Its thresholds and
// limits are those of the project that trained it; the model file keeps them as options. For one batch size,
// the detections of an image do not depend on the other images of the batch. A layer that overflows need not
// show as NaN, because a ReLU turns NaN into zero; `tyto selftest MODEL` finds such layers. A detector serves
// one thread at a time; model and context must outlive it.
class Detector : public ImagePipeline {
 public:
  // Error{Unsupported} where the network has no output `detections` or takes more than an image,
  // Error{Usage} for impossible options.
  Detector(const Model& model, Context& context, const DetectOptions& options = {});

  int classes() const { return static_cast<int>(names_.size()); }  // of the logits, background included
  const std::string& name(int label) const;  // the model file's class name, else "class 7"

  // One list an image of the batch, by falling score.
  std::vector<std::vector<Detection>> collect();

  // Of an image, each step's raw tensors by the network's names, and the inputs: of two-stage detectors
  // `rpn_locations` [P, 4], `rpn_logits` [P, 1 or 2], `proposals` [R, 6], `roi_features` [R, C, 7, 7],
  // `locations` [R, classes, 4], `logits` [R, classes]; of single-shot ones `locations` [P, 4] and `logits`
  // [P, classes]; of all `input` [3, H, W] and `detections` [K, 6], in pixels of the input.
  using Trace = std::map<std::string, Tensor>;
  // Of the batch that was collected last, a trace an image; with DetectOptions::trace, and until the next
  // call.
  std::vector<Trace> traces() const;

  // A preprocessed batch, and images in as many batches as they need.
  std::vector<std::vector<Detection>> run(const Tensor& input, std::span<const Geometry> images);
  std::vector<std::vector<Detection>> detect(std::span<const Image> images);

 private:
  Detector(const Model& model, Context& context, const DetectOptions& options, int64_t classes);

  std::vector<std::string> names_;  // of all classes
  std::optional<Result> last_;      // collected
};

}  // namespace tyto
