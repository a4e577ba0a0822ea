// Regular expressions that read something off an image's path.
#pragma once

#include <memory>
#include <span>
#include <string>

namespace re2 {
class RE2;
}

namespace tyto::apps {

// RE2's syntax: no back-references, no lookaround; time is linear in the path. Groups may be named as
// (?<name>...). Not checked: see RE2::ok().
std::shared_ptr<const re2::RE2> path_expression(const std::string& expression);

[[noreturn]] void bad_expression(const std::string& option, const std::string& expression,
                                 const std::string& why);

// The same of what a user gave as `option`. Error{Usage} says what is wrong with it: a group of a name that
// is not in `known`, two groups of one.
std::shared_ptr<const re2::RE2> path_expression(const std::string& option, const std::string& expression,
                                                std::span<const char* const> known);

}  // namespace tyto::apps
