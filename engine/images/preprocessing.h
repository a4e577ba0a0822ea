// Carries out a preprocessing rule: a decoded image becomes a network's input.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/images/preprocessing_rule.h"
#include "kernels/image/resize_bilinear.h"
#include "tyto/image.h"

namespace tyto {

void check_image(const Image&);  // Error{Shape} for an empty one or one whose bytes do not match its size
kernels::NormalizeParams normalization_of(const Preprocessing&);

// Applies one rule to image after image. Holds scratch memory, so one per thread; single-threaded inside.
class Preprocessor {
 public:
  explicit Preprocessor(Preprocessing rule);  // Error{Format} as check_rule

  // into: [3, height, width] of fit_image(). Error{Shape} as fit_image and check_image.
  Geometry run(const Image& image, std::span<float> into);

  const Preprocessing& rule() const { return rule_; }

 private:
  Preprocessing rule_;
  kernels::NormalizeTable table_;
  kernels::ResizeScratch scratch_;
  kernels::BilinearScratch bilinear_scratch_;
  std::vector<uint8_t> canvas_;  // [height, width, 3], of the image before
};

}  // namespace tyto
