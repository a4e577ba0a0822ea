#include "apps/reid/path_expression.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

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

}  // namespace

std::shared_ptr<const RE2> path_expression(const std::string& expression) {
  return std::make_shared<RE2>(with_p_before_names(expression), RE2::Quiet);
}

void bad_expression(const std::string& option, const std::string& expression, const std::string& why) {
  throw Error(ErrorKind::Usage, fmt::format("{} '{}': {}", option, expression, why));
}

std::shared_ptr<const RE2> path_expression(const std::string& option, const std::string& expression,
                                           std::span<const char* const> known) {
  auto compiled = path_expression(expression);
  if (!compiled->ok()) bad_expression(option, expression, compiled->error());
  std::set<std::string> seen;
  for (const auto& [number, name] : compiled->CapturingGroupNames()) {
    if (std::ranges::find(known, name) == known.end())
      bad_expression(option, expression,
                     fmt::format("a group named '{}'; {} are known", name, fmt::join(known, " and ")));
    if (!seen.insert(name).second)
      bad_expression(option, expression, fmt::format("two groups are named {}", name));
  }
  return compiled;
}

}  // namespace tyto::apps
