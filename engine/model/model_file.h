// Reading and writing the `tyto` key that makes a safetensors file a model file.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "files/safetensors.h"
#include "tyto/model.h"

namespace tyto {

// Error{Format} where the key is missing or wrong, Error{Unsupported} where it is of a newer format than we
// know.
ModelInfo read_model_info(const SafetensorsFile& file);

std::shared_ptr<const TensorSource> tensors_of(const Model& model);

// Writes these tensors of the source, one at a time, in the order given; values that are not finite are
// refused. info.tensors_sha256 is computed on the way. `poll` is called before each tensor and may throw:
// nothing is written then.
void write_model(const std::filesystem::path& path, ModelInfo info, const TensorSource& source,
                 const std::vector<std::string>& names, const std::function<void()>& poll = {});

}  // namespace tyto
