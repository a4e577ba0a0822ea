#include "apps/reid/dataset_names.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "files/named.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

struct Dataset {
  const char* name;
  const char*
      expression;  // on the file name; group 1 the identity, group 2 the camera; "": names have no labels
  const char* example;
};

constexpr Dataset kDatasets[] = {
    {"market1501", R"(^(-1|\d+)_c(\d+)(?:s\d+)?_)", "0002_c1s1_000451_03.jpg"},
    {"dukemtmc", R"(^(\d+)_c(\d+)_f\d+)", "0005_c2_f0046985.jpg"},
    {"msmt17", R"(^(\d+)_\d+_(\d\d)_)", "0000_000_01_0303morning_0015_0.jpg"},
    {"veri", R"(^(\d+)_c(\d+)_)", "0002_c002_00030600_0.jpg"},
    {"plain", "", ""},
};

[[noreturn]] void bad_expression(const std::string& expression, const std::string& why) {
  throw Error(ErrorKind::Usage, fmt::format("--name-pattern '{}': {}", expression, why));
}

// RE2 wants (?P<name>...).
std::string with_p_before_names(std::string expression) {
  for (size_t i = 0; i < expression.size(); ++i) {
    if (expression[i] == '\\')
      ++i;
    else if (expression.compare(i, 3, "(?<") == 0)
      expression.insert(i + 2, "P");
  }
  return expression;
}

std::shared_ptr<const RE2> compiled(const std::string& expression) {
  return std::make_shared<RE2>(with_p_before_names(expression), RE2::Quiet);
}

}  // namespace

std::vector<std::string> NameRule::datasets() { return names_in(kDatasets); }

NameRule NameRule::dataset(const std::string& name) {
  const Dataset& dataset = row_named(name, kDatasets, "dataset");
  NameRule rule;
  rule.name_ = name;
  rule.labelled_ = *dataset.expression != '\0';
  rule.example_ = dataset.example;
  rule.expression_ = compiled(dataset.expression);
  rule.id_group_ = 1;
  rule.camera_group_ = 2;
  return rule;
}

NameRule NameRule::pattern(const std::string& expression) {
  NameRule rule;
  rule.name_ = "pattern " + expression;
  rule.file_name_only_ = false;
  rule.expression_ = compiled(expression);
  if (!rule.expression_->ok()) bad_expression(expression, rule.expression_->error());
  const int groups = rule.expression_->NumberOfCapturingGroups();
  if (groups == 0)
    bad_expression(expression, "it has no group for the identity, such as (\\d+) or (?<id>\\d+)");
  for (const auto& [number, name] : rule.expression_->CapturingGroupNames()) {
    int& group = name == "id" ? rule.id_group_ : rule.camera_group_;
    if (name != "id" && name != "camera")
      bad_expression(expression, fmt::format("a group named '{}'; id and camera are known", name));
    if (group != 0) bad_expression(expression, fmt::format("two groups are named {}", name));
    group = number;
  }
  if (rule.id_group_ == 0 && rule.camera_group_ == 0) {
    rule.id_group_ = 1;
    rule.camera_group_ = groups >= 2 ? 2 : 0;
  }
  return rule;
}

ImageLabel NameRule::label(const std::string& path) const {
  if (!labelled_) return {};
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::Format, fmt::format("{}: {}", path, why));
  };
  const std::string text = file_name_only_ ? path.substr(path.rfind('/') + 1) : path;
  std::vector<re2::StringPiece> groups(1 + static_cast<size_t>(std::max(id_group_, camera_group_)));
  if (!expression_->Match(text, 0, text.size(), RE2::UNANCHORED, groups.data(),
                          static_cast<int>(groups.size())))
    fail(example_.empty() ? fmt::format("its name does not match the {}", name_)
                          : fmt::format("its name is not one of {}, such as {}; --name-pattern reads others",
                                        name_, example_));
  const auto number = [&](int group, const char* what) -> int64_t {
    if (group == 0 || !groups[static_cast<size_t>(group)].data()) return -1;
    const std::string digits(groups[static_cast<size_t>(group)]);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < -1)
      fail(fmt::format("the {} '{}' read by {} is not a whole number from -1 on", what, digits, name_));
    return value;
  };
  return {number(id_group_, "identity"), number(camera_group_, "camera")};
}

}  // namespace tyto::apps
