#include "tyto/model.h"

#include <fmt/format.h>

#include "engine/images/preprocessing_rule.h"
#include "engine/model/model_file.h"
#include "files/sha256.h"

namespace tyto {

Model::Model(const std::filesystem::path& path)
    : file_(std::make_shared<SafetensorsFile>(path)), info_(read_model_info(*file_)) {
  const Preprocessing rule = preprocessing_from_json(info_.preprocessing);
  height_ = rule.height;
  width_ = rule.width;
}

const std::filesystem::path& Model::path() const { return file_->path(); }

InputShapes Model::input_shapes(int64_t batch) const { return {{"input", {batch, 3, height_, width_}}}; }

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
