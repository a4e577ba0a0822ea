// PyTorch checkpoints as sources of tensors. Nothing in a checkpoint is ever executed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files/tensor_source.h"
#include "weights_converter/checkpoint/globals.h"

namespace tyto {

enum class CheckpointFormat { Zip, Legacy, Tar, Safetensors };
std::string_view name_of(CheckpointFormat format);  // "PyTorch zip", for people

// A dict of tensors in a checkpoint. The names are the file's without those of wrappers (see
// without_wrappers()). Reading a tensor gives it contiguous, in the file's element type, and needs little
// more memory than the tensor itself.
struct NamedTensors {
  std::string key;  // where it lies: "" for the top level, "model.state_dict", "[1]" for the second of a list
  std::shared_ptr<const TensorSource> tensors;
  std::vector<std::string> wrappers;  // taken out of names: "module.", in the order met
};

// What a file holds and names, also where Checkpoint would refuse it.
struct CheckpointSummary {
  CheckpointFormat format = CheckpointFormat::Legacy;
  std::vector<GlobalUse> globals;                            // sorted by name
  std::vector<std::pair<std::string, std::string>> scalars;  // as Checkpoint::scalars()
  std::vector<NamedTensors> dicts;                           // as Checkpoint::dicts(), or none
  std::string problem;  // why Checkpoint would refuse the file; empty where it would not
};

// An open checkpoint.
class Checkpoint {
 public:
  // Tells the format from the first bytes, whatever the file is called. Reads the structure and checks every
  // offset, not the elements. Error{File}; Error{Format} also where a pickle names a global such as
  // os.system; Error{Unsupported} for TorchScript, big-endian files ...
  explicit Checkpoint(const std::filesystem::path& path);

  CheckpointFormat format() const { return format_; }
  // Every class and function that the pickles name, "collections.OrderedDict" ..., sorted; none in
  // safetensors.
  const std::vector<std::string>& globals() const { return globals_; }
  // Numbers and short texts beside the tensors, at the top level and in its dicts: "epoch", "24";
  // "config.caffe_pretrain", "true".
  const std::vector<std::pair<std::string, std::string>>& scalars() const { return scalars_; }
  // Every dict of tensors and every pickled torch.nn.Module that may be a network: the one with most tensors
  // first, and those with more than an eighth of its tensors. Never empty.
  const std::vector<NamedTensors>& dicts() const { return dicts_; }
  const NamedTensors& main() const { return dicts_.front(); }

 private:
  CheckpointFormat format_ = CheckpointFormat::Legacy;
  std::vector<std::string> globals_;
  std::vector<std::pair<std::string, std::string>> scalars_;
  std::vector<NamedTensors> dicts_;
};

// Error{File} where the file cannot be read at all; everything else becomes the summary's `problem`.
CheckpointSummary inspect_checkpoint(const std::filesystem::path& path);

}  // namespace tyto
