#include "apps/reid/camera_permutations.h"

#include <gtest/gtest.h>
#include <matio.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <random>

#include "apps/reid/sample_features.h"
#include "files/file.h"

namespace {

using namespace tyto;
using namespace tyto::apps;

// [trials, images] of camera 1 and 2's identities 1 to 3, column by column as MATLAB stores them
using Columns = std::vector<std::vector<double>>;
const Columns kCameras[] = {{{2, 1, 3, 2, 1, 3}, {}, {1, 1}}, {{}, {4, 1, 2, 2, 1, 4, 3, 3}, {}}};
constexpr size_t kTrials = 2;

matvar_t* cell_of(size_t entries) {
  size_t dims[2] = {entries, 1};
  return Mat_VarCreate("rand_perm_cam", MAT_C_CELL, MAT_T_CELL, 2, dims, nullptr, 0);
}

// As double or, like the official file, compressed and in bytes.
void write_mat(const std::filesystem::path& path, bool official) {
  const std::unique_ptr<mat_t, decltype(&Mat_Close)> file(Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5),
                                                          Mat_Close);
  const std::unique_ptr<matvar_t, decltype(&Mat_VarFree)> cameras(cell_of(std::size(kCameras)), Mat_VarFree);
  for (size_t c = 0; c < std::size(kCameras); ++c) {
    matvar_t* identities = cell_of(kCameras[c].size());
    for (size_t i = 0; i < kCameras[c].size(); ++i) {
      std::vector<double> values = kCameras[c][i];
      std::vector<uint8_t> bytes(values.begin(), values.end());
      size_t dims[2] = {kTrials, values.size() / kTrials};
      Mat_VarSetCell(identities, static_cast<int>(i),
                     official
                         ? Mat_VarCreate(nullptr, MAT_C_UINT8, MAT_T_UINT8, 2, dims, bytes.data(), 0)
                         : Mat_VarCreate(nullptr, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, values.data(), 0));
    }
    Mat_VarSetCell(cameras.get(), static_cast<int>(c), identities);
  }
  ASSERT_EQ(Mat_VarWrite(file.get(), cameras.get(), official ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE),
            0);
}

TEST(CameraPermutations, AreReadFromZeroOnWhateverTheTypeOfTheirNumbers) {
  const TestFolder folder;
  for (const bool official : {false, true}) {
    write_mat(folder / "p.mat", official);
    const Permutations read = read_camera_permutations(folder / "p.mat");
    EXPECT_EQ(read.trials, 2);
    const std::map<std::pair<int64_t, int64_t>, std::vector<std::vector<int64_t>>> expected = {
        {{1, 1}, {{1, 2, 0}, {0, 1, 2}}}, {{1, 3}, {{0}, {0}}}, {{2, 2}, {{3, 1, 0, 2}, {0, 1, 3, 2}}}};
    EXPECT_EQ(read.of, expected);
  }
}

TEST(CameraPermutations, ADamagedFileIsRefusedOrHoldsPermutations) {
  const TestFolder folder;
  int refused = 0;
  for (const bool official : {false, true}) {
    write_mat(folder / "p.mat", official);
    const std::string whole = read_bytes(folder / "p.mat", 1 << 20);
    for (unsigned seed = 0; seed < 1000; ++seed) {
      std::mt19937 random(seed);
      std::string bytes = whole;
      for (unsigned k = random() % 3; k < 3; ++k)
        bytes[random() % bytes.size()] = static_cast<char>(random());
      if (random() % 4 == 0) bytes.resize(random() % bytes.size());
      std::ofstream(folder / "damaged.mat", std::ios::binary) << bytes;
      try {
        for (const auto& [key, orders] : read_camera_permutations(folder / "damaged.mat").of)
          for (std::vector<int64_t> order : orders) {
            std::vector<int64_t> numbers(order.size());
            std::iota(numbers.begin(), numbers.end(), int64_t{0});
            std::sort(order.begin(), order.end());
            ASSERT_EQ(order, numbers);
          }
      } catch (const Error& e) {
        ++refused;
        ASSERT_NE(std::string(e.what()).find("damaged.mat"), std::string::npos) << e.what();
      }
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
