#include "engine/images/preprocessing_rule.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "files/json_object.h"
#include "tyto/error.h"

namespace tyto {
namespace {

using nlohmann::ordered_json;

constexpr int kLargestSize = 1 << 14;  // of a network's input, per side

constexpr const char* kWhere = "the preprocessing rule";

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::Format, fmt::format("{} is broken: {}", kWhere, what));
}

constexpr Named<Resampling> kResamplings[] = {{"pil-bilinear", Resampling::PilBilinear},
                                              {"pil-bicubic", Resampling::PilBicubic},
                                              {"pil-lanczos", Resampling::PilLanczos},
                                              {"opencv-bilinear", Resampling::CvBilinear},
                                              {"torch-bilinear", Resampling::TorchBilinear}};
constexpr Named<Fit> kFits[] = {
    {"stretch", Fit::Stretch}, {"letterbox", Fit::Letterbox}, {"center-crop", Fit::CenterCrop}};
constexpr Named<ChannelOrder> kOrders[] = {{"RGB", ChannelOrder::RGB}, {"BGR", ChannelOrder::BGR}};

float scale_of(const JsonObject& rule) {
  const ordered_json& value = rule.at("scale");
  if (value == "1/255") return 1.0f / 255;
  if (!value.is_number()) rule.refuse("scale", "\"1/255\" or a number");
  return value.get<float>();
}

// The double whose shortest decimal form is the float's: 0.485, not 0.48500001430511475.
double readable(float value) { return std::stod(fmt::format("{}", value)); }

ordered_json readable(const std::array<float, 3>& values) {
  return {readable(values[0]), readable(values[1]), readable(values[2])};
}

}  // namespace

std::string to_json(const Preprocessing& rule) {
  ordered_json object;
  object["size"] = {rule.height, rule.width};
  object["resize"] = name_in(kResamplings, rule.resampling);
  object["fit"] = name_in(kFits, rule.fit);
  if (rule.fit == Fit::Letterbox) object["fill"] = rule.fill;
  if (rule.fit == Fit::CenterCrop) object["shorter_side"] = rule.shorter_side;
  object["channels"] = name_in(kOrders, rule.channels);
  if (rule.scale == 1.0f / 255)
    object["scale"] = "1/255";
  else
    object["scale"] = readable(rule.scale);
  object["mean"] = readable(rule.mean);
  object["std"] = readable(rule.std);
  return object.dump();
}

std::string summary(const Preprocessing& rule) {
  return fmt::format("{}, {} to {} x {}", name_in(kResamplings, rule.resampling), name_in(kFits, rule.fit),
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
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  const JsonObject keys(json, kWhere);
  Preprocessing rule;
  const auto size = keys.get<std::array<int, 2>>("size");
  rule.height = size[0];
  rule.width = size[1];
  rule.resampling = keys.get("resize", kResamplings);
  rule.fit = keys.get("fit", kFits);
  if (rule.fit == Fit::Letterbox) rule.fill = keys.get<int>("fill");
  if (rule.fit == Fit::CenterCrop) rule.shorter_side = keys.get<int>("shorter_side");
  rule.channels = keys.get("channels", kOrders);
  rule.scale = scale_of(keys);
  rule.mean = keys.get<std::array<float, 3>>("mean");
  rule.std = keys.get<std::array<float, 3>>("std");
  keys.finish();
  check_rule(rule);
  return rule;
}

}  // namespace tyto
