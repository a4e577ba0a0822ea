#include "engine/images/preprocessing_rule.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "files/json_object.h"
#include "tyto/error.h"

namespace tyto {
namespace {

using nlohmann::ordered_json;

using kernels::gives_bytes;

constexpr const char* kWhere = "the preprocessing rule";

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::Format, fmt::format("{} is broken: {}", kWhere, what));
}

constexpr Named<Resampling> kResamplings[] = {
    {"pil-bilinear", Resampling::PilBilinear},     {"pil-bicubic", Resampling::PilBicubic},
    {"pil-lanczos", Resampling::PilLanczos},       {"opencv-bilinear", Resampling::CvBilinear},
    {"torch-bilinear", Resampling::TorchBilinear}, {"skimage-bilinear", Resampling::SkimageBilinear}};
constexpr Named<Fit> kFits[] = {
    {"stretch", Fit::Stretch},        {"letterbox", Fit::Letterbox},      {"center-crop", Fit::CenterCrop},
    {"bottom-crop", Fit::BottomCrop}, {"shorter-side", Fit::ShorterSide}, {"longest-side", Fit::LongestSide},
    {"within", Fit::Within}};
constexpr Named<ChannelOrder> kOrders[] = {{"RGB", ChannelOrder::RGB}, {"BGR", ChannelOrder::BGR}};

bool has_shorter_side(const Preprocessing& rule) {
  return rule.fit == Fit::CenterCrop || rule.fit == Fit::ShorterSide || rule.fit == Fit::Within;
}

bool has_longest_side(const Preprocessing& rule) {
  return rule.fit == Fit::LongestSide || rule.fit == Fit::Within ||
         (rule.fit == Fit::ShorterSide && rule.longest_side != 0);
}

bool is_padded(const Preprocessing& rule) { return varies(rule) && rule.multiple_of != 0; }

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
  if (!varies(rule)) object["size"] = {rule.height, rule.width};
  object["resize"] = name_in(kResamplings, rule.resampling);
  object["fit"] = name_in(kFits, rule.fit);
  if (rule.fit == Fit::Letterbox) object["fill"] = rule.fill;
  if (rule.fit == Fit::BottomCrop) object["bottom"] = rule.bottom;
  if (has_shorter_side(rule)) object["shorter_side"] = rule.shorter_side;
  if (has_longest_side(rule)) object["longest_side"] = rule.longest_side;
  if (is_padded(rule)) object["multiple_of"] = rule.multiple_of;
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
  std::string size = fmt::format("{} x {}", rule.width, rule.height);
  if (varies(rule)) size = fmt::format("{}", has_shorter_side(rule) ? rule.shorter_side : rule.longest_side);
  if (has_shorter_side(rule) && has_longest_side(rule))
    size += fmt::format(", at most {}", rule.longest_side);
  if (is_padded(rule)) size += fmt::format(", padded to multiples of {}", rule.multiple_of);
  return fmt::format("{}, {} to {}", name_in(kResamplings, rule.resampling), name_in(kFits, rule.fit), size);
}

void check_rule(const Preprocessing& rule) {
  const auto side = [](int size) { return size >= 1 && size <= kLargestSide; };
  if (!varies(rule) && (!side(rule.height) || !side(rule.width)))
    fail(fmt::format("\"size\" is [{}, {}]; sizes go from 1 to {}", rule.height, rule.width, kLargestSide));
  if (has_shorter_side(rule) && !side(rule.shorter_side))
    fail(fmt::format("\"shorter_side\" is {}; sizes go from 1 to {}", rule.shorter_side, kLargestSide));
  if (has_longest_side(rule) && !side(rule.longest_side))
    fail(fmt::format("\"longest_side\" is {}; sizes go from 1 to {}", rule.longest_side, kLargestSide));
  if (rule.fit == Fit::ShorterSide && has_longest_side(rule) && rule.longest_side <= rule.shorter_side)
    fail(fmt::format("\"longest_side\" is {}, which must be more than \"shorter_side\", {}",
                     rule.longest_side, rule.shorter_side));
  if (is_padded(rule) && !side(rule.multiple_of))
    fail(fmt::format("\"multiple_of\" is {}; sizes go from 1 to {}", rule.multiple_of, kLargestSide));
  if (is_padded(rule) && gives_bytes(rule.resampling))
    fail(fmt::format("\"multiple_of\" is for a \"resize\" of floats, which {} is not",
                     name_in(kResamplings, rule.resampling)));
  if (rule.fit == Fit::Letterbox && (rule.fill < 0 || rule.fill > 255))
    fail(fmt::format("\"fill\" is {}, not a byte", rule.fill));
  if (rule.fit == Fit::BottomCrop && !(rule.bottom >= 0 && rule.bottom < 1))
    fail(fmt::format("\"bottom\" is {}; it goes from 0 to below 1", rule.bottom));
  bool usable = std::isfinite(rule.scale) && rule.scale != 0;
  for (int c = 0; c < 3; ++c)
    usable &= std::isfinite(rule.mean[c]) && std::isfinite(rule.std[c]) && rule.std[c] != 0;
  if (!usable) fail("\"scale\", \"mean\" and \"std\" must be finite, \"scale\" and \"std\" not zero");
}

Preprocessing preprocessing_from_json(const std::string& text) {
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  const JsonObject keys(json, kWhere);
  Preprocessing rule;
  rule.fit = keys.get("fit", kFits);
  if (!varies(rule)) {
    const auto size = keys.get<std::array<int, 2>>("size");
    rule.height = size[0];
    rule.width = size[1];
  }
  rule.resampling = keys.get("resize", kResamplings);
  if (rule.fit == Fit::Letterbox) rule.fill = keys.get<int>("fill");
  if (rule.fit == Fit::BottomCrop) rule.bottom = keys.get<double>("bottom");
  if (has_shorter_side(rule)) rule.shorter_side = keys.get<int>("shorter_side");
  if (rule.fit == Fit::LongestSide || rule.fit == Fit::Within ||
      (rule.fit == Fit::ShorterSide && keys.has("longest_side")))
    rule.longest_side = keys.get<int>("longest_side", 1, kLargestSide);
  if (varies(rule) && keys.has("multiple_of"))
    rule.multiple_of = keys.get<int>("multiple_of", 1, kLargestSide);
  rule.channels = keys.get("channels", kOrders);
  rule.scale = scale_of(keys);
  rule.mean = keys.get<std::array<float, 3>>("mean");
  rule.std = keys.get<std::array<float, 3>>("std");
  keys.finish();
  check_rule(rule);
  return rule;
}

}  // namespace tyto
