#include "tyto/model.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

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
  EXPECT_EQ(model.info().preprocessing, info.preprocessing);
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
  for (const int64_t version : {int64_t{2}, (int64_t{1} << 32) + 1}) {
    json newer = good_description();
    newer["format"] = version;
    const auto path = write_described(folder / "new.safetensors", "tyto", newer.dump());
    expect_error([&] { Model{path}; }, ErrorKind::Unsupported,
                 {"new.safetensors", "format " + std::to_string(version), "up to 1", "newer tyto"});
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
  for (const char* key : {"format", "network", "options", "preprocessing", "source_sha256", "tensors_sha256"})
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
  bad["preprocessing"]["resize"] = "pil-nearest";
  const auto path = write_described(folder / "bad.safetensors", "tyto", bad.dump());
  expect_error([&] { Model{path}; }, ErrorKind::Format, {"bad.safetensors", "pil-nearest"});
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
