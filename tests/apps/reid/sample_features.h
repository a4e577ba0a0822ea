// Features made up for tests.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include "apps/reid/features_file.h"

namespace tyto::apps {

// A folder that is gone when the test ends.
class TestFolder {
 public:
  TestFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("tyto_reid_" + std::to_string(::getpid()) + "_" + std::to_string(counter()++))) {
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  static int& counter() {
    static int value = 0;
    return value;
  }
  std::filesystem::path path_;
};

// Rows first, first + step ... of a set of `total` images, feature (i, j) = 100 i + j.
inline FeatureSet sample_set(const std::string& root, int total, int width, int first = 0, int step = 1) {
  FeatureSet set;
  set.root = root;
  std::vector<float> values;
  for (int i = first; i < total; i += step) {
    set.paths.push_back(std::string("folder/") + static_cast<char>('a' + i / 26) +
                        static_cast<char>('a' + i % 26) + ".jpg");
    set.ids.push_back(i / 2 - 1);
    set.cameras.push_back(i % 6);
    for (int j = 0; j < width; ++j) values.push_back(static_cast<float>(100 * i + j));
  }
  set.features = {Tensor::of<float>({set.rows(), width}, values)};
  return set;
}

inline Features sample_features(int queries = 3, int gallery = 5, int width = 4, int first = 0,
                                int step = 1) {
  Features f;
  f.provenance = {"0123456789abcdef", "ft_net", "{}", "fp32", true, {1, 1.1}, false, "market1501"};
  f.sets[SetKind::Query] = sample_set("data/query", queries, width, first, step);
  f.sets[SetKind::Gallery] = sample_set("data/gallery", gallery, width, first, step);
  return f;
}

// With a second matrix, (i, j) = -i - j, of twice the width.
inline Features sample_of_two_matrices(int queries = 3, int gallery = 5, int width = 4, int first = 0,
                                       int step = 1) {
  Features f = sample_features(queries, gallery, width, first, step);
  f.provenance.features = {"fc", "pool"};
  for (auto& [kind, set] : f.sets) {
    std::vector<float> values;
    for (int64_t i = 0; i < set.rows(); ++i)
      for (int j = 0; j < 2 * width; ++j) values.push_back(static_cast<float>(-(first + i * step) - j));
    set.features.push_back(Tensor::of<float>({set.rows(), 2 * width}, values));
  }
  return f;
}

}  // namespace tyto::apps
