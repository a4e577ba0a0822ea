#include "weights_converter/checkpoint/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <unordered_map>

#include "engine/safetensors.h"
#include "tyto/error.h"
#include "weights_converter/checkpoint/archive.h"
#include "weights_converter/checkpoint/state_dict.h"

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
  switch (format) {
    case CheckpointFormat::Zip:
      return "PyTorch zip";
    case CheckpointFormat::Legacy:
      return "PyTorch legacy stream";
    case CheckpointFormat::Tar:
      return "PyTorch tar";
    case CheckpointFormat::Safetensors:
      return "safetensors";
  }
  return "?";
}

struct Checkpoint::Contents {
  explicit Contents(const std::filesystem::path& path) : file(path) {}

  // Where it throws, what was read until then is in `archive`.
  void open(Archive& archive) {
    format = sniff(file);
    if (format == CheckpointFormat::Safetensors)
      safetensors = std::make_unique<SafetensorsFile>(file.path());
    else
      open_archive(file, format, archive);
  }

  void find_tensors(const Archive& archive) {
    if (safetensors)
      take_safetensors();
    else
      take(find_state_dict(archive, file.path().string()));
    for (size_t i = 0; i < names.size(); ++i) places.emplace(names[i], i);
  }

  void take_safetensors() {
    originals = names = safetensors->names();
    std::vector<std::string*> each;
    for (std::string& name : names) each.push_back(&name);
    stripped_prefixes = strip_prefixes(each);
  }

  void take(StateDict dict) {
    state_dict_path = std::move(dict.path);
    stripped_prefixes = std::move(dict.stripped_prefixes);
    scalars = std::move(dict.scalars);
    for (auto& [name, value] : dict.tensors) {
      if (!value.unsupported.empty()) {
        unsupported.push_back({name, value.unsupported});
        continue;
      }
      names.push_back(name);
      tensors.push_back(std::move(value.tensor));
    }
  }

  std::optional<TensorSpec> find(const std::string& name) const {
    const auto place = places.find(name);
    if (place == places.end()) return std::nullopt;
    if (safetensors) return safetensors->find(originals[place->second]);
    const StoredTensor& tensor = tensors[place->second];
    return TensorSpec{.dtype = *tensor.storage.type.dtype, .shape = tensor.shape};
  }

  File file;
  CheckpointFormat format = CheckpointFormat::Legacy;
  std::vector<std::string> globals, stripped_prefixes;
  std::string state_dict_path;
  std::vector<std::pair<std::string, std::string>> scalars;
  std::vector<UnsupportedTensor> unsupported;
  std::vector<std::string> names;
  std::unordered_map<std::string, size_t> places;  // in names and in one of the next two
  std::vector<StoredTensor> tensors;
  std::vector<std::string> originals;  // names in `safetensors`
  std::unique_ptr<SafetensorsFile> safetensors;
};

Checkpoint::Checkpoint(const std::filesystem::path& path) {
  auto contents = std::make_unique<Contents>(path);
  Archive archive;
  const auto refuse_dangerous = [&] {
    const std::string why = refusal(archive.space.globals, contents->file.path().string());
    if (!why.empty()) throw Error(ErrorKind::Format, why);
  };
  try {
    contents->open(archive);
  } catch (const Error&) {
    refuse_dangerous();  // the first thing to say of a file, whatever else is wrong with it
    throw;
  }
  refuse_dangerous();
  contents->find_tensors(archive);
  for (GlobalUse& use : archive.space.globals.uses()) contents->globals.push_back(std::move(use.name));
  contents_ = std::move(contents);
}

Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;

CheckpointFormat Checkpoint::format() const { return contents_->format; }
const std::vector<std::string>& Checkpoint::globals() const { return contents_->globals; }
const std::string& Checkpoint::state_dict_path() const { return contents_->state_dict_path; }
const std::vector<std::string>& Checkpoint::stripped_prefixes() const { return contents_->stripped_prefixes; }
const std::vector<std::pair<std::string, std::string>>& Checkpoint::scalars() const {
  return contents_->scalars;
}
const std::vector<UnsupportedTensor>& Checkpoint::unsupported() const { return contents_->unsupported; }

std::vector<std::string> Checkpoint::names() const { return contents_->names; }
std::string Checkpoint::origin() const { return contents_->file.path().string(); }

std::optional<TensorSpec> Checkpoint::find(const std::string& name) const { return contents_->find(name); }

Tensor Checkpoint::read(const std::string& name) const {
  const std::string where = fmt::format("{}: tensor '{}'", origin(), printable(name));
  const auto place = contents_->places.find(name);
  if (place != contents_->places.end())
    return contents_->safetensors ? contents_->safetensors->read(contents_->originals[place->second])
                                  : read_stored(contents_->file, contents_->tensors[place->second]);
  for (const UnsupportedTensor& tensor : contents_->unsupported)
    if (tensor.name == name)
      throw Error(ErrorKind::Unsupported, fmt::format("{} {}, which tyto cannot hold", where, tensor.why));
  throw Error(ErrorKind::Format, fmt::format("{} is not in the file", where));
}

CheckpointSummary inspect_checkpoint(const std::filesystem::path& path) {
  CheckpointSummary summary;
  Checkpoint::Contents contents(path);
  Archive archive;
  try {
    contents.open(archive);
    contents.find_tensors(archive);
  } catch (const Error& error) {
    summary.problem = error.what();
  }
  if (const std::string why = refusal(archive.space.globals, path.string()); !why.empty())
    summary.problem = why;
  summary.format = contents.format;
  summary.globals = archive.space.globals.uses();
  for (const std::string& name : contents.names) summary.tensors.emplace_back(name, *contents.find(name));
  summary.state_dict_path = std::move(contents.state_dict_path);
  summary.stripped_prefixes = std::move(contents.stripped_prefixes);
  summary.scalars = std::move(contents.scalars);
  summary.unsupported = std::move(contents.unsupported);
  return summary;
}

}  // namespace tyto
