#include "apps/conversion_report.h"

#include <nlohmann/json.hpp>

#include "engine/model/model_file.h"

namespace tyto::apps {

nlohmann::ordered_json conversion_json(const std::string& model, const Converted& converted) {
  const Recognition& r = converted.recognition;
  nlohmann::ordered_json decisions = nlohmann::ordered_json::object();
  for (const Decision& d : converted.decisions)
    decisions[d.option] = {{"value", d.value}, {"reason", d.reason}};
  return {{"model", model},
          {"network", converted.info.network},
          {"task", name_of(converted.info.task.value())},
          {"options", converted.info.options},
          {"decisions", decisions},
          {"inputs", inputs_json(converted.info)},
          {"outputs", outputs_json(converted.info)},
          {"identity", converted.info.tensors_sha256},
          {"key", r.key},
          {"prefix", r.prefix},
          {"wrappers", r.wrappers},
          {"used", r.used},
          {"ignored", r.ignored},
          {"unused", r.unused},
          {"outside", r.outside}};
}

}  // namespace tyto::apps
