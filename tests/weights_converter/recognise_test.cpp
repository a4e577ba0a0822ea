// Which network a checkpoint holds, told by running the builders over its tensors.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/model/model_file.h"
#include "files/sha256.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/shapes_only.h"
#include "support/small_resnet.h"
#include "support/small_ssd.h"
#include "support/temporary_folder.h"
#include "weights_converter/convert.h"
#include "weights_converter/nearest.h"

namespace tyto {
namespace {

const std::vector<std::string> kTenNames = {"owl", "b", "c", "d", "e", "f", "g", "h", "i", "j"};

class Recognise : public testing::Test {
 protected:
  const TemporaryFolder folder;
  Layout layout = small_resnet_layout();

  std::filesystem::path checkpoint() const {
    const auto source = invent(layout);
    SafetensorsWriter::Declared declared;
    for (const std::string& name : source->names()) declared.emplace_back(name, *source->find(name));
    SafetensorsWriter writer(folder / "net.pth", declared, {});
    for (const std::string& name : source->names()) writer.append(name, source->read(name));
    writer.commit();
    return folder / "net.pth";
  }
  Converted converted(const ConvertOptions& options = {}) const {
    return convert(checkpoint(), folder / "model.safetensors", options);
  }
  void expect_refused(const std::vector<std::string>& words, const ConvertOptions& options = {}) const {
    expect_error([&] { converted(options); }, ErrorKind::Format, words);
    EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  }
  auto find(const std::string& name) {
    return std::find_if(layout.begin(), layout.end(), [&](const auto& t) { return t.first == name; });
  }
};

TEST_F(Recognise, AResnetByItsTensorsAlone) {
  layout.push_back({"bn1.num_batches_tracked", {1}});
  const Converted result = converted();
  EXPECT_EQ(result.info.network, "resnet");
  EXPECT_EQ(result.info.options, (std::map<std::string, std::string>{{"stride", "2"}}));
  EXPECT_EQ(result.info.source_sha256, sha256_of_file(folder / "net.pth"));
  EXPECT_EQ(result.recognition.ignored, (std::vector<std::string>{"bn1.num_batches_tracked"}));
  const Model model(folder / "model.safetensors");
  const auto source = invent(small_resnet_layout());
  EXPECT_EQ(tensors_of(model)->names(), source->names());
  EXPECT_TRUE(model.intact());
  for (const std::string& name : source->names())
    EXPECT_TRUE(same_bits(tensors_of(model)->read(name), source->read(name))) << name;
}

TEST_F(Recognise, AResnetWithoutItsClassifier) {
  layout.erase(find("fc.weight"), layout.end());
  EXPECT_EQ(converted().info.network, "resnet");
}

TEST_F(Recognise, NamesAMissingTensorAndTheOneItResembles) {
  find("layer2.0.bn1.running_mean")->first = "layer2.0.bn1.runing_mean";
  expect_refused({"net.pth", "resnet", "'layer2.0.bn1.running_mean' [16] is missing",
                  "nearest: 'layer2.0.bn1.runing_mean' [16]"});
}

TEST_F(Recognise, NamesATensorOfAnotherShape) {
  find("layer3.1.conv2.weight")->second = {32, 31, 3, 3};
  expect_refused({"resnet", "'layer3.1.conv2.weight' is [32, 31, 3, 3], not [any, 32, 3, 3]"});
}

TEST_F(Recognise, NamesABlockWhoseSummandsDoNotFit) {
  find("layer1.1.conv2.weight")->second = {9, 8, 3, 3};
  for (const char* part : {"weight", "bias", "running_mean", "running_var"})
    find(std::string("layer1.1.bn2.") + part)->second = {9};
  expect_refused({"resnet", "layer1.1", "[1, 9, 56, 56]", "[1, 8, 56, 56]"});
}

TEST_F(Recognise, NamesTensorsThatNothingUsesUnlessTheyAreAllowed) {
  layout.push_back({"attention.weight", {8, 8}});
  expect_refused({"net.pth", "resnet", "no use for 1", "attention.weight"});
  const ConvertOptions allowed{.wanted = {.network = "resnet", .allow_unused = true}};
  const Converted result = converted(allowed);
  EXPECT_EQ(result.recognition.unused, (std::vector<std::string>{"attention.weight"}));
  EXPECT_FALSE(tensors_of(Model(folder / "model.safetensors"))->find("attention.weight"));
}

TEST_F(Recognise, AllowUnusedNeedsNoNetworksName) {
  layout.push_back({"attention.weight", {8, 8}});
  EXPECT_EQ(converted({.wanted = {.allow_unused = true}}).info.network, "resnet");
}

TEST_F(Recognise, ListsSeveralNetworksThatFit) {
  layout.push_back({"features.0.weight", {8, 3, 3, 3}});  // the least vgg that there is
  layout.push_back({"features.0.bias", {8}});
  expect_refused({"net.pth fits in several ways", "resnet, vgg", "--network"},
                 {.wanted = {.allow_unused = true}});
  EXPECT_EQ(converted({.wanted = {.network = "vgg", .allow_unused = true}}).info.network, "vgg");
}

TEST_F(Recognise, ANetworkBehindATrainersPrefixAndWrappersOfItsParts) {
  for (auto& [name, shape] : layout) {
    if (name.starts_with("layer2.")) name.replace(0, 7, "layer2._checkpoint_wrapped_module.");
    if (name.starts_with("layer3.1.")) name.replace(0, 9, "layer3.1.module.");
    name.insert(0, "_orig_mod.net.");
  }
  layout.push_back({"n_averaged", {1}});
  expect_refused({"resnet under 'net.'", "no use for 1: n_averaged", "--allow-unused"});
  layout.pop_back();
  const Recognition r = converted().recognition;
  EXPECT_EQ(r.prefix, "net.");
  EXPECT_EQ(r.wrappers, (std::vector<std::string>{"_orig_mod.", "_checkpoint_wrapped_module.", "module."}));
  EXPECT_EQ(tensors_of(Model(folder / "model.safetensors"))->names(), invent(small_resnet_layout())->names());
}

TEST_F(Recognise, NamesThePrefixesOfTwoCopiesAndTakesTheOneThatIsChosen) {
  Layout both = {{"queue", {8, 4}}};
  for (const char* copy : {"encoder_k.", "encoder_q."})
    for (const auto& [name, shape] : layout) both.emplace_back(copy + name, shape);
  layout = both;
  for (const bool allow_unused : {false, true})
    expect_refused({"resnet under 'encoder_k.'", "resnet under 'encoder_q.'", "--prefix"},
                   {.wanted = {.allow_unused = allow_unused}});
  for (const char* prefix : {"encoder_q", "module.encoder_q."}) {
    const Converted result = converted({.wanted = {.prefix = prefix}});
    EXPECT_EQ(result.recognition.outside.size(), 1 + small_resnet_layout().size());
    const auto of_file = invent(layout);
    EXPECT_TRUE(same_bits(tensors_of(Model(folder / "model.safetensors"))->read("fc.weight"),
                          of_file->read("encoder_q.fc.weight")));
  }
  expect_error([&] { converted({.wanted = {.prefix = "encoderq"}}); }, ErrorKind::Usage,
               {"--prefix 'encoderq.'", "nearest: 'encoder_q.'"});
  expect_error([&] { converted({.wanted = {.key = "model"}}); }, ErrorKind::Usage,
               {"--key 'model'", "under ''"});
}

TEST_F(Recognise, TakesAWholeNetworkBeforeItsTrunk) {
  Layout ft_net = Layout{{"classifier.add_block.0.weight", {6, 64}}, {"classifier.add_block.0.bias", {6}}} +
                  batch_norm_at("classifier.add_block.1", 6);
  for (const auto& [name, shape] : layout) ft_net.emplace_back("model." + name, shape);
  layout = ft_net;
  EXPECT_EQ(converted().info.network, "ft_net");
  layout.push_back({"attention.weight", {8, 8}});
  EXPECT_EQ(converted({.wanted = {.allow_unused = true}}).info.network, "ft_net");
  EXPECT_EQ(
      converted({.wanted = {.network = "resnet", .prefix = "model", .allow_unused = true}}).info.network,
      "resnet");
  layout.erase(find("classifier.add_block.1.running_var"));
  expect_error([&] { converted({.wanted = {.allow_unused = true}}); }, ErrorKind::Format,
               {"ft_net finds", "'classifier.add_block.1.running_var'"});
}

TEST_F(Recognise, NamesAsNearestTheNetworkThatSharesMostTensors) {
  layout = small_ssd_layout();
  for (size_t i = 0; i < layout.size(); ++i)
    if (i % 4 != 0) layout[i].first += "_of_mine";
  expect_refused({"nearest: ssd300 finds"});
}

TEST_F(Recognise, SaysWhereNoNameIsThatOfANetwork) {
  layout = {{"w1", {3, 3}}, {"w2", {3}}};
  expect_refused({"net.pth fits no network", "none of its tensors"});
}

TEST_F(Recognise, RefusesAForeignTypeOnlyWhereTheNetworkNeedsIt) {
  const auto file_with = [&](const std::string& name) {
    std::string bytes = read_text(checkpoint(), 10'000'000);
    const size_t at = bytes.find("F32", bytes.find("\"" + name + "\""));
    write_text(folder / "net.pth", bytes.replace(at, 3, "U32"));
    return folder / "net.pth";
  };
  layout.push_back({"position_ids", {4}});
  const ConvertOptions allowed{.wanted = {.allow_unused = true}};
  EXPECT_EQ(convert(file_with("position_ids"), folder / "m", allowed).recognition.unused,
            std::vector<std::string>{"position_ids"});
  expect_error([&] { convert(file_with("position_ids"), folder / "m", {}); }, ErrorKind::Format,
               {"no use for 1: position_ids"});
  expect_error([&] { convert(file_with("fc.weight"), folder / "m", allowed); }, ErrorKind::Format,
               {"resnet", "'fc.weight' is [10, 64] of type U32, not [any, 64]"});
}

TEST_F(Recognise, RefusesAnotherNetworkThanTheFileHolds) {
  expect_refused({"net.pth is no vgg", "'features.0.weight'"}, {.wanted = {.network = "vgg"}});
  expect_error([&] { converted({.wanted = {.network = "resnext"}}); }, ErrorKind::Usage,
               {"'resnext'", "resnet"});
}

TEST_F(Recognise, RefusesOptionsThatTheNetworkLacks) {
  expect_error(
      [&] {
        converted({.wanted = {.network = "resnet", .set = {{"depth", "18"}}}});
      },
      ErrorKind::Usage, {"'depth'", "stride"});
  expect_error(
      [&] {
        converted({.wanted = {.network = "resnet", .set = {{"stride", "7"}}}});
      },
      ErrorKind::Usage, {"stride=7"});
}

TEST_F(Recognise, TakesOptionsAndChangesToTheRule) {
  const Converted result = converted({.wanted = {.network = "resnet", .set = {{"stride", "1"}}},
                                      .preprocess = {{"size", "[64, 32]"}, {"fit", "stretch"}},
                                      .class_names = kTenNames});
  const Model model(folder / "model.safetensors");
  EXPECT_EQ(model.info().options.at("stride"), "1");
  EXPECT_EQ(model.info().class_names, kTenNames);
  EXPECT_EQ(model.input_shapes(1).at("input"), (Shape{1, 3, 64, 32}));
}

TEST_F(Recognise, RefusesAWrongNumberOfClassNames) {
  expect_error([&] { converted({.class_names = {"owl"}}); }, ErrorKind::Usage,
               {"1 names", "resnet", "10 classes"});
  layout = small_ssd_layout();
  expect_error([&] { converted({.class_names = kTenNames}); }, ErrorKind::Usage,
               {"10 names", "ssd300", "20 classes and a background"});
}

TEST_F(Recognise, NamesEveryTensorThatADetectorMisses) {
  for (const auto& [name, shape] : small_ssd_layout()) {
    layout = small_ssd_layout();
    layout.erase(find(name));
    SCOPED_TRACE(name);
    expect_refused({"'" + name + "'", "misses 1"}, {.wanted = {.allow_unused = true}});
  }
}

TEST_F(Recognise, RefusesASizeAtWhichTheNetworkCannotRun) {
  layout = small_ssd_layout();
  expect_error(
      [&] {
        converted({.preprocess = {{"size", "[512, 300]"}}});
      },
      ErrorKind::Usage, {"--preprocess", "[512,300]", "300 x 512", "ssd300"});
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
}

TEST_F(Recognise, GivesADetectorItsClassNames) {
  layout = small_ssd_layout();
  const ModelInfo voc = converted().info;
  EXPECT_EQ(voc.network, "ssd300");
  EXPECT_EQ(voc.class_names.size(), 21u);
  EXPECT_EQ(voc.class_names[1], "aeroplane");
  layout = small_ssd_layout(11);
  EXPECT_TRUE(converted().info.class_names.empty());
  const auto named = converted({.class_names = kTenNames}).info.class_names;
  ASSERT_EQ(named.size(), 11u);
  EXPECT_EQ(named[0], "background");
  EXPECT_EQ(named[10], kTenNames[9]);
}

TEST_F(Recognise, SetsOptionsOfARecognisedNetwork) {
  EXPECT_EQ(converted({.wanted = {.set = {{"stride", "1"}}}}).info.options.at("stride"), "1");
}

TEST_F(Recognise, RefusesWeightsThatAreNotFinite) {
  Tensor bad = noise({10}, 1);
  bad.as<float>()[0] = INFINITY;
  layout.erase(find("fc.bias"));
  const auto source = invent(layout);
  SafetensorsWriter::Declared declared;
  for (const std::string& name : source->names()) declared.emplace_back(name, *source->find(name));
  declared.emplace_back("fc.bias", TensorSpec{DType::F32, {10}});
  SafetensorsWriter writer(folder / "net.pth", declared, {});
  for (const std::string& name : source->names()) writer.append(name, source->read(name));
  writer.append("fc.bias", bad);
  writer.commit();
  expect_error([&] { convert(folder / "net.pth", folder / "m", {}); }, ErrorKind::Format,
               {"'fc.bias'", "not finite"});
  EXPECT_FALSE(std::filesystem::exists(folder / "m"));
}

TEST(Probe, OfNothingMatchesNoNetwork) {
  const MemorySource nothing({});
  for (const Network& network : networks()) {
    const Probed r = probe(network, {}, nothing);
    EXPECT_FALSE(r.matches()) << network.name;
    EXPECT_EQ(r.found, 0) << network.name;
    EXPECT_FALSE(r.missing.empty()) << network.name;
  }
}

// Names that the families look for, at shapes that no training code writes.
TEST(Probe, OfAbsurdShapesIsNoMoreThanAMiss) {
  std::mt19937 random(7);
  const int64_t sizes[] = {0, 1, 2, 3, 8, 5000000000};
  for (const Network& network : networks())
    for (int round = 0; round < 60; ++round) {
      std::map<std::string, Shape> shapes;
      Probe seen;  // asks an empty source, to learn the names
      try {
        const Weights weights(std::make_shared<MemorySource>(std::vector<std::pair<std::string, Tensor>>()),
                              &seen);
        network_graph(std::string(network.name), weights, {1, 3, 64, 64});
      } catch (const Error&) {
      }
      for (const Probe::Miss& miss : seen.misses) {
        const size_t rank = static_cast<size_t>(std::count(miss.wanted.begin(), miss.wanted.end(), ',')) + 1;
        std::vector<int64_t> dims(random() % 8 ? rank : random() % 6);
        for (int64_t& d : dims) d = sizes[random() % std::size(sizes)];
        if (rank == 4 && dims.size() == 4 && random() % 4) dims = {dims[0], 3, 3, 3};
        shapes[miss.name] = Shape(dims);
      }
      EXPECT_NO_THROW(probe(network, {}, ShapesOnly(shapes))) << network.name;
    }
}

// A layer without channels must not become a group count.
TEST(Probe, RefusesAWeightWithoutChannels) {
  const MemorySource source({{"features.0.0.weight", Tensor(DType::F32, {0, 3, 3, 3})}});
  const Probed r = probe(mobilenet_v2(), {}, source);
  ASSERT_FALSE(r.missing.empty());
  EXPECT_NE(r.missing[0].find("'features.0.0.weight' is [0, 3, 3, 3]"), std::string::npos) << r.missing[0];
}

TEST(NearestName, IsTheOneFewestEditsAway) {
  const std::vector<std::string> names = {"layer1.0.conv1.weight", "layer1.0.conv2.weight", "fc.weight",
                                          "bn1.bias"};
  EXPECT_EQ(nearest_name("layer1.0.conv2.weigth", names), "layer1.0.conv2.weight");
  EXPECT_EQ(nearest_name("fc.weight", names), "fc.weight");
  EXPECT_EQ(nearest_name("layer1.0.conv3.weight", names), "layer1.0.conv1.weight");  // the first of equals
  EXPECT_EQ(nearest_name("model.fc.weight", names), "fc.weight");
  EXPECT_EQ(nearest_name("zzzzzz", names), "");
  EXPECT_EQ(nearest_name("fc.weight", {}), "");
}

}  // namespace
}  // namespace tyto
