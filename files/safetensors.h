// safetensors files (huggingface/safetensors): a JSON header and one buffer of row-major, little-endian
// tensors.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "files/file.h"
#include "files/tensor_source.h"

namespace tyto {

// Opens and checks the header: every offset against the file's size, no overlap, no hole, no duplicate name.
// Error{Format} names the file and the tensor. Tensors of types that tyto lacks are listed.
class SafetensorsFile : public TensorSource {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return file_.path(); }
  uint64_t data_begin() const { return data_begin_; }  // the byte after the header

  std::vector<std::string> names() const override;  // by offset
  std::optional<TensorSpec> find(const std::string& name) const override;
  Tensor read(const std::string& name) const override;
  std::string origin() const override { return file_.path().string(); }

  Tensor read_rows(const std::string& name, int64_t first, int64_t count) const;  // rows along dimension 0

 private:
  struct Entry {
    TensorSpec spec;
    uint64_t begin = 0, end = 0;  // bytes from the start of the file
  };
  const Entry& entry(const std::string& name) const;
  const Entry& readable(const std::string& name) const;  // Error{Unsupported} for a foreign type

  File file_;
  uint64_t data_begin_ = 0;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Entry> entries_;
};

// Writes tensors one by one, so that a large file needs the memory of its largest tensor only. The tensors
// are laid out in the order declared, which the caller keeps when appending. Identical calls give identical
// bytes.
class SafetensorsWriter {
 public:
  using Declared = std::vector<std::pair<std::string, TensorSpec>>;
  SafetensorsWriter(const std::filesystem::path& path, Declared tensors,
                    const std::map<std::string, std::string>& metadata);

  void append(const std::string& name, const Tensor& tensor);  // the next declared tensor, whole
  void append_bytes(const void* data, size_t bytes);           // or piecewise, in declared order

  void commit();
  // As above with other metadata, whose JSON may be no longer than the first one's (hashes known only at the
  // end).
  void commit(const std::map<std::string, std::string>& metadata);

 private:
  std::string header(const std::map<std::string, std::string>& metadata) const;

  AtomicFile file_;
  Declared tensors_;
  uint64_t header_bytes_ = 0;
  uint64_t data_bytes_ = 0, written_ = 0;
  size_t next_ = 0;
};

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors);

}  // namespace tyto
