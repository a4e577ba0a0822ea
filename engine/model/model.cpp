#include "tyto/model.h"

#include <fmt/format.h>

#include "engine/model/model_file.h"
#include "engine/networks/inputs.h"
#include "files/sha256.h"

namespace tyto {

Model::Model(const std::filesystem::path& path)
    : file_(std::make_shared<SafetensorsFile>(path)), info_(read_model_info(*file_)) {}

const std::filesystem::path& Model::path() const { return file_->path(); }

InputShapes Model::input_shapes(int64_t batch) const { return tyto::input_shapes(info_.inputs, batch); }

const InputInfo& Model::image_input() const {
  const InputInfo& first = info_.inputs.front();
  std::string difference;
  if (!info_.state.empty())
    difference = "keeps state from run to run";
  else if (info_.inputs.size() > (sizes_input() ? 2 : 1))
    difference = fmt::format("takes {} inputs", info_.inputs.size());
  else if (!first.is_images() || first.views != 1)
    difference = fmt::format("takes {}",
                             first.is_images() ? fmt::format("{} images a sample", first.views) : "numbers");
  if (difference.empty()) return first;
  throw Error(ErrorKind::Unsupported,
              fmt::format("{}: a {} {}, not one image alone; `tyto run` runs it on tensors", path().string(),
                          info_.network, difference));
}

const InputInfo* Model::sizes_input() const {
  for (const InputInfo& input : info_.inputs)
    if (!input.sizes_of.empty()) return &input;
  return nullptr;
}

std::shared_ptr<const TensorSource> tensors_of(const Model& model) { return model.file_; }

bool Model::intact() const {
  return sha256_of_file(file_->path(), file_->data_begin()) == info_.tensors_sha256;
}

void Model::verify() const {
  if (!intact())
    throw Error(ErrorKind::Format, fmt::format("{}: its tensors are not those that were written (SHA-256 "
                                               "differs); the file was altered or damaged, "
                                               "convert the checkpoint again",
                                               path().string()));
}

}  // namespace tyto
