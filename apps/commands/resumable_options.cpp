#include "apps/commands/resumable_options.h"

#include "files/json.h"

namespace tyto::apps {
namespace {

// Of the network's images.
nlohmann::ordered_json preprocessing_of(const ModelInfo& info) {
  for (const InputInfo& input : info.inputs)
    if (input.is_images()) return nlohmann::ordered_json::parse(input.preprocessing);
  return {};
}

}  // namespace

std::string ResumableOptions::identity(const Model& model, const Context& context) const {
  const ModelInfo& info = model.info();
  nlohmann::ordered_json all = {{"model", info.tensors_sha256},    {"network", info.network},
                                {"options", info.options},         {"preprocessing", preprocessing_of(info)},
                                {"class_names", info.class_names}, {"device", context.device_kind()}};
  for (const auto& [name, value] : deciding_) all[name] = value();
  return dump_json(all);
}

std::string ResumableOptions::identity() const {
  nlohmann::ordered_json all;
  for (const auto& [name, value] : deciding_) all[name] = value();
  return dump_json(all);
}

}  // namespace tyto::apps
