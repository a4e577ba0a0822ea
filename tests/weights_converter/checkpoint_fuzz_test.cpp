// Truncated and altered checkpoints: every one loads or ends in one sentence, soon.
#include <algorithm>
#include <ctime>
#include <random>
#include <string_view>
#include <vector>

#include "weights_converter/checkpoint/checkpoint.h"
#include "weights_converter/checkpoint_cases.h"

namespace tyto {
namespace {

using Bytes = std::vector<char>;

Bytes read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// One small file of every container and writer; altering the large ones shows nothing more.
const char* const kSources[] = {
    "protocol2_zip.pth",    "protocol2_legacy.pth", "protocol4_zip.pth",    "protocol5_legacy.pth",
    "module1_legacy.pth",   "module2_zip.pth",      "nested_numpy_zip.pth", "nested_numpy_legacy.pth",
    "deflated_plain.pth",   "deflated_stream.pth",  "deflated_zip64.pth",   "python2_legacy.pth",
    "variables_legacy.pth", "untyped_zip.pth",      "unsupported_zip.pth",  "old.tar",
    "arrays2_zip.pth",      "arrays5_legacy.pth",   "metadata_zip.pth",     "beside2_zip.pth",
    "plain.safetensors"};

// Loads everything; returns whether that went well. Whatever else than tyto::Error fails the test.
bool loads(const std::filesystem::path& path) {
  try {
    const Checkpoint checkpoint(path);
    for (const NamedTensors& dict : checkpoint.dicts())
      for (const std::string& name : dict.tensors->names())
        if (dict.tensors->find(name)->foreign_type.empty()) dict.tensors->read(name);
    return true;
  } catch (const Error& error) {
    expect_one_sentence(error.what());
    return false;
  }
}

class Fuzz {
 public:
  Fuzz(const std::string& source, const std::string& trial)
      : good_(read_bytes(checkpoint_folder() / source)),
        path_(checkpoint_folder() / (trial + "-" + source)),
        random_(static_cast<uint32_t>(good_.size())) {}
  ~Fuzz() { std::filesystem::remove(path_); }

  size_t size() const { return good_.size(); }
  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  const Bytes& good() const { return good_; }

  // Interesting places: the pickles and headers, which stand at both ends, before the elements between them.
  size_t place() {
    const size_t third = std::min<size_t>(size(), 3000);
    switch (below(3)) {
      case 0:
        return below(third);
      case 1:
        return size() - 1 - below(third);
      default:
        return below(size());
    }
  }

  bool loads_as(const Bytes& bytes) {
    std::filesystem::remove(
        path_);  // a file system may write a truncated file out at once, a new one need not be
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const std::clock_t begin =
        std::clock();  // of this process alone: other work on the machine does not count
    const bool loaded = loads(path_);
    slowest_ = std::max(slowest_, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    return loaded;
  }
  double slowest() const { return slowest_; }

 private:
  Bytes good_;
  std::filesystem::path path_;
  std::mt19937 random_;
  double slowest_ = 0;
};

// A tar file is whole with the first of the zero blocks that close it.
size_t needed_of_tar(const Bytes& bytes) {
  constexpr size_t kBlock = 512;
  const auto last = std::find_if(bytes.rbegin(), bytes.rend(), [](char c) { return c != 0; });
  return (static_cast<size_t>(bytes.rend() - last) + kBlock - 1) / kBlock * kBlock + kBlock;
}

constexpr double kSlowestSeconds = 1;

TEST(CheckpointFuzz, TruncatedFilesNeverLoad) {
  constexpr int kCuts = 60;
  for (const char* source : kSources) {
    SCOPED_TRACE(source);
    Fuzz fuzz(source, "cut");
    ASSERT_GT(fuzz.size(), 0u);
    for (int i = 0; i < kCuts; ++i) {
      Bytes bytes = fuzz.good();
      const size_t needed = std::string_view(source).ends_with(".tar") ? needed_of_tar(bytes) : bytes.size();
      bytes.resize(i < 10 ? needed - 1 - static_cast<size_t>(i) : fuzz.below(needed));
      EXPECT_FALSE(fuzz.loads_as(bytes)) << bytes.size();
    }
    EXPECT_LT(fuzz.slowest(), kSlowestSeconds);
  }
}

TEST(CheckpointFuzz, AlteredFilesLoadOrEndInOneSentence) {
  constexpr int kTrials = 600;
  for (const char* source : kSources) {
    SCOPED_TRACE(source);
    Fuzz fuzz(source, "altered");
    int refused = 0;
    for (int i = 0; i < kTrials; ++i) {
      Bytes bytes = fuzz.good();
      for (size_t n = 1 + fuzz.below(4); n > 0; --n) bytes[fuzz.place()] = static_cast<char>(fuzz.below(256));
      refused += !fuzz.loads_as(bytes);
    }
    EXPECT_GT(refused, 0);
    EXPECT_LT(fuzz.slowest(), kSlowestSeconds);
  }
}

TEST(CheckpointFuzz, FilesWithBytesMovedLoadOrEndInOneSentence) {
  constexpr int kTrials = 150;
  for (const char* source : kSources) {
    SCOPED_TRACE(source);
    Fuzz fuzz(source, "moved");
    for (int i = 0; i < kTrials; ++i) {
      Bytes bytes = fuzz.good();
      const size_t from = fuzz.place(), to = fuzz.place();
      const size_t count = std::min(1 + fuzz.below(64), bytes.size() - std::max(from, to));
      if (i % 2 == 0)
        std::copy_n(fuzz.good().begin() + static_cast<ptrdiff_t>(from), count,
                    bytes.begin() + static_cast<ptrdiff_t>(to));
      else
        bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(from),
                    bytes.begin() + static_cast<ptrdiff_t>(from + count));
      fuzz.loads_as(bytes);
    }
    EXPECT_LT(fuzz.slowest(), kSlowestSeconds);
  }
}

}  // namespace
}  // namespace tyto
