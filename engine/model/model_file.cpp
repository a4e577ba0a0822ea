#include "engine/model/model_file.h"

#include <fmt/format.h>

#include <limits>

#include "engine/images/preprocessing_rule.h"
#include "files/finite.h"
#include "files/json.h"
#include "files/json_object.h"
#include "files/sha256.h"

namespace tyto {
namespace {

using nlohmann::ordered_json;

constexpr const char* kKey = "tyto";
constexpr int kMaxNesting = 8;

std::string to_json(const ModelInfo& info) {
  ordered_json j;
  j["format"] = ModelInfo::kFormatVersion;
  j["network"] = info.network;
  j["options"] = info.options;
  j["preprocessing"] = ordered_json::parse(info.preprocessing);
  if (!info.class_names.empty()) j["class_names"] = info.class_names;
  j["source_sha256"] = info.source_sha256;
  j["tensors_sha256"] = info.tensors_sha256;
  return j.dump();
}

// The rule as this version writes it.
std::string read_rule(const ordered_json& rule, const std::string& origin) {
  try {
    return tyto::to_json(preprocessing_from_json(rule.dump()));
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("{}: {}", origin, e.what()));
  }
}

}  // namespace

ModelInfo read_model_info(const SafetensorsFile& file) {
  const auto it = file.metadata().find(kKey);
  if (it == file.metadata().end())
    throw Error(
        ErrorKind::Format,
        fmt::format("{} is not a tyto model: its metadata has no key 'tyto'; make one with `tyto convert`",
                    file.origin()));
  ModelInfo info;
  const ordered_json j = parse_json(it->second, kMaxNesting, file.origin() + ": its model description");
  const JsonObject description(j, file.origin() + ": its model description");
  if (description.has("kind"))
    throw Error(ErrorKind::Format, fmt::format("{} is not a tyto model but a file of {}", file.origin(),
                                               description.get<std::string>("kind")));
  const auto version = description.get<int64_t>("format", 1, std::numeric_limits<int64_t>::max());
  if (version > ModelInfo::kFormatVersion)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{} has model format {}, this tyto knows up to {}; use a newer tyto",
                            file.origin(), version, ModelInfo::kFormatVersion));
  info.network = description.get<std::string>("network");
  info.options = description.get<std::map<std::string, std::string>>("options");
  info.preprocessing = read_rule(description.at("preprocessing"), file.origin());
  if (description.has("class_names"))
    info.class_names = description.get<std::vector<std::string>>("class_names");
  info.source_sha256 = description.get<std::string>("source_sha256");
  info.tensors_sha256 = description.get<std::string>("tensors_sha256");
  return info;
}

void write_model(const std::filesystem::path& path, ModelInfo info, const TensorSource& source,
                 const std::vector<std::string>& names, const std::function<void()>& poll) {
  SafetensorsWriter::Declared declared;
  for (const std::string& name : names) declared.emplace_back(name, source.find(name).value());
  info.tensors_sha256 = std::string(64, '0');
  SafetensorsWriter writer(path, declared, {{kKey, to_json(info)}});
  Sha256 sha;
  for (const std::string& name : names) {
    if (poll) poll();
    const Tensor tensor = source.read(name);
    check_finite(tensor, name, source.origin());
    sha.update(tensor.data(), static_cast<size_t>(tensor.bytes()));
    writer.append(name, tensor);
  }
  info.tensors_sha256 = sha.hex();
  writer.commit({{kKey, to_json(info)}});
}

}  // namespace tyto
