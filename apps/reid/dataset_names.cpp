#include "apps/reid/dataset_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

struct Dataset {
  const char* name;
  const char* expression;  // on the file name; group 1 the identity, group 2 the camera
  const char* example;
};

constexpr Dataset kDatasets[] = {
    {"market1501", R"(^(-1|\d+)_c(\d+)(?:s\d+)?_)", "0002_c1s1_000451_03.jpg"},
    {"dukemtmc", R"(^(\d+)_c(\d+)_f\d+)", "0005_c2_f0046985.jpg"},
    {"msmt17", R"(^(\d+)_\d+_(\d\d)_)", "0000_000_01_0303morning_0015_0.jpg"},
    {"veri", R"(^(\d+)_c(\d+)_)", "0002_c002_00030600_0.jpg"},
};
constexpr const char* kPlain = "plain";

constexpr size_t kMaxExpression = 1000;
constexpr size_t kMaxPath = 4096;  // PATH_MAX

// libstdc++'s breadth-first matcher: polynomial time, where the usual one can take exponential time and deep
// recursion.
constexpr auto kSafeSyntax = std::regex::ECMAScript | std::regex_constants::__polynomial;

[[noreturn]] void bad_expression(const std::string& expression, const std::string& why) {
  throw Error(ErrorKind::Usage, fmt::format("--name-pattern '{}': {}", expression, why));
}

struct Groups {
  std::string expression;  // with plain groups
  int count = 0, id = 0, camera = 0;
};

// std::regex knows no named groups: takes the names out and remembers the numbers.
Groups take_names(const std::string& expression) {
  Groups g;
  bool in_class = false;
  for (size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    g.expression += c;
    if (c == '\\' && i + 1 < expression.size()) {
      g.expression += expression[++i];
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(' && expression.compare(i + 1, 1, "?") != 0) {
      ++g.count;
    } else if (c == '(' && expression.compare(i + 1, 2, "?<") == 0) {
      const size_t end = expression.find('>', i);
      if (end == std::string::npos) bad_expression(expression, "a group's name lacks its '>'");
      const std::string name = expression.substr(i + 3, end - i - 3);
      int& number = name == "id" ? g.id : g.camera;
      if (name != "id" && name != "camera")
        bad_expression(expression, fmt::format("a group named '{}'; id and camera are known", name));
      if (number != 0) bad_expression(expression, fmt::format("two groups are named {}", name));
      number = ++g.count;
      i = end;
    }
  }
  if (g.id == 0 && g.camera == 0) {
    if (g.count == 0)
      bad_expression(expression, "it has no group for the identity, such as (\\d+) or (?<id>\\d+)");
    g.id = 1;
    g.camera = g.count >= 2 ? 2 : 0;
  }
  return g;
}

std::string reason(const std::regex_error& error) {
  switch (error.code()) {
    case std::regex_constants::error_paren:  // also what libstdc++ says of "*a"
    case std::regex_constants::error_badrepeat:
      return "its parentheses do not match, or a *, + or ? has nothing to repeat";
    case std::regex_constants::error_brack:
      return "its brackets do not match";
    case std::regex_constants::error_brace:
    case std::regex_constants::error_badbrace:
      return "its braces are wrong";
    case std::regex_constants::error_escape:
      return "an escape is wrong";
    case std::regex_constants::error_complexity:
    case std::regex_constants::error_backref:
      return "back-references are not supported";
    case std::regex_constants::error_space:
    case std::regex_constants::error_stack:
      return "it is too large";
    default:
      return "it is not a regular expression";
  }
}

}  // namespace

std::vector<std::string> NameRule::datasets() {
  std::vector<std::string> names;
  for (const Dataset& d : kDatasets) names.emplace_back(d.name);
  names.emplace_back(kPlain);
  return names;
}

NameRule NameRule::dataset(const std::string& name) {
  NameRule rule;
  rule.name_ = name;
  if (name == kPlain) {
    rule.labelled_ = false;
    return rule;
  }
  const auto it = std::find_if(std::begin(kDatasets), std::end(kDatasets),
                               [&](const Dataset& d) { return d.name == name; });
  if (it == std::end(kDatasets))
    throw Error(ErrorKind::Usage,
                fmt::format("there is no dataset '{}'; known: {}", name, fmt::join(datasets(), ", ")));
  rule.example_ = it->example;
  rule.expression_ = std::regex(it->expression, kSafeSyntax);
  rule.id_group_ = 1;
  rule.camera_group_ = 2;
  return rule;
}

NameRule NameRule::pattern(const std::string& expression) {
  if (expression.size() > kMaxExpression)
    bad_expression(expression.substr(0, 40) + "...",
                   fmt::format("longer than {} characters", kMaxExpression));
  const Groups groups = take_names(expression);
  NameRule rule;
  rule.name_ = "pattern " + expression;
  rule.file_name_only_ = false;
  rule.id_group_ = groups.id;
  rule.camera_group_ = groups.camera;
  try {
    rule.expression_ = std::regex(groups.expression, kSafeSyntax);
  } catch (const std::regex_error& error) {
    bad_expression(expression, reason(error));
  }
  return rule;
}

ImageLabel NameRule::label(const std::string& path) const {
  if (!labelled_) return {};
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::Format, fmt::format("{}: {}", path, why));
  };
  const std::string text = file_name_only_ ? path.substr(path.rfind('/') + 1) : path;
  std::smatch match;
  if (text.size() > kMaxPath || !std::regex_search(text, match, expression_))
    fail(example_.empty() ? fmt::format("its name does not match the {}", name_)
                          : fmt::format("its name is not one of {}, such as {}; --name-pattern reads others",
                                        name_, example_));
  const auto number = [&](int group, const char* what) -> int64_t {
    if (group == 0 || !match[static_cast<size_t>(group)].matched) return -1;
    const std::string digits = match[static_cast<size_t>(group)];
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < -1)
      fail(fmt::format("the {} '{}' read by {} is not a whole number from -1 on", what, digits, name_));
    return value;
  };
  return {number(id_group_, "identity"), number(camera_group_, "camera")};
}

}  // namespace tyto::apps
