// PyTorch checkpoints as a source of tensors. Nothing in a checkpoint is ever executed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tensor_source.h"
#include "weights_converter/checkpoint/globals.h"

namespace tyto {

enum class CheckpointFormat { Zip, Legacy, Tar, Safetensors };
std::string_view name_of(CheckpointFormat format);  // "PyTorch zip", for people

// A tensor that the file names and tyto cannot hold: complex, quantised, sparse ...
struct UnsupportedTensor {
  std::string name;
  std::string why;  // "has elements of type complex64"
};

// What a file holds and names, also where Checkpoint would refuse it.
struct CheckpointSummary {
  CheckpointFormat format = CheckpointFormat::Legacy;
  std::vector<GlobalUse> globals;  // sorted by name
  std::string state_dict_path;
  std::vector<std::string> stripped_prefixes;
  std::vector<std::pair<std::string, std::string>> scalars;
  std::vector<std::pair<std::string, TensorSpec>> tensors;  // in the file's order
  std::vector<UnsupportedTensor> unsupported;
  std::string problem;  // why Checkpoint would refuse the file; empty where it would not
};

// An open checkpoint. The state_dict is found at the top level, under a usual key ("state_dict", "model" ...)
// or by walking a pickled torch.nn.Module; names are its names without the prefixes 'module.' and
// '_orig_mod.' where every name has them.
class Checkpoint : public TensorSource {
 public:
  // Tells the format from the first bytes, whatever the file is called. Reads the structure and checks every
  // offset, not the elements. Error{File}; Error{Format} also where a pickle names a global such as
  // os.system; Error{Unsupported} for TorchScript, big-endian files ...
  explicit Checkpoint(const std::filesystem::path& path);
  ~Checkpoint() override;
  Checkpoint(Checkpoint&&) noexcept;

  CheckpointFormat format() const;
  // Every class and function that the pickles name, "collections.OrderedDict" ..., sorted; none in
  // safetensors.
  const std::vector<std::string>& globals() const;
  // Where the state_dict was: "" for the top level, "model.state_dict".
  const std::string& state_dict_path() const;
  const std::vector<std::string>& stripped_prefixes() const;
  // Numbers and short texts beside the state_dict: "epoch", "24".
  const std::vector<std::pair<std::string, std::string>>& scalars() const;
  // Not among names().
  const std::vector<UnsupportedTensor>& unsupported() const;

  std::vector<std::string> names() const override;
  std::optional<TensorSpec> find(const std::string& name) const override;
  // Contiguous, in the file's element type. Needs little more memory than the tensor itself.
  Tensor read(const std::string& name) const override;
  std::string origin() const override;

 private:
  friend CheckpointSummary inspect_checkpoint(const std::filesystem::path& path);
  struct Contents;
  std::unique_ptr<const Contents> contents_;
};

// Error{File} where the file cannot be read at all; everything else becomes the summary's `problem`.
CheckpointSummary inspect_checkpoint(const std::filesystem::path& path);

}  // namespace tyto
