#include "apps/images/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <opencv2/core/utility.hpp>
#include <utility>

#include "apps/images/decode.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

bool is_the_images_fault(ErrorKind kind) {
  return kind == ErrorKind::File || kind == ErrorKind::Format || kind == ErrorKind::Shape ||
         kind == ErrorKind::Unsupported;
}

const LoaderOptions& checked(const LoaderOptions& options) {
  if (options.batch < 1 || options.threads < 1)
    throw Error(ErrorKind::Usage,
                fmt::format("batches of {} images decoded by {} threads: both must be at least 1",
                            options.batch, options.threads));
  return options;
}

}  // namespace

ImageLoader::ImageLoader(std::vector<std::filesystem::path> paths, const Preprocessing& rule,
                         const LoaderOptions& options)
    : paths_(std::move(paths)), rule_(rule), options_(checked(options)) {
  const int64_t total = static_cast<int64_t>(paths_.size());
  const int64_t slots = std::min(2 * options_.batch + options_.threads, std::max<int64_t>(total, 1));
  decoded_ = Tensor(DType::F32, {slots, 3, rule_.height, rule_.width});
  slots_.resize(static_cast<size_t>(slots));
  cv::setNumThreads(0);  // images are decoded side by side; none of them needs threads of its own
  for (int i = 0; i < std::min<int64_t>(options_.threads, total); ++i)
    threads_.emplace_back([this, preprocessor = Preprocessor(rule_)](const std::stop_token& stop) mutable {
      decode_all(stop, preprocessor);
    });
}

std::span<float> ImageLoader::pixels(int64_t index) {
  const size_t slot = static_cast<size_t>(index) % slots_.size();
  const size_t size = size_t{3} * rule_.height * rule_.width;
  return decoded_.as<float>().subspan(slot * size, size);
}

void ImageLoader::decode_all(const std::stop_token& stop, Preprocessor& preprocessor) {
  const int64_t total = static_cast<int64_t>(paths_.size());
  const auto free_or_over = [&] {
    return started_ == total || started_ - taken_ < static_cast<int64_t>(slots_.size());
  };
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!slot_free_.wait(lock, stop, free_or_over) || stop.stop_requested() || started_ == total) return;
    const int64_t index = started_++;
    lock.unlock();
    load(index, preprocessor);
    slot_done_.notify_one();
  }
}

void ImageLoader::load(int64_t index, Preprocessor& preprocessor) {
  Slot slot{.done = true};
  const std::filesystem::path& path = paths_[static_cast<size_t>(index)];
  try {
    preprocessor.run(decode(path, options_.apply_exif_orientation), pixels(index));
  } catch (const Error& error) {
    if (is_the_images_fault(error.kind()))
      slot.skipped = error.what();
    else
      slot.failed = std::current_exception();
  } catch (const std::bad_alloc&) {
    slot.failed = std::make_exception_ptr(
        Error(ErrorKind::Memory, fmt::format("{}: not enough memory to decode it", path.string())));
  } catch (...) {
    slot.failed = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  slots_[static_cast<size_t>(index) % slots_.size()] = std::move(slot);
}

// Waits for the image, copies its pixels to `row` unless it failed, and frees its slot.
ImageLoader::Slot ImageLoader::take(int64_t index, std::span<float> row) {
  Slot& slot = slots_[static_cast<size_t>(index) % slots_.size()];
  std::unique_lock lock(mutex_);
  slot_done_.wait(lock, [&] { return slot.done; });
  lock.unlock();
  if (!slot.failed && slot.skipped.empty()) std::ranges::copy(pixels(index), row.begin());
  lock.lock();
  Slot taken = std::exchange(slot, Slot{});
  ++taken_;
  lock.unlock();
  slot_free_.notify_one();
  return taken;
}

std::optional<Batch> ImageLoader::next() {
  const int64_t total = static_cast<int64_t>(paths_.size());
  if (taken_ == total) return std::nullopt;
  Batch batch{.input = empty_input()};
  const std::span<float> rows = batch.input.as<float>();
  const size_t size = rows.size() / static_cast<size_t>(options_.batch);
  while (static_cast<int64_t>(batch.indices.size()) < options_.batch && taken_ < total) {
    const int64_t index = taken_;
    const Slot slot = take(index, rows.subspan(batch.indices.size() * size, size));
    if (slot.failed) std::rethrow_exception(slot.failed);
    if (slot.skipped.empty())
      batch.indices.push_back(index);
    else
      batch.skipped.push_back({index, slot.skipped});
  }
  std::ranges::fill(rows.subspan(batch.indices.size() * size), 0.0f);
  return batch;
}

Tensor ImageLoader::empty_input() {
  if (recycled_.empty()) return Tensor(DType::F32, {options_.batch, 3, rule_.height, rule_.width});
  Tensor tensor = std::move(recycled_.back());
  recycled_.pop_back();
  return tensor;
}

void ImageLoader::recycle(Batch batch) {
  if (batch.input.shape() == Shape{options_.batch, 3, rule_.height, rule_.width})
    recycled_.push_back(std::move(batch.input));
}

}  // namespace tyto::apps
