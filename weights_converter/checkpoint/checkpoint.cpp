#include "weights_converter/checkpoint/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>

#include "files/named.h"
#include "files/safetensors.h"
#include "tyto/error.h"
#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/state_dict.h"
#include "weights_converter/wrappers.h"

namespace tyto {
namespace {

// The first bytes of a file, as far as any format's mark reaches.
std::string read_head(const File& file) {
  std::string head(static_cast<size_t>(std::min<uint64_t>(file.size(), 512)), '\0');
  file.read(0, std::as_writable_bytes(std::span(head)));
  return head;
}

// Names for what people often have in place of a checkpoint.
void refuse_other_files(std::string_view head, const std::string& origin) {
  const auto refuse = [&](const char* what) {
    throw Error(ErrorKind::Format, fmt::format("{}: {}", origin, what));
  };
  if (head.empty()) refuse("it is empty");
  if (head.starts_with("PYTORCH1"))
    refuse("an obsolete preview format of PyTorch 1.0; re-save it with torch.save");
  if (head.starts_with("\x1f\x8b")) refuse("it is compressed by gzip; gunzip it first");
  if (head.starts_with("version https://git-lfs"))
    refuse("a Git LFS pointer, not the file itself; run `git lfs pull`");
  if (head.starts_with("<!DOCTYPE") || head.starts_with("<html"))
    refuse("a web page; the download went wrong");
  if (head.starts_with("\x89HDF")) refuse("an HDF5 file, not a PyTorch checkpoint");
}

CheckpointFormat sniff(const File& file) {
  constexpr size_t kTarMarkAt = 257;
  const std::string head = read_head(file);
  refuse_other_files(head, file.path().string());
  if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06")) return CheckpointFormat::Zip;
  if (head.size() > kTarMarkAt && std::string_view(head).substr(kTarMarkAt).starts_with("ustar"))
    return CheckpointFormat::Tar;
  uint64_t header_bytes = 0;
  if (head.size() > sizeof header_bytes && head[sizeof header_bytes] == '{') {
    std::memcpy(&header_bytes, head.data(), sizeof header_bytes);
    if (header_bytes < file.size()) return CheckpointFormat::Safetensors;
  }
  return CheckpointFormat::Legacy;  // as torch.load takes everything else
}

void open_archive(const File& file, CheckpointFormat format, Archive& archive) {
  switch (format) {
    case CheckpointFormat::Zip:
      return open_zip(file, archive);
    case CheckpointFormat::Tar:
      return open_tar(file, archive);
    default:
      return open_legacy(file, archive);
  }
}

// The tensors of one dict of a pickle.
class StoredTensors : public TensorSource {
 public:
  StoredTensors(std::shared_ptr<const File> file, StateDict dict)
      : file_(std::move(file)), dict_(std::move(dict)) {
    for (size_t i = 0; i < dict_.tensors.size(); ++i) places_.emplace(dict_.tensors[i].first, i);
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, value] : dict_.tensors) out.push_back(name);
    return out;
  }

  std::optional<TensorSpec> find(const std::string& name) const override {
    const TensorValue* value = value_of(name);
    if (!value) return std::nullopt;
    const StoredTensor& tensor = value->tensor;
    return TensorSpec{tensor.storage.type.dtype.value_or(DType::F32), tensor.shape, value->foreign_type};
  }

  Tensor read(const std::string& name) const override {
    const std::string where = fmt::format("{}: tensor '{}'", origin(), printable(name));
    const TensorValue* value = value_of(name);
    if (!value) throw Error(ErrorKind::Format, where + " is not in the file");
    if (!value->foreign_type.empty())
      throw Error(ErrorKind::Unsupported,
                  fmt::format("{} is of type {}, which tyto cannot hold", where, value->foreign_type));
    return read_stored(*file_, value->tensor);
  }

  std::string origin() const override { return file_->path().string(); }

 private:
  const TensorValue* value_of(const std::string& name) const {
    const auto place = places_.find(name);
    return place == places_.end() ? nullptr : &dict_.tensors[place->second].second;
  }

  std::shared_ptr<const File> file_;
  StateDict dict_;
  std::unordered_map<std::string, size_t> places_;  // of names in dict_.tensors
};

NamedTensors named(std::string key, std::shared_ptr<const TensorSource> tensors) {
  NamedTensors out{.key = std::move(key)};
  out.tensors = without_wrappers(std::move(tensors), out.wrappers);
  return out;
}

// A file while it is opened. Where a step throws, what was read until then is in `archive`.
struct Opening {
  explicit Opening(const std::filesystem::path& path) : file(std::make_shared<File>(path)) {}

  void open() {
    format = sniff(*file);
    if (format != CheckpointFormat::Safetensors) open_archive(*file, format, archive);
  }

  void find_tensors() {
    if (format == CheckpointFormat::Safetensors) {
      dicts.push_back(named("", std::make_shared<SafetensorsFile>(file->path())));
      return;
    }
    scalars = scalars_of(archive);
    for (StateDict& dict : find_state_dicts(archive, file->path().string())) {
      std::string key = dict.key;
      dicts.push_back(named(std::move(key), std::make_shared<StoredTensors>(file, std::move(dict))));
    }
  }

  std::shared_ptr<const File> file;
  CheckpointFormat format = CheckpointFormat::Legacy;
  Archive archive;
  std::vector<std::pair<std::string, std::string>> scalars;
  std::vector<NamedTensors> dicts;
};

// Why a file that names dangerous globals is refused; "" where it names none.
std::string refusal(const GlobalLog& globals, const std::string& origin) {
  const std::string name = globals.first_dangerous();
  if (name.empty()) return {};
  return fmt::format(
      "{} names {}, which a checkpoint has no business calling; nothing was run. `tyto inspect {}` "
      "lists all it names.",
      origin, name, origin);
}

}  // namespace

std::string_view name_of(CheckpointFormat format) {
  static constexpr Named<CheckpointFormat> kNames[] = {{"PyTorch zip", CheckpointFormat::Zip},
                                                       {"PyTorch legacy stream", CheckpointFormat::Legacy},
                                                       {"PyTorch tar", CheckpointFormat::Tar},
                                                       {"safetensors", CheckpointFormat::Safetensors}};
  return name_in(kNames, format);
}

Checkpoint::Checkpoint(const std::filesystem::path& path) {
  Opening file(path);
  const auto refuse_dangerous = [&] {
    const std::string why = refusal(file.archive.space.globals, path.string());
    if (!why.empty()) throw Error(ErrorKind::Format, why);
  };
  try {
    file.open();
  } catch (const Error&) {
    refuse_dangerous();  // the first thing to say of a file, whatever else is wrong with it
    throw;
  }
  refuse_dangerous();
  file.find_tensors();
  format_ = file.format;
  for (GlobalUse& use : file.archive.space.globals.uses()) globals_.push_back(std::move(use.name));
  scalars_ = std::move(file.scalars);
  dicts_ = std::move(file.dicts);
}

CheckpointSummary inspect_checkpoint(const std::filesystem::path& path) {
  CheckpointSummary summary;
  Opening file(path);
  try {
    file.open();
    file.find_tensors();
  } catch (const Error& error) {
    summary.problem = error.what();
  }
  if (const std::string why = refusal(file.archive.space.globals, path.string()); !why.empty())
    summary.problem = why;
  summary.format = file.format;
  summary.globals = file.archive.space.globals.uses();
  summary.scalars = std::move(file.scalars);
  summary.dicts = std::move(file.dicts);
  return summary;
}

}  // namespace tyto
