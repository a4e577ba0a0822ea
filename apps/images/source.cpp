#include "apps/images/source.h"

#include <utility>

#include "apps/images/decode.h"

namespace tyto::apps {

FileSource::FileSource(std::vector<std::filesystem::path> paths, bool apply_exif_orientation,
                       std::vector<std::optional<ImageSize>> done_before)
    : paths_(std::move(paths)),
      done_before_(std::move(done_before)),
      apply_exif_orientation_(apply_exif_orientation) {}

std::optional<Image> FileSource::read(int64_t index) {
  if (static_cast<size_t>(index) >= paths_.size()) return std::nullopt;
  return decode(paths_[static_cast<size_t>(index)], apply_exif_orientation_);
}

std::string FileSource::name(int64_t index) const { return paths_[static_cast<size_t>(index)].string(); }

std::optional<ImageSize> FileSource::done_before(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return i < done_before_.size() ? done_before_[i] : std::nullopt;
}

std::optional<int64_t> FileSource::expected() const { return static_cast<int64_t>(paths_.size()); }

}  // namespace tyto::apps
