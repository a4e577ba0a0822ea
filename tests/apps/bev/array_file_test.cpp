// Whole arrays of numpy's own making are read in tests/apps/command; here, what is damaged.
#include "apps/bev/array_file.h"

#include <gtest/gtest.h>

#include <random>

#include "apps/bev/sample_texts.h"
#include "apps/npz.h"
#include "files/file.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::apps {
namespace {

const std::vector<float> kValues = {1, -2, 3.5f, 0, 5, 6};

std::string npy(const std::string& header, size_t bytes) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  file += header;
  return file + std::string(bytes, '\1');
}

TEST(ArrayFile, ReadsWhatNpzHolds) {
  const TemporaryFolder folder;
  const Tensor tensor = Tensor::of<float>({1, 2, 3}, kValues);
  write_npz(folder / "a.npz", {{"map", tensor}, {"other", Tensor::zeros(DType::I64, {2})}});
  const Tensor read = read_array(folder / "a.npz", "map");
  EXPECT_EQ(read.shape(), tensor.shape());
  EXPECT_TRUE(std::ranges::equal(read.as<float>(), kValues));
  expect_error([&] { read_array(folder / "a.npz", "labels"); }, ErrorKind::Format,
               {"a.npz", "2 arrays", "'labels'"});
  EXPECT_EQ(find_array(folder / "a"), folder / "a.npz");
  EXPECT_EQ(find_array(folder / "b"), std::nullopt);
}

TEST(ArrayFile, SaysWhatItCannotRead) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "a.npy";
  const auto refused = [&](const std::string& bytes, ErrorKind kind, const std::string& word) {
    write_file(file, bytes);
    expect_error([&] { read_array(file, ""); }, kind, {"a.npy", word});
  };
  refused(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", 8), ErrorKind::Unsupported,
          ">f4");
  refused(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }\n", 8), ErrorKind::Unsupported,
          "<c8");
  refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }\n", 8), ErrorKind::Unsupported,
          "column by column");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", 8), ErrorKind::Format,
          "8 bytes");
  refused(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,), }\n", 8),
          ErrorKind::Format, "8 bytes");
  refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }\n", 8), ErrorKind::Format,
          "records");
  refused("PNG", ErrorKind::Format, "breaks off");
  refused("something else entirely", ErrorKind::Format, "no array of numpy");
}

TEST(ArrayFile, AlteredFilesAreReadOrExplained) {
  const TemporaryFolder folder;
  write_npz(folder / "whole.npz", {{"map", Tensor::of<float>({1, 2, 3}, kValues)}});
  const std::string npz = read_bytes(folder / "whole.npz", 1 << 16),
                    array = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", 8);
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    const bool zip = i % 2 == 0;
    std::string bytes = zip ? npz : array;
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    for (uint32_t edits = 1 + random() % 3; edits > 0 && !bytes.empty(); --edits)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const std::filesystem::path file = folder / (zip ? "a.npz" : "a.npy");
    write_file(file, bytes);
    refused += !succeeds_or_explains([&] { read_array(file, "map"); });
  }
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace tyto::apps
