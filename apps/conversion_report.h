// What a conversion found and decided, for programs: `tyto convert --json`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "weights_converter/convert.h"

namespace tyto::apps {

nlohmann::ordered_json conversion_json(const std::string& model, const Converted& converted);

}  // namespace tyto::apps
