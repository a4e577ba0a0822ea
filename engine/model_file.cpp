#include "engine/model_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/finite.h"
#include "engine/preprocessing.h"
#include "engine/sha256.h"

namespace tyto {
namespace {

using nlohmann::ordered_json;

constexpr const char* kKey = "tyto";

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

}  // namespace

ModelInfo read_model_info(const SafetensorsFile& file) {
  const auto it = file.metadata().find(kKey);
  if (it == file.metadata().end())
    throw Error(
        ErrorKind::Format,
        fmt::format("{} is not a tyto model: its metadata has no key 'tyto'; make one with `tyto convert`",
                    file.origin()));
  ModelInfo info;
  try {
    const ordered_json j = ordered_json::parse(it->second);
    if (j.contains("kind"))
      throw Error(ErrorKind::Format,
                  fmt::format("this is not a tyto model but a file of {}", j.at("kind").get<std::string>()));
    const auto version = j.at("format").get<int64_t>();
    if (version > ModelInfo::kFormatVersion)
      throw Error(ErrorKind::Unsupported,
                  fmt::format("{} has model format {}, this tyto knows up to {}; use a newer tyto",
                              file.origin(), version, ModelInfo::kFormatVersion));
    info.network = j.at("network").get<std::string>();
    info.options = j.at("options").get<std::map<std::string, std::string>>();
    info.preprocessing = tyto::to_json(preprocessing_from_json(j.at("preprocessing").dump()));
    if (j.contains("class_names")) info.class_names = j.at("class_names").get<std::vector<std::string>>();
    info.source_sha256 = j.at("source_sha256").get<std::string>();
    info.tensors_sha256 = j.at("tensors_sha256").get<std::string>();
  } catch (const ordered_json::exception& e) {
    throw Error(ErrorKind::Format,
                fmt::format("{}: its model description is damaged ({})", file.origin(), e.what()));
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::Unsupported) throw;
    throw Error(e.kind(), fmt::format("{}: {}", file.origin(), e.what()));
  }
  return info;
}

void write_model(const std::filesystem::path& path, ModelInfo info, const TensorSource& source,
                 const std::vector<std::string>& names) {
  SafetensorsWriter::Declared declared;
  for (const std::string& name : names) declared.emplace_back(name, source.find(name).value());
  info.tensors_sha256 = std::string(64, '0');
  SafetensorsWriter writer(path, declared, {{kKey, to_json(info)}});
  Sha256 sha;
  for (const std::string& name : names) {
    const Tensor tensor = source.read(name);
    check_finite(tensor, name, source.origin());
    sha.update(tensor.data(), static_cast<size_t>(tensor.bytes()));
    writer.append(name, tensor);
  }
  info.tensors_sha256 = sha.hex();
  writer.commit({{kKey, to_json(info)}});
}

Model::Model(const std::filesystem::path& path)
    : file_(std::make_shared<SafetensorsFile>(path)), info_(read_model_info(*file_)) {}

const std::filesystem::path& Model::path() const { return file_->path(); }

Shape Model::input_shape(int64_t batch) const {
  const Preprocessing rule = preprocessing_from_json(info_.preprocessing);
  return {batch, 3, rule.height, rule.width};
}

std::shared_ptr<const TensorSource> Model::tensors() const { return file_; }

std::string Model::actual_tensors_sha256() const {
  return sha256_of_file(file_->path(), file_->data_begin());
}

}  // namespace tyto
