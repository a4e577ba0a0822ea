#include "apps/images/video.h"

#include <fmt/format.h>

namespace tyto::apps {

VideoSource::VideoSource(const std::filesystem::path& path, int64_t every)
    : path_(path), every_(every), decoder_(path) {}

std::optional<Image> VideoSource::read(int64_t index) {
  std::unique_lock lock(mutex_);
  turn_.wait(lock, [&] { return over_ || static_cast<int64_t>(times_.size()) == index; });
  if (over_) return std::nullopt;
  std::optional<Image> image;
  try {
    image = next_image();
  } catch (...) {
    over_ = true;
    turn_.notify_all();
    throw;
  }
  over_ = !image;
  if (image) times_.push_back(decoder_.time());
  turn_.notify_all();
  return image;
}

std::optional<Image> VideoSource::next_image() {
  const int64_t number = static_cast<int64_t>(times_.size()) * every_;
  while (decoded_ <= number) {
    if (!decoder_.next()) return std::nullopt;
    ++decoded_;
  }
  return decoder_.image();
}

std::string VideoSource::name(int64_t index) const {
  return fmt::format("{}#{}", path_.string(), index * every_);
}

std::optional<int64_t> VideoSource::expected() const {
  const std::optional<int64_t> frames = decoder_.expected_frames();
  if (!frames) return std::nullopt;
  return (*frames + every_ - 1) / every_;
}

int64_t VideoSource::time(int64_t index) const {
  const std::lock_guard lock(mutex_);
  return times_[static_cast<size_t>(index)];
}

}  // namespace tyto::apps
