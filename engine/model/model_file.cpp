#include "engine/model/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "engine/graph/graph.h"
#include "engine/images/preprocessing_rule.h"
#include "engine/networks/inputs.h"
#include "files/finite.h"
#include "files/json.h"
#include "files/json_object.h"
#include "files/sha256.h"

namespace tyto {
namespace {

using nlohmann::ordered_json;

constexpr const char* kKey = "tyto";
constexpr int kMaxNesting = 8;
constexpr int kMaxViews = 1024;                   // images a sample
constexpr int64_t kMaxSample = int64_t{1} << 31;  // values a sample, of an input that is no image
constexpr size_t kMaxRank = 8;
constexpr int kMaxCells = 1 << 16;  // of a grid, along an axis

constexpr Named<Task> kTasks[] = {{"classify", Task::Classify},
                                  {"embed", Task::Embed},
                                  {"detect", Task::Detect},
                                  {"bev", Task::Bev},
                                  {"raw", Task::Raw}};
constexpr Named<bool> kRows[] = {{"x", true}, {"y", false}};          // BevGridInfo::rows_are_x
constexpr Named<bool> kFrames[] = {{"ego", false}, {"lidar", true}};  // BevGridInfo::lidar_frame
constexpr Named<DType> kInputTypes[] = {{"F32", DType::F32}, {"I32", DType::I32}};
// Of outputs; what is no type of its own is the plan's.
constexpr Named<std::optional<DType>> kOutputTypes[] = {
    {"activations", std::nullopt}, {"F32", DType::F32}, {"I32", DType::I32}};

ordered_json to_json(const InputInfo& input) {
  if (input.is_images())
    return {{"images", input.views}, {"preprocessing", ordered_json::parse(input.preprocessing)}};
  ordered_json j = {{"type", name_in(kInputTypes, input.type)}, {"shape", input.sample.dims()}};
  if (input.counted) j["counted"] = true;
  if (!input.sizes_of.empty()) j["sizes_of"] = input.sizes_of;
  if (input.steady) j["steady"] = true;
  return j;
}

ordered_json to_json(const OutputInfo& output) {
  ordered_json j = {{"type", name_in(kOutputTypes, output.type)}};
  if (!output.count.empty()) j["count"] = output.count;
  return j;
}

ordered_json to_json(const BevGridInfo& grid) {
  return {{"lower", grid.lower},
          {"step", grid.step},
          {"cells", grid.cells},
          {"rows", name_in(kRows, grid.rows_are_x)},
          {"frame", name_in(kFrames, grid.lidar_frame)}};
}

std::string to_json(const ModelInfo& info) {
  ordered_json j;
  j["format"] = ModelInfo::kFormatVersion;
  j["network"] = info.network;
  j["task"] = name_of(info.task.value());
  j["options"] = info.options;
  j["inputs"] = inputs_json(info);
  j["outputs"] = outputs_json(info);
  if (!info.state.empty()) j["state"] = info.state;
  if (info.grid) j["grid"] = to_json(*info.grid);
  if (!info.class_names.empty()) j["class_names"] = info.class_names;
  j["source_sha256"] = info.source_sha256;
  j["tensors_sha256"] = info.tensors_sha256;
  return j.dump();
}

Preprocessing read_rule(const ordered_json& rule, const std::string& where) {
  try {
    return preprocessing_from_json(rule.dump());
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("{}: {}", where, e.what()));
  }
}

Shape read_sample(const JsonObject& input) {
  const auto sizes = input.get<std::vector<int64_t>>("shape");
  int64_t values = 1;
  for (const int64_t size : sizes) {
    if (size < 1 || size > kMaxSample / values)
      input.refuse("shape", fmt::format("a list of sizes from 1 whose product is {} at most", kMaxSample));
    values *= size;
  }
  if (sizes.size() > kMaxRank) input.refuse("shape", fmt::format("a list of {} sizes at most", kMaxRank));
  return Shape(sizes);
}

InputInfo read_input(const std::string& name, const JsonObject& object, const std::string& where) {
  InputInfo input;
  if (object.has("images")) {
    const int views = object.get<int>("images", 1, kMaxViews);
    input = image_input(read_rule(object.at("preprocessing"), where), name, views);
  } else {
    const DType type = object.get("type", kInputTypes);
    const bool counted = object.has("counted") && object.get<bool>("counted");
    input = tensor_input(name, type, read_sample(object), counted);
    if (object.has("sizes_of")) {
      input.sizes_of = object.get<std::string>("sizes_of");
      if (input != sizes_input(input.sizes_of, name)) object.refuse("sizes_of", "an image's sizes, F32 [4]");
    }
    if (object.has("steady")) input.steady = object.get<bool>("steady");
    if (counted && input.sample.rank() == 0) object.refuse("shape", "that of rows, which alone are counted");
  }
  object.finish();
  return input;
}

// Names that go to graphs, reports and other files.
void check_name(const JsonObject& names, const std::string& name) {
  if (name.empty() || name.size() > 100)
    names.fail(fmt::format("has a name of {} bytes, \"{}\"", name.size(), name));
}

std::vector<InputInfo> read_inputs(const JsonObject& inputs, const std::string& where) {
  std::vector<InputInfo> read;
  std::set<std::string> names;
  for (const auto& [name, value] : inputs.value().items()) {
    check_name(inputs, name);
    const std::string at = fmt::format("{}: \"inputs\": \"{}\"", where, name);
    const InputInfo& input = read.emplace_back(read_input(name, JsonObject(value, at), at));
    if (!names.insert(name).second || (input.counted && !names.insert(name + kCountSuffix).second))
      inputs.fail(fmt::format("has two inputs of one name, counts included: \"{}\"", name));
  }
  if (read.empty()) inputs.fail("is empty; a network takes one input at least");
  for (const InputInfo& input : read) {
    if (input.sizes_of.empty()) continue;
    const auto image = std::ranges::find(read, input.sizes_of, &InputInfo::name);
    if (image == read.end() || !image->is_images() || image->views != 1)
      inputs.fail(fmt::format("has sizes of \"{}\", which is no input of one image", input.sizes_of));
  }
  return read;
}

std::vector<OutputInfo> read_outputs(const JsonObject& outputs, const std::string& where) {
  std::vector<OutputInfo> read;
  for (const auto& [name, value] : outputs.value().items()) {
    check_name(outputs, name);
    const JsonObject object(value, fmt::format("{}: \"outputs\": \"{}\"", where, name));
    OutputInfo output{name, object.get("type", kOutputTypes)};
    if (object.has("count")) {
      output.count = object.get<std::string>("count");
      if (output.count != name + kCountSuffix) object.refuse("count", '"' + name + kCountSuffix + '"');
    }
    object.finish();
    read.push_back(std::move(output));
  }
  if (read.empty()) outputs.fail("is empty; a network has one output at least");
  return read;
}

// Inputs of numbers, each with an output of the same type.
void check_state(const ModelInfo& info, const JsonObject& state) {
  for (const auto& [input, output] : info.state) {
    const auto in = std::ranges::find(info.inputs, input, &InputInfo::name);
    if (in == info.inputs.end() || in->is_images() || in->counted)
      state.fail(fmt::format("has an \"{}\", which is no input of a fixed number of values", input));
    const auto out = std::ranges::find(info.outputs, output, &OutputInfo::name);
    if (out == info.outputs.end() || out->type != in->type || !out->count.empty())
      state.refuse(input, fmt::format("an output of {}", name_of(in->type)));
  }
}

BevGridInfo read_grid(const JsonObject& object) {
  BevGridInfo grid;
  grid.lower = object.get<std::array<double, 3>>("lower");
  grid.step = object.get<std::array<double, 3>>("step");
  grid.cells = object.get<std::array<int, 3>>("cells");
  grid.rows_are_x = object.get("rows", kRows);
  grid.lidar_frame = object.get("frame", kFrames);
  if (std::ranges::any_of(grid.step, [](double step) { return !(step > 0); }))
    object.refuse("step", "a list of 3 positive numbers");
  if (std::ranges::any_of(grid.cells, [](int cells) { return cells < 1 || cells > kMaxCells; }))
    object.refuse("cells", fmt::format("a list of 3 numbers from 1 to {}", kMaxCells));
  object.finish();
  return grid;
}

// Format 1 knew networks of one image.
void read_format_1(const JsonObject& description, const std::string& origin, ModelInfo& info) {
  info.inputs = {image_input(read_rule(description.at("preprocessing"), origin))};
}

// Format 2 knew neither maps of the ground nor steady inputs.
void read_later_format(const JsonObject& description, const std::string& where, ModelInfo& info) {
  info.task = description.get("task", kTasks);
  info.inputs = read_inputs(description.object("inputs"), where);
  info.outputs = read_outputs(description.object("outputs"), where);
  if (description.has("state")) {
    info.state = description.get<std::map<std::string, std::string>>("state");
    check_state(info, description.object("state"));
  }
  if ((info.task == Task::Bev) != description.has("grid"))
    description.fail("has a \"grid\" without the task bev, or this task without a grid");
  if (description.has("grid")) info.grid = read_grid(description.object("grid"));
}

}  // namespace

std::string name_of(Task task) { return std::string(name_in(kTasks, task)); }

ordered_json inputs_json(const ModelInfo& info) {
  ordered_json j = ordered_json::object();
  for (const InputInfo& input : info.inputs) j[input.name] = to_json(input);
  return j;
}

ordered_json outputs_json(const ModelInfo& info) {
  ordered_json j = ordered_json::object();
  for (const OutputInfo& output : info.outputs) j[output.name] = to_json(output);
  return j;
}

ModelInfo read_model_info(const SafetensorsFile& file) {
  const auto it = file.metadata().find(kKey);
  if (it == file.metadata().end())
    throw Error(
        ErrorKind::Format,
        fmt::format("{} is not a tyto model: its metadata has no key 'tyto'; make one with `tyto convert`",
                    file.origin()));
  ModelInfo info;
  const std::string where = file.origin() + ": its model description";
  const ordered_json j = parse_json(it->second, kMaxNesting, where);
  const JsonObject description(j, where);
  if (description.has("kind"))
    throw Error(ErrorKind::Format, fmt::format("{} is not a tyto model but a file of {}", file.origin(),
                                               description.get<std::string>("kind")));
  const auto version = description.get<int64_t>("format", 1, std::numeric_limits<int64_t>::max());
  if (version > ModelInfo::kFormatVersion)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{} has model format {}, this tyto knows up to {}; use a newer tyto",
                            file.origin(), version, ModelInfo::kFormatVersion));
  info.network = description.get<std::string>("network");
  info.options = description.get<std::map<std::string, std::string>>("options");
  version == 1 ? read_format_1(description, file.origin(), info)
               : read_later_format(description, where, info);
  if (description.has("class_names"))
    info.class_names = description.get<std::vector<std::string>>("class_names");
  info.source_sha256 = description.get<std::string>("source_sha256");
  info.tensors_sha256 = description.get<std::string>("tensors_sha256");
  if (version > 1) description.finish();
  return info;
}

void write_model(const std::filesystem::path& path, ModelInfo info, const TensorSource& source,
                 const std::vector<std::string>& names, const std::function<void()>& poll) {
  SafetensorsWriter::Declared declared;
  for (const std::string& name : names) declared.emplace_back(name, source.find(name).value());
  info.tensors_sha256 = std::string(64, '0');
  SafetensorsWriter writer(path, declared, {{kKey, to_json(info)}});
  Sha256 sha;
  for (const std::string& name : names) {
    if (poll) poll();
    const Tensor tensor = source.read(name);
    check_finite(tensor, name, source.origin());
    sha.update(tensor.data(), static_cast<size_t>(tensor.bytes()));
    writer.append(name, tensor);
  }
  info.tensors_sha256 = sha.hex();
  writer.commit({{kKey, to_json(info)}});
}

}  // namespace tyto
