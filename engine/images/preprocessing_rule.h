// How a decoded image becomes a network's input: the rule that a model file names.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "kernels/image/normalize.h"
#include "kernels/image/resize.h"

namespace tyto {

using kernels::ChannelOrder;
using kernels::Resampling;

enum class Fit : uint8_t {
  Stretch,     // to height x width, aspect ratio not kept
  Letterbox,   // the largest size of the same aspect ratio that fits, centred on `fill`
  CenterCrop,  // torchvision's Resize(shorter_side), then CenterCrop((height, width))
  // Lift-Splat-Shoot's: scaled to cover height x width, both sides rounded down; of that the middle columns,
  // and the rows that end `bottom` of its height above its lower edge, black where it has none.
  BottomCrop,
  // The network's input is as large as the resized image: torchvision's Resize(shorter_side,
  // max_size=longest_side); or the longer side becomes longest_side, and the other follows, rounded down.
  ShorterSide,
  LongestSide,
  // So are detectors', which scale by min(shorter_side / the image's shorter side, longest_side / its longer
  // side), up as well. The sides are rounded to the nearest, half to even; by TorchBilinear down, after a
  // scale in float, as torchvision's GeneralizedRCNNTransform does. By SkimageBilinear one scale, that of the
  // width, maps boxes back on both axes, as simple-faster-rcnn-pytorch does.
  Within,
};

struct Preprocessing {
  int height = 224, width = 224;  // of the network's input, unless it varies
  Resampling resampling = Resampling::PilBilinear;
  Fit fit = Fit::Stretch;
  int shorter_side = 256;  // CenterCrop, ShorterSide, Within
  int longest_side = 0;    // ShorterSide, at most, 0 for any; LongestSide, Within
  // Where the input varies and the resampling gives floats: its sides are multiples of this, the image at the
  // top left, the rest 0 after normalisation. 0: they are the image's.
  int multiple_of = 0;
  int fill = 0;          // Letterbox only: 0..255, in all three channels
  double bottom = 0.11;  // BottomCrop only: 0 to below 1
  ChannelOrder channels = ChannelOrder::RGB;
  // value = (pixel * scale - mean) / std, in float; mean and std in the network's channel order. A scale of
  // 1.0f / 255 is carried out as pixel / 255, which is what torchvision's ToTensor computes.
  float scale = 1.0f / 255;
  std::array<float, 3> mean = {0, 0, 0};
  std::array<float, 3> std = {1, 1, 1};

  bool operator==(const Preprocessing&) const = default;
};

// The JSON object that a model file carries, for example
//   {"size": [256, 128], "resize": "pil-bicubic", "fit": "stretch", "channels": "RGB", "scale": "1/255",
//    "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
// "resize": pil-bilinear, pil-bicubic, pil-lanczos, opencv-bilinear, and of floats torch-bilinear,
// skimage-bilinear; "fit": stretch, letterbox (with "fill"), center-crop (with "shorter_side"), bottom-crop
// (with "bottom"), and without "size", with "multiple_of" or not, shorter-side (with "shorter_side", and
// "longest_side" or not), longest-side (with "longest_side"), within (with both); "scale": "1/255" or a
// number. from_json(to_json(rule)) == rule.
std::string to_json(const Preprocessing&);
std::string summary(const Preprocessing&);  // "pil-bicubic, letterbox to 300 x 300"
// Strict: a missing or unknown key or an impossible value is Error{Format}, which names it.
Preprocessing preprocessing_from_json(const std::string& json);

// Whether the network's input is as large as each image asks for, not of the rule's size.
inline bool varies(const Preprocessing& rule) {
  return rule.fit == Fit::ShorterSide || rule.fit == Fit::LongestSide || rule.fit == Fit::Within;
}
inline constexpr int kLargestSide = 1 << 14;  // of a network's input

void check_rule(const Preprocessing&);  // Error{Format} for an impossible one

}  // namespace tyto
