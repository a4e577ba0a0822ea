#include "apps/reid/dataset_names.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "apps/reid/path_expression.h"
#include "files/named.h"
#include "files/whole_number.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

struct Dataset {
  const char* name;
  const char* expression;  // "": names have no labels
  const char* example;
};

constexpr Dataset kDatasets[] = {
    {"market1501", R"(^(-1|\d+)_c(\d+)(?:s\d+)?_)", "0002_c1s1_000451_03.jpg"},
    {"dukemtmc", R"(^(\d+)_c(\d+)_f\d+)", "0005_c2_f0046985.jpg"},
    {"msmt17", R"(^(\d+)_\d+_(\d\d)_)", "0000_000_01_0303morning_0015_0.jpg"},
    {"veri", R"(^(\d+)_c(\d+)_)", "0002_c002_00030600_0.jpg"},
    {"sysu", R"((?:^|/)cam(?<camera>[1-6])/(?<id>\d+)/[^/]+$)", "cam3/0006/0001.jpg"},
    {"regdb", "", ""},
    {"plain", "", ""},
};

}  // namespace

std::vector<std::string> NameRule::datasets() { return names_in(kDatasets); }

NameRule NameRule::dataset(const std::string& name) {
  const Dataset& dataset = row_named(name, kDatasets, "dataset");
  NameRule rule;
  rule.name_ = name;
  rule.labelled_ = *dataset.expression != '\0';
  rule.example_ = dataset.example;
  rule.expression_ = path_expression(dataset.expression);
  if (name == "sysu") rule.part_ = Part::Whole;
  rule.find_groups();
  return rule;
}

NameRule NameRule::pattern(const std::string& expression) {
  NameRule rule;
  rule.name_ = "pattern " + expression;
  rule.part_ = Part::BelowRoot;
  constexpr const char* kOption = "--name-pattern";
  static constexpr const char* kGroups[] = {"id", "camera"};
  rule.expression_ = path_expression(kOption, expression, kGroups);
  if (rule.expression_->NumberOfCapturingGroups() == 0)
    bad_expression(kOption, expression, "it has no group for the identity, such as (\\d+) or (?<id>\\d+)");
  rule.find_groups();
  return rule;
}

// Named groups, else the first and the second.
void NameRule::find_groups() {
  const std::map<std::string, int>& named = expression_->NamedCapturingGroups();
  const auto group = [&](const char* name, int otherwise) {
    const auto it = named.find(name);
    return it != named.end() ? it->second : named.empty() ? otherwise : 0;
  };
  id_group_ = group("id", 1);
  camera_group_ = group("camera", expression_->NumberOfCapturingGroups() >= 2 ? 2 : 0);
}

ImageLabel NameRule::label(const std::string& path, const std::filesystem::path& root) const {
  if (!labelled_) return {};
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::Format, fmt::format("{}: {}", path, why));
  };
  const std::string text = part_ == Part::FileName ? path.substr(path.rfind('/') + 1)
                           : part_ == Part::Whole  ? (root / path).generic_string()
                                                   : path;
  std::vector<re2::StringPiece> groups(1 + static_cast<size_t>(std::max(id_group_, camera_group_)));
  if (!expression_->Match(text, 0, text.size(), RE2::UNANCHORED, groups.data(),
                          static_cast<int>(groups.size())))
    fail(example_.empty() ? fmt::format("its name does not match the {}", name_)
                          : fmt::format("its name is not one of {}, such as {}; --name-pattern reads others",
                                        name_, example_));
  const auto number = [&](int group, const char* what) -> int64_t {
    if (group == 0 || !groups[static_cast<size_t>(group)].data()) return -1;
    const std::string digits(groups[static_cast<size_t>(group)]);
    const auto value = whole_number(digits);
    if (!value || *value < -1)
      fail(fmt::format("the {} '{}' read by {} is not a whole number from -1 on", what, digits, name_));
    return *value;
  };
  return {number(id_group_, "identity"), number(camera_group_, "camera")};
}

}  // namespace tyto::apps
