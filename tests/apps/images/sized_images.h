// Small images of many sizes out of memory.
#pragma once

#include <string>
#include <vector>

#include "apps/images/source.h"
#include "tyto/error.h"

namespace tyto::apps {

// Image i is widths[i] pixels wide, kSizedHeight high and of the byte i throughout; one of width 0 is
// unreadable.
inline constexpr int kSizedHeight = 4;

class SizedImages : public ImageSource {
 public:
  explicit SizedImages(std::vector<int> widths, std::vector<bool> done_before = {})
      : widths_(std::move(widths)), done_before_(std::move(done_before)) {}

  std::optional<Image> read(int64_t index) override {
    const auto i = static_cast<size_t>(index);
    if (i >= widths_.size()) return std::nullopt;
    if (widths_[i] == 0) throw Error(ErrorKind::Format, name(index) + ": no image");
    if (done_before(index)) throw Error(ErrorKind::Device, name(index) + " was read again");
    const size_t bytes = size_t{3} * kSizedHeight * static_cast<size_t>(widths_[i]);
    return Image{widths_[i], kSizedHeight, std::vector<uint8_t>(bytes, static_cast<uint8_t>(index))};
  }
  std::string name(int64_t index) const override { return "image " + std::to_string(index); }
  std::optional<int64_t> expected() const override { return static_cast<int64_t>(widths_.size()); }
  std::optional<ImageSize> done_before(int64_t index) const override {
    const auto i = static_cast<size_t>(index);
    if (i >= done_before_.size() || !done_before_[i]) return std::nullopt;
    return ImageSize{widths_[i], kSizedHeight};
  }

 private:
  const std::vector<int> widths_;
  const std::vector<bool> done_before_;
};

}  // namespace tyto::apps
