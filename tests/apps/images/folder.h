// A folder of images that lives as long as one test.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <string>

namespace tyto::apps {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tyto-images-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

  // Noise that is another one for every seed.
  std::filesystem::path write_image(const std::string& name, int width, int height, int seed) const {
    cv::Mat image(height, width, CV_8UC3);
    cv::RNG random(static_cast<uint64_t>(seed));
    random.fill(image, cv::RNG::UNIFORM, 0, 256);
    cv::imwrite((path_ / name).string(), image);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace tyto::apps
