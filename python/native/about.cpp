// What was built, and what it runs on.
#include "files/json.h"
#include "python/native/call.h"
#include "tyto/context.h"
#include "tyto/version.h"

extern "C" int32_t tyto_python_describe(tyto_python_text* text) noexcept {
  return tyto::python::answer(text, [] {
    auto gpus = nlohmann::ordered_json::array();
    for (const auto& [name, value] : tyto::describe_gpus()) gpus.push_back({name, value});
    return tyto::dump_json({{"version", tyto::kVersion}, {"gpus", gpus}});
  });
}
