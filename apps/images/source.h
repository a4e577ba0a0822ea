// Where a loader's images come from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tyto/image.h"

namespace tyto::apps {

struct ImageSize {
  int width = 0, height = 0;
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;

  // Image `index`, counted from 0; nullopt past the end, which may be known only then. Error: this image
  // cannot be read, what() names it. Thread-safe.
  virtual std::optional<Image> read(int64_t index) = 0;

  virtual std::string name(int64_t index) const = 0;  // for people and results, e.g. "clip.avi#120"

  // How large an image is that a run before this one has done; nothing: it has not. Such an image is not
  // read, but counts where the sizes of images decide what makes a batch. Thread-safe.
  virtual std::optional<ImageSize> done_before(int64_t) const { return std::nullopt; }

  // How many images there will be, as far as can be told beforehand: a video's header may be wrong.
  virtual std::optional<int64_t> expected() const = 0;
};

// Image files, in the order given.
class FileSource : public ImageSource {
 public:
  // done_before: for each path, or empty.
  explicit FileSource(std::vector<std::filesystem::path> paths, bool apply_exif_orientation = false,
                      std::vector<std::optional<ImageSize>> done_before = {});

  std::optional<Image> read(int64_t index) override;  // Error: see decode()
  std::string name(int64_t index) const override;
  std::optional<ImageSize> done_before(int64_t index) const override;
  std::optional<int64_t> expected() const override;

 private:
  const std::vector<std::filesystem::path> paths_;
  const std::vector<std::optional<ImageSize>> done_before_;
  const bool apply_exif_orientation_;
};

}  // namespace tyto::apps
