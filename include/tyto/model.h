// A trained network in a model file: safetensors with one metadata key that says what the tensors are.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tyto/tensor.h"

namespace tyto {

using InputShapes = std::map<std::string, Shape>;  // by the inputs' names

class SafetensorsFile;
class TensorSource;

// What a network is for.
enum class Task {
  Classify,  // an output `logits` [N, classes], and `features` before it
  Embed,     // an output `features` [N, D]: one vector an image, to be compared with others
  Detect,    // an output `detections` [N, capacity, 6] with a count
  Bev,       // an output `map` [N, classes, rows, columns] of logits on a grid of the ground
  Raw,       // outputs that no pipeline reads; `tyto run` hands them out
};
std::string name_of(Task);  // "classify"

// What a network takes for each of N samples: images, numbers or a table.
struct InputInfo {
  std::string name;
  DType type = DType::F32;    // F32, which no precision rounds, or I32
  Shape sample;               // sizes for a sample, [3, H, W] of images; a plan takes [N * views, sizes ...]
  std::string preprocessing;  // of images: their rule as JSON; else empty
  int views = 1;              // images a sample, which stand one after another
  // Of numbers [4]: for each image of this input the height and width of the resized image, which stands at
  // its top left, and those of the original; pipelines fill them in. Else empty.
  std::string sizes_of = {};
  bool counted = false;  // a sample may have fewer than sample[0] rows: an input NAME.count, I32 [N]
  // The same from run to run more often than not: what depends on such inputs alone is computed again only
  // for samples of which one of them differs.
  bool steady = false;

  bool is_images() const { return !preprocessing.empty(); }
  bool operator==(const InputInfo&) const = default;
};

struct OutputInfo {
  std::string name;
  std::optional<DType> type;  // F32 or I32 whatever the precision; none: the precision's activation_type()
  std::string count;          // see TensorInfo; or empty

  bool operator==(const OutputInfo&) const = default;
};

// Where a network's map of the ground lies. Metres; axes x forward, y left, z up from the ego, or x right, y
// forward from nuScenes' lidar.
struct BevGridInfo {
  std::array<double, 3> lower = {}, step = {};  // x, y, z: of the first cell's faces, and a cell's sides
  std::array<int, 3> cells = {};
  bool rows_are_x = true;    // and columns y; else the other way round
  bool lidar_frame = false;  // else the ego's

  bool operator==(const BevGridInfo&) const = default;
};

// The `tyto` key of a model file.
struct ModelInfo {
  static constexpr int kFormatVersion = 3;

  std::string network;                         // a name of the registry, e.g. "ft_net"
  std::optional<Task> task;                    // none in files of format 1, which did not say
  std::map<std::string, std::string> options;  // what the tensors' shapes cannot tell, e.g. stride=1
  std::vector<InputInfo> inputs;
  std::vector<OutputInfo> outputs;           // none in files of format 1
  std::map<std::string, std::string> state;  // inputs that are an output of the run before: input, output
  std::vector<std::string> class_names;      // of the logits, where known
  std::optional<BevGridInfo> grid;           // of Task::Bev
  std::string source_sha256;                 // of the checkpoint's bytes
  std::string tensors_sha256;                // of the tensors' bytes in the model file: the model's identity
};

// A model is immutable; threads share it. The tensors stay in the file until a plan packs them.
class Model {
 public:
  explicit Model(const std::filesystem::path& path);  // Error{File, Format, Unsupported}

  const ModelInfo& info() const { return info_; }
  const std::filesystem::path& path() const;
  // Of N samples, images as large as their preprocessing rules say (where sizes vary, as a photograph of 4:3
  // becomes); the counts of counted inputs are among them.
  InputShapes input_shapes(int64_t batch) const;
  // The one image a sample that pipelines of images give it, beside its sizes where the network takes them.
  // Error{Unsupported} where the network takes anything else, or keeps state from run to run.
  const InputInfo& image_input() const;
  const InputInfo* sizes_input() const;  // of that image's sizes, or null

  // Whether the tensors' bytes still have the SHA-256 they were written with; reads the whole file.
  bool intact() const;
  void verify() const;  // Error{Format} where they have not

 private:
  friend std::shared_ptr<const TensorSource> tensors_of(const Model& model);

  std::shared_ptr<const SafetensorsFile> file_;
  ModelInfo info_;
};

}  // namespace tyto
