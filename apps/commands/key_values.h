// name=value arguments.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tyto/error.h"

namespace tyto::apps {

inline constexpr const char* kSetHelp =
    "an option of the network in place of the model file's: modality=thermal";

inline std::map<std::string, std::string> key_values(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> out;
  for (const std::string& a : arguments) {
    const size_t equals = a.find('=');
    if (equals == std::string::npos || equals == 0)
      throw Error(ErrorKind::Usage, "'" + a + "' is not of the form name=value");
    out[a.substr(0, equals)] = a.substr(equals + 1);
  }
  return out;
}

}  // namespace tyto::apps
