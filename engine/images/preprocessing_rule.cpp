#include "engine/images/preprocessing_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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

std::string summary(const Preprocessing& rule) {
  return fmt::format("{}, {} to {} x {}", name_of(kResamplings, rule.resampling), name_of(kFits, rule.fit),
                     rule.width, rule.height);
}

void check_rule(const Preprocessing& rule) {
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
  check_rule(rule);
  return rule;
}

}  // namespace tyto
