// A model file that Python has open.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "python/native/objects.h"
#include "tyto/model.h"

namespace tyto::python {

class OpenModel : public Object {
 public:
  static constexpr const char* kName = "model";

  explicit OpenModel(const std::filesystem::path& path) : model_(path) {}
  const Model& model() const { return model_; }

 private:
  Model model_;
};

nlohmann::ordered_json grid_json(const BevGridInfo& grid);

}  // namespace tyto::python
