#include "tyto/model.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>

#include "engine/model/model_file.h"
#include "support/errors.h"
#include "support/small_resnet.h"
#include "support/temporary_folder.h"

namespace tyto {
namespace {

using nlohmann::json;

std::filesystem::path write_described(const std::filesystem::path& path, const std::string& key,
                                      const std::string& description) {
  SafetensorsWriter(path, {}, {{key, description}}).commit();
  return path;
}

json good_description() {
  const TemporaryFolder folder;
  return json::parse(SafetensorsFile(write_small_resnet(folder / "m")).metadata().at("tyto"));
}

TEST(Model, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  ModelInfo info = small_resnet_info();
  info.class_names = {"barn owl", "Schleiereule \"Tyto\""};
  const Model model(write_small_resnet(folder / "m", info));
  EXPECT_EQ(model.info().network, "resnet");
  EXPECT_EQ(model.info().options, info.options);
  EXPECT_EQ(model.info().class_names, info.class_names);
  EXPECT_EQ(model.info().inputs, info.inputs);
  EXPECT_EQ(model.info().outputs, info.outputs);
  EXPECT_EQ(model.info().task, Task::Classify);
  EXPECT_EQ(model.image_input(), info.inputs[0]);
  EXPECT_EQ(model.input_shapes(5).at("input"), (Shape{5, 3, kSmallHeight, kSmallWidth}));
  EXPECT_EQ(tensors_of(model)->names(), invent(small_resnet_layout())->names());
}

TEST(Model, IsWrittenWithEqualBytesTwice) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_text(write_small_resnet(folder / "1"), 10'000'000),
            read_text(write_small_resnet(folder / "2"), 10'000'000));
}

TEST(Model, TellsWhetherItsTensorsWereAltered) {
  const TemporaryFolder folder;
  const auto path = write_small_resnet(folder / "m");
  EXPECT_TRUE(Model(path).intact());
  std::string bytes = read_text(path, 10'000'000);
  bytes.back() ^= 1;
  write_text(path, bytes);
  EXPECT_FALSE(Model(path).intact());
}

TEST(Model, RefusesAFileWithoutADescription) {
  const TemporaryFolder folder;
  const auto path = write_described(folder / "other.safetensors", "format", "pt");
  expect_error([&] { Model{path}; }, ErrorKind::Format, {"other.safetensors", "'tyto'", "tyto convert"});
}

TEST(Model, RefusesANewerFormat) {
  const TemporaryFolder folder;
  for (const int64_t version : {int64_t{4}, (int64_t{1} << 32) + 1}) {
    json newer = good_description();
    newer["format"] = version;
    const auto path = write_described(folder / "new.safetensors", "tyto", newer.dump());
    expect_error([&] { Model{path}; }, ErrorKind::Unsupported,
                 {"new.safetensors", "format " + std::to_string(version), "up to 3", "newer tyto"});
  }
}

TEST(Model, RefusesADamagedDescription) {
  const TemporaryFolder folder;
  const std::string good = good_description().dump();
  for (const std::string& bad : {std::string(), std::string("[]"), std::string("null"), good.substr(1),
                                 good.substr(0, good.size() / 2), std::string(100'000, '[')}) {
    const auto path = write_described(folder / "bad.safetensors", "tyto", bad);
    expect_error([&] { Model{path}; }, ErrorKind::Format, {"bad.safetensors", "model description"});
  }
}

TEST(Model, RefusesADescriptionWithoutOneOfItsKeys) {
  const TemporaryFolder folder;
  for (const char* key :
       {"format", "network", "task", "options", "inputs", "outputs", "source_sha256", "tensors_sha256"})
    for (const json& value : {json(), json(json::array({1})), json({{"a", 1}})}) {
      json bad = good_description();
      if (value.is_null())
        bad.erase(key);
      else
        bad[key] = value;
      const auto path = write_described(folder / "bad.safetensors", "tyto", bad.dump());
      expect_error([&] { Model{path}; }, ErrorKind::Format, {"bad.safetensors"});
    }
}

TEST(Model, RefusesAnImpossiblePreprocessing) {
  const TemporaryFolder folder;
  json bad = good_description();
  bad["inputs"]["input"]["preprocessing"]["resize"] = "pil-nearest";
  const auto path = write_described(folder / "bad.safetensors", "tyto", bad.dump());
  expect_error([&] { Model{path}; }, ErrorKind::Format, {"bad.safetensors", "pil-nearest"});
}

TEST(Model, ReadsBackInputsOfEveryKindAndState) {
  const TemporaryFolder folder;
  ModelInfo info = small_resnet_info();
  const InputInfo cameras = image_input(imagenet_preprocessing(), "cameras", 6);
  info.inputs = {cameras, tensor_input("intrinsics", DType::F32, {6, 3, 3}),
                 tensor_input("runs", DType::I32, {1000, 3}, true), tensor_input("before", DType::F32, {4})};
  info.outputs = {{"map", {}, {}}, {"now", DType::F32, {}}, {"boxes", DType::F32, "boxes.count"}};
  info.state = {{"before", "now"}};
  info.task = Task::Raw;
  const Model model(write_small_resnet(folder / "m", info));
  EXPECT_EQ(model.info().inputs, info.inputs);
  EXPECT_EQ(model.info().outputs, info.outputs);
  EXPECT_EQ(model.info().state, info.state);
  EXPECT_EQ(model.info().task, Task::Raw);
  EXPECT_EQ(model.input_shapes(2), (InputShapes{{"cameras", {12, 3, 224, 224}},
                                                {"intrinsics", {2, 6, 3, 3}},
                                                {"runs", {2, 1000, 3}},
                                                {"runs.count", {2}},
                                                {"before", {2, 4}}}));
  expect_error([&] { model.image_input(); }, ErrorKind::Unsupported, {"/m:", "state"});
  info.state.clear();
  expect_error([&] { Model(write_small_resnet(folder / "m", info)).image_input(); }, ErrorKind::Unsupported,
               {"takes 4 inputs"});
  info.inputs = {cameras};
  expect_error([&] { Model(write_small_resnet(folder / "m", info)).image_input(); }, ErrorKind::Unsupported,
               {"6 images"});
}

TEST(Model, AnImageMayHaveItsSizesBesideIt) {
  const TemporaryFolder folder;
  json description = good_description();
  description["inputs"]["sizes"] = {{"type", "F32"}, {"shape", {4}}, {"sizes_of", "input"}};
  const Model model(write_described(folder / "m.safetensors", "tyto", description.dump()));
  EXPECT_EQ(model.image_input().name, "input");
  ASSERT_TRUE(model.sizes_input());
  EXPECT_EQ(model.sizes_input()->name, "sizes");
  EXPECT_EQ(inputs_json(model.info())["sizes"]["sizes_of"], "input");
}

constexpr const char* kGrid =
    R"({"lower": [-50, -51, -10], "step": [0.5, 0.25, 20], "cells": [20, 30, 1], "rows": "y", "frame": "lidar"})";

TEST(Model, ReadsBackItsGridAndWhichInputsAreSteady) {
  const TemporaryFolder folder;
  ModelInfo info = small_resnet_info();
  info.inputs.push_back(steady_input("intrinsics", {6, 3, 3}));
  info.task = Task::Bev;
  info.grid = {{-50, -51, -10}, {0.5, 0.25, 20}, {20, 30, 1}, false, true};
  const Model model(write_small_resnet(folder / "m", info));
  EXPECT_EQ(model.info().inputs, info.inputs);
  EXPECT_EQ(model.info().grid, info.grid);
  EXPECT_EQ(model.info().task, Task::Bev);
}

TEST(Model, RefusesAGridThatIsNone) {
  const TemporaryFolder folder;
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"/lower", "[1, 2]", "3 numbers"},      {"/step", "[1, 0, 1]", "positive"},
      {"/step", "[1, -1, 1]", "positive"},    {"/cells", "[1, 0, 1]", "from 1 to"},
      {"/cells", "[1, 1e3, 1]", "3 numbers"}, {"/cells", "[1, 65537, 1]", "from 1 to"},
      {"/rows", "\"z\"", "x or y"},           {"/frame", "\"world\"", "ego or lidar"},
      {"/unit", "\"m\"", "\"unit\""}};
  for (const auto& [at, value, message] : cases) {
    json bad = good_description();
    bad["task"] = "bev";
    bad["grid"] = json::parse(kGrid);
    bad["grid"][json::json_pointer(at)] = json::parse(value);
    const auto path = write_described(folder / "bad.safetensors", "tyto", bad.dump());
    SCOPED_TRACE(std::string(at) + " " + value);
    expect_error([&] { Model{path}; }, ErrorKind::Format, {"bad.safetensors", message});
  }
}

TEST(Model, RefusesInputsOutputsAndStateThatCannotBe) {
  const TemporaryFolder folder;
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"/inputs", "{}", "\"inputs\" is empty"},
      {"/inputs/a", R"({"type": "F16", "shape": [2]})", "F32 or I32"},
      {"/inputs/a", R"({"type": "F32", "shape": [2, 0]})", "\"shape\""},
      {"/inputs/a", R"({"type": "F32", "shape": [2, -1]})", "\"shape\""},
      {"/inputs/a", R"({"type": "F32", "shape": [65536, 65536]})", "\"shape\""},
      {"/inputs/a", R"({"type": "F32", "shape": [1,1,1,1,1,1,1,1,1]})", "8 sizes"},
      {"/inputs/a", R"({"type": "F32", "shape": [2], "unit": "m"})", "\"unit\""},
      {"/inputs/a", R"({"type": "I32", "shape": [], "counted": true})", "rows"},
      {"/inputs/a", R"({"type": "I32", "shape": [2], "counted": 1})", "\"counted\""},
      {"/inputs/input.count", R"({"type": "I32", "shape": [2], "counted": "yes"})", "true or false"},
      {"/inputs/a", R"({"type": "F32", "shape": [3], "sizes_of": "input"})", "F32 [4]"},
      {"/inputs/a", R"({"type": "F32", "shape": [4], "sizes_of": "photo"})", "\"photo\""},
      {"/inputs/a", R"({"type": "F32", "shape": [4], "sizes_of": 7})", "\"sizes_of\""},
      {"/inputs/input/images", "0", "from 1"},
      {"/inputs/input/images", "2.5", "whole number"},
      {"/inputs/input/counted", "true", "\"counted\""},
      {"/outputs", "{}", "\"outputs\" is empty"},
      {"/outputs/map/type", "\"F16\"", "activations, F32 or I32"},
      {"/outputs/map/count", "\"features\"", "map.count"},
      {"/outputs/map/shape", "[1]", "\"shape\""},
      {"/state", R"({"before": "map"})", "\"before\""},
      {"/state", R"({"input": "map"})", "\"input\""},
      {"/task", "\"win\"", "classify, embed, detect, bev or raw"},
      {"/task", "\"bev\"", "\"grid\""},
      {"/grid", kGrid, "\"grid\""},
      {"/inputs/a", R"({"type": "F32", "shape": [2], "steady": 1})", "\"steady\""},
      {"/mode", "1", "\"mode\""}};
  for (const auto& [at, value, message] : cases) {
    json bad = good_description();
    bad[json::json_pointer(at)] = json::parse(value);
    const auto path = write_described(folder / "bad.safetensors", "tyto", bad.dump());
    SCOPED_TRACE(std::string(at) + " " + value);
    expect_error([&] { Model{path}; }, ErrorKind::Format, {"bad.safetensors", message});
  }
}

TEST(WriteModel, RefusesValuesThatAreNotFiniteAndLeavesNoFile) {
  const TemporaryFolder folder;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    Tensor weight = noise({4}, 1);
    weight.as<float>()[3] = bad;
    const MemorySource source({{"good.weight", noise({4}, 2)}, {"bad.weight", weight}}, "net.pth");
    expect_error([&] { write_model(folder / "m", small_resnet_info(), source, source.names()); },
                 ErrorKind::Format, {"net.pth", "'bad.weight'", "not finite"});
  }
  EXPECT_EQ(folder.files(), 0);
}

}  // namespace
}  // namespace tyto
