#include "weights_converter/checkpoint/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "files/safetensors.h"
#include "support/errors.h"
#include "weights_converter/checkpoint_cases.h"

namespace tyto {
namespace {

using nlohmann::json;

void expect_equal_bits(const Tensor& got, const Tensor& wanted, const std::string& name) {
  EXPECT_EQ(got.dtype(), wanted.dtype()) << name;
  ASSERT_EQ(got.shape(), wanted.shape()) << name;
  EXPECT_EQ(std::memcmp(got.data(), wanted.data(), static_cast<size_t>(wanted.bytes())), 0) << name;
}

using Texts = std::map<std::string, std::string>;

// `foreign`: the types of those tensors that the file holds beside the golden ones and tyto cannot read.
void expect_tensors_of(const TensorSource& tensors, const SafetensorsFile& golden,
                       const Texts& foreign = {}) {
  const std::vector<std::string> names = tensors.names(), wanted = golden.names();
  std::set<std::string> all(wanted.begin(), wanted.end());
  for (const auto& [name, type] : foreign) {
    all.insert(name);
    ASSERT_TRUE(tensors.find(name).has_value()) << name;
    EXPECT_EQ(tensors.find(name)->foreign_type, type) << name;
    expect_error([&] { tensors.read(name); }, ErrorKind::Unsupported,
                 {tensors.origin(), "'" + name + "'", type});
  }
  EXPECT_EQ(std::set(names.begin(), names.end()), all);
  for (const std::string& name : wanted) {
    const auto spec = tensors.find(name);
    ASSERT_TRUE(spec.has_value()) << name;
    EXPECT_EQ(spec->shape, golden.find(name)->shape) << name;
    expect_equal_bits(tensors.read(name), golden.read(name), name);
  }
}

std::string refusal_of(const std::filesystem::path& path) {
  try {
    const Checkpoint checkpoint(path);
    for (const NamedTensors& dict : checkpoint.dicts())
      for (const std::string& name : dict.tensors->names()) dict.tensors->read(name);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Checkpoint, HoldsTheTensorsThatPyTorchLoadsBitByBit) {
  for (const json& c : checkpoint_cases("good")) {
    SCOPED_TRACE(c.dump());
    const std::string file = c.at("file");
    const Checkpoint checkpoint(checkpoint_folder() / file);
    expect_tensors_of(*checkpoint.main().tensors, SafetensorsFile(checkpoint_folder() / (file + ".golden")),
                      c.value("foreign", Texts{}));
  }
}

TEST(Checkpoint, TellsFormatPathAndPrefixes) {
  for (const json& c : checkpoint_cases("good")) {
    SCOPED_TRACE(c.dump());
    const Checkpoint checkpoint(checkpoint_folder() / c.at("file").get<std::string>());
    EXPECT_EQ(name_of(checkpoint.format()), c.value("format", std::string(name_of(checkpoint.format()))));
    EXPECT_EQ(checkpoint.main().key, c.value("path", ""));
    EXPECT_EQ(checkpoint.main().wrappers, c.value("stripped", std::vector<std::string>{}));
    const std::map<std::string, std::string> scalars(checkpoint.scalars().begin(),
                                                     checkpoint.scalars().end());
    for (const auto& [name, value] : c.value("scalars", std::map<std::string, std::string>{}))
      EXPECT_EQ(scalars.count(name) ? scalars.at(name) : "missing", value) << name;
  }
}

TEST(Checkpoint, KeepsTheOrderOfTheFile) {
  const Checkpoint checkpoint(checkpoint_folder() / "protocol2_legacy.pth");
  const std::vector<std::string> names = checkpoint.main().tensors->names();
  ASSERT_GE(names.size(), 3u);
  EXPECT_EQ(names[0], "float32");
  EXPECT_EQ(names[1], "transposed");
  EXPECT_EQ(names[2], "permuted");
}

TEST(Checkpoint, TellsTheShapesOfTensorsThatTytoCannotHold) {
  const Checkpoint checkpoint(checkpoint_folder() / "unsupported_zip.pth");
  const TensorSource& tensors = *checkpoint.main().tensors;
  EXPECT_EQ(tensors.find("complex")->shape, Shape{3});
  EXPECT_EQ(tensors.find("sparse")->shape, (Shape{3, 3}));
  EXPECT_EQ(tensors.find("quantised")->shape, Shape{2});
}

TEST(Checkpoint, LeavesOutWhatIsTooSmallForANetworkBesideTheLargest) {
  const Checkpoint nested(checkpoint_folder() / "nested_state_dict_zip.pth");
  EXPECT_EQ(nested.dicts().size(), 1u);
  const Checkpoint pair(checkpoint_folder() / "two_networks_zip.pth");
  std::vector<std::string> keys;
  for (const NamedTensors& dict : pair.dicts()) keys.push_back(dict.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"model", "ema"}));
}

TEST(Checkpoint, ListsTheGlobalsOfItsPickles) {
  const Checkpoint checkpoint(checkpoint_folder() / "nested_numpy_legacy.pth");
  const std::vector<std::string>& globals = checkpoint.globals();
  for (const char* name : {"collections.OrderedDict", "torch.FloatStorage", "numpy.core.multiarray.scalar"})
    EXPECT_EQ(std::count(globals.begin(), globals.end(), name), 1) << name;
  EXPECT_TRUE(std::is_sorted(globals.begin(), globals.end()));
}

TEST(Checkpoint, IsReadByManyThreadsAtOnce) {
  const Checkpoint checkpoint(checkpoint_folder() / "deflated_large.pth");
  const SafetensorsFile golden(checkpoint_folder() / "deflated_large.pth.golden");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { expect_tensors_of(*checkpoint.main().tensors, golden); });
  for (std::thread& thread : threads) thread.join();
}

TEST(BrokenCheckpoint, IsRefusedInOneSentenceThatNamesTheFile) {
  for (const json& c : checkpoint_cases("broken")) {
    SCOPED_TRACE(c.dump());
    const std::filesystem::path path = checkpoint_folder() / c.at("file").get<std::string>();
    const std::string message = refusal_of(path);
    expect_one_sentence(message);
    EXPECT_TRUE(message.starts_with(path.string())) << message;
    for (const std::string words : c.at("words"))
      EXPECT_NE(message.find(words), std::string::npos) << message;
  }
}

TEST(HostileCheckpoint, IsInspectedWithoutRunningWhatItNames) {
  int seen = 0;
  for (const json& c : checkpoint_cases("broken")) {
    if (!c.contains("dangerous")) continue;
    SCOPED_TRACE(c.dump());
    const CheckpointSummary summary = inspect_checkpoint(checkpoint_folder() / c["file"].get<std::string>());
    std::vector<std::string> dangerous;
    for (const GlobalUse& use : summary.globals)
      if (use.dangerous) dangerous.push_back(use.name);
    EXPECT_EQ(dangerous, c["dangerous"].get<std::vector<std::string>>());
    EXPECT_NE(summary.problem.find("nothing was run"), std::string::npos);
    ++seen;
  }
  EXPECT_GT(seen, 10);
}

TEST(HostileCheckpoint, TellsCalledGlobalsFromNamedOnes) {
  const auto is_called = [](const char* file, const char* name) {
    for (const GlobalUse& use : inspect_checkpoint(checkpoint_folder() / file).globals)
      if (use.name == name) return use.called;
    ADD_FAILURE() << file << " does not name " << name;
    return false;
  };
  EXPECT_TRUE(is_called("evil_zip.pth", "posix.system"));
  EXPECT_TRUE(is_called("inst_legacy.pth", "subprocess.Popen"));
  EXPECT_FALSE(is_called("named_only_zip.pth", "os.system"));
}

TEST(CheckpointSummary, ListsTheTensorsOfAHostileFileToo) {
  const CheckpointSummary summary = inspect_checkpoint(checkpoint_folder() / "evil_legacy.pth");
  ASSERT_EQ(summary.dicts.size(), 1u);
  EXPECT_EQ(summary.dicts[0].tensors->names(), std::vector<std::string>{"w"});
}

TEST(Checkpoint, ThatDoesNotExistIsAFileError) {
  try {
    Checkpoint checkpoint(checkpoint_folder() / "absent.pth");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::File);
  }
}

}  // namespace
}  // namespace tyto
