#include "engine/preprocessing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tyto/error.h"

namespace tyto {
namespace {

using nlohmann::json;

constexpr int kLargestSize = 1 << 14;  // of a network's input, per side

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::Format, "the preprocessing rule is broken: " + what);
}

template <class T>
struct Named {
  std::string_view name;
  T value;
};
constexpr Named<Resampling> kResamplings[] = {{"pil-bilinear", Resampling::PilBilinear},
                                              {"pil-bicubic", Resampling::PilBicubic},
                                              {"pil-lanczos", Resampling::PilLanczos},
                                              {"opencv-bilinear", Resampling::CvBilinear},
                                              {"torch-bilinear", Resampling::TorchBilinear}};
constexpr Named<Fit> kFits[] = {
    {"stretch", Fit::Stretch}, {"letterbox", Fit::Letterbox}, {"center-crop", Fit::CenterCrop}};
constexpr Named<ChannelOrder> kOrders[] = {{"RGB", ChannelOrder::RGB}, {"BGR", ChannelOrder::BGR}};

template <class T, size_t N>
std::string name_of(const Named<T> (&table)[N], T value) {
  return std::string(
      std::find_if(table, table + N, [&](const auto& row) { return row.value == value; })->name);
}

// The keys of one JSON object, each read once; what nobody asked for is an error.
class Keys {
 public:
  explicit Keys(const std::string& text) : object_(json::parse(text, nullptr, false)) {
    if (!object_.is_object()) fail("it is not a JSON object");
  }

  json take(const char* key) {
    const auto found = object_.find(key);
    if (found == object_.end()) fail(fmt::format("\"{}\" is missing", key));
    json value = *found;
    object_.erase(found);
    return value;
  }

  template <class T, size_t N>
  T take(const char* key, const Named<T> (&table)[N]) {
    const json value = take(key);
    std::string known;
    for (const Named<T>& row : table) {
      if (value == row.name) return row.value;
      known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
    }
    fail(fmt::format("\"{}\" is {}; known are {}", key, value.dump(), known));
  }

  int take_integer(const char* key, int low, int high) { return to_integer(key, take(key), low, high); }

  static int to_integer(const char* key, const json& value, int low, int high) {
    if (!value.is_number_integer() || value < low || value > high)
      fail(fmt::format("\"{}\" is {}, not an integer from {} to {}", key, value.dump(), low, high));
    return value.get<int>();
  }

  std::array<float, 3> take_three(const char* key) {
    const json value = take(key);
    std::array<float, 3> three{};
    const auto number = [](const json& v) { return v.is_number(); };
    if (!value.is_array() || value.size() != 3 || !std::all_of(value.begin(), value.end(), number))
      fail(fmt::format("\"{}\" is {}, not three numbers", key, value.dump()));
    for (size_t i = 0; i < 3; ++i) three[i] = value[i].get<float>();
    return three;
  }

  float take_scale() {
    const json value = take("scale");
    if (value == "1/255") return 1.0f / 255;
    if (!value.is_number())
      fail(fmt::format("\"scale\" is {}, neither \"1/255\" nor a number", value.dump()));
    return value.get<float>();
  }

  void check_all_taken() const {
    if (!object_.empty()) fail(fmt::format("\"{}\" is not a key of it", object_.begin().key()));
  }

 private:
  json object_;
};

// The double whose shortest decimal form is the float's: 0.485, not 0.48500001430511475.
double readable(float value) { return std::stod(fmt::format("{}", value)); }

json readable(const std::array<float, 3>& values) {
  return {readable(values[0]), readable(values[1]), readable(values[2])};
}

void check(const Preprocessing& rule) {
  const auto side = [](int size) { return size >= 1 && size <= kLargestSize; };
  if (!side(rule.height) || !side(rule.width))
    fail(fmt::format("\"size\" is [{}, {}]; sizes go from 1 to {}", rule.height, rule.width, kLargestSize));
  if (rule.fit == Fit::CenterCrop && !side(rule.shorter_side))
    fail(fmt::format("\"shorter_side\" is {}; sizes go from 1 to {}", rule.shorter_side, kLargestSize));
  if (rule.fit == Fit::Letterbox && (rule.fill < 0 || rule.fill > 255))
    fail(fmt::format("\"fill\" is {}, not a byte", rule.fill));
  bool usable = std::isfinite(rule.scale) && rule.scale != 0;
  for (int c = 0; c < 3; ++c)
    usable &= std::isfinite(rule.mean[c]) && std::isfinite(rule.std[c]) && rule.std[c] != 0;
  if (!usable) fail("\"scale\", \"mean\" and \"std\" must be finite, \"scale\" and \"std\" not zero");
}

// What the whole image is resampled to, and which part of that lands where on the network's input.
struct Placement {
  kernels::ResizeParams resize;
  int left = 0, top = 0;  // of the window, on the canvas
};

int round_half_even(double x) { return static_cast<int>(std::nearbyint(x)); }

int clamp_size(double size) {
  return static_cast<int>(std::clamp(size, 1.0, static_cast<double>(std::numeric_limits<int>::max() / 4)));
}

// The resampled size of the axis pair: torchvision's _compute_resized_output_size (shorter side exact, the
// other truncated), the letterbox sizes of ultralytics (rounded, half to even), or the network's own.
void choose_size(const Preprocessing& rule, kernels::ResizeParams& p) {
  p.out_width = rule.width;
  p.out_height = rule.height;
  const double width = p.in_width, height = p.in_height;
  if (rule.fit == Fit::Letterbox) {
    const double ratio = std::min(rule.width / width, rule.height / height);
    p.out_width = std::clamp(round_half_even(width * ratio), 1, rule.width);
    p.out_height = std::clamp(round_half_even(height * ratio), 1, rule.height);
  }
  if (rule.fit == Fit::CenterCrop) {
    const double side = rule.shorter_side;
    p.out_width = clamp_size(width <= height ? side : side * width / height);
    p.out_height = clamp_size(width <= height ? side * height / width : side);
  }
}

// Along one axis: a resampled image that is too small is centred, one that is too large cropped, both with
// torchvision's CenterCrop rounding (padding rounded down, crop to the nearest, half to even).
void place(int resampled, int canvas, int& window_begin, int& window_size, int& canvas_begin) {
  canvas_begin = resampled < canvas ? (canvas - resampled) / 2 : 0;
  window_begin = resampled > canvas ? round_half_even((resampled - canvas) / 2.0) : 0;
  window_size = std::min(resampled, canvas);
}

Placement plan(const Preprocessing& rule, const Image& image) {
  Placement placement;
  kernels::ResizeParams& p = placement.resize;
  p.in_width = image.width;
  p.in_height = image.height;
  p.resampling = rule.resampling;
  choose_size(rule, p);
  place(p.out_width, rule.width, p.window_x, p.window_width, placement.left);
  place(p.out_height, rule.height, p.window_y, p.window_height, placement.top);
  return placement;
}

}  // namespace

std::string to_json(const Preprocessing& rule) {
  nlohmann::ordered_json object;
  object["size"] = {rule.height, rule.width};
  object["resize"] = name_of(kResamplings, rule.resampling);
  object["fit"] = name_of(kFits, rule.fit);
  if (rule.fit == Fit::Letterbox) object["fill"] = rule.fill;
  if (rule.fit == Fit::CenterCrop) object["shorter_side"] = rule.shorter_side;
  object["channels"] = name_of(kOrders, rule.channels);
  if (rule.scale == 1.0f / 255)
    object["scale"] = "1/255";
  else
    object["scale"] = readable(rule.scale);
  object["mean"] = readable(rule.mean);
  object["std"] = readable(rule.std);
  return object.dump();
}

Preprocessing preprocessing_from_json(const std::string& text) {
  Keys keys(text);
  Preprocessing rule;
  const json size = keys.take("size");
  if (!size.is_array() || size.size() != 2)
    fail(fmt::format("\"size\" is {}, not [height, width]", size.dump()));
  rule.height = Keys::to_integer("size", size[0], 1, kLargestSize);
  rule.width = Keys::to_integer("size", size[1], 1, kLargestSize);
  rule.resampling = keys.take("resize", kResamplings);
  rule.fit = keys.take("fit", kFits);
  if (rule.fit == Fit::Letterbox) rule.fill = keys.take_integer("fill", 0, 255);
  if (rule.fit == Fit::CenterCrop) rule.shorter_side = keys.take_integer("shorter_side", 1, kLargestSize);
  rule.channels = keys.take("channels", kOrders);
  rule.scale = keys.take_scale();
  rule.mean = keys.take_three("mean");
  rule.std = keys.take_three("std");
  keys.check_all_taken();
  check(rule);
  return rule;
}

Preprocessor::Preprocessor(Preprocessing rule) : rule_(rule) {
  check(rule_);
  table_ = kernels::make_normalize_table(
      {.order = rule_.channels, .scale = rule_.scale, .mean = rule_.mean, .std = rule_.std});
  // Around a letterboxed image stands `fill`; around an image smaller than the crop zero, as in torchvision.
  background_ = static_cast<uint8_t>(rule_.fit == Fit::Letterbox ? rule_.fill : 0);
  canvas_.resize(static_cast<size_t>(rule_.height) * rule_.width * 3);
}

Geometry Preprocessor::run(const Image& image, std::span<float> into) {
  if (image.width < 1 || image.height < 1 ||
      image.rgb.size() != static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3)
    throw Error(ErrorKind::Shape,
                fmt::format("an image of {} x {} pixels with {} bytes cannot be preprocessed", image.width,
                            image.height, image.rgb.size()));
  if (into.size() != canvas_.size())
    throw Error(ErrorKind::Shape, fmt::format("the input of [3, {}, {}] has {} values, not {}", rule_.height,
                                              rule_.width, canvas_.size(), into.size()));
  const Placement placement = plan(rule_, image);
  const kernels::ResizeParams& p = placement.resize;
  const int64_t area = static_cast<int64_t>(rule_.height) * rule_.width;
  const bool covers = p.window_width == rule_.width && p.window_height == rule_.height;
  if (rule_.resampling == Resampling::TorchBilinear) {
    for (size_t c = 0; c < 3 && !covers; ++c)
      std::fill_n(into.begin() + static_cast<int64_t>(c) * area, area, table_.value[c][background_]);
    kernels::resize_torch_cpu(image.rgb.data(), p, table_,
                              into.data() + int64_t{placement.top} * rule_.width + placement.left, area,
                              rule_.width, torch_scratch_);
  } else {
    if (!covers) std::fill(canvas_.begin(), canvas_.end(), background_);
    const int64_t row_bytes = int64_t{3} * rule_.width;
    kernels::resize_cpu(image.rgb.data(), canvas_.data() + placement.top * row_bytes + 3 * placement.left,
                        row_bytes, p, scratch_);
    kernels::normalize_cpu(canvas_.data(), area, table_, into.data());
  }
  return {.scale_x = static_cast<double>(p.out_width) / p.in_width,
          .scale_y = static_cast<double>(p.out_height) / p.in_height,
          .offset_x = static_cast<double>(placement.left - p.window_x),
          .offset_y = static_cast<double>(placement.top - p.window_y)};
}

}  // namespace tyto
