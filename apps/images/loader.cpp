#include "apps/images/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <opencv2/core/utility.hpp>
#include <utility>

#include "tyto/error.h"

namespace tyto::apps {
namespace {

// Of decoded images held ahead; beyond it only the one that next() waits for is decoded.
constexpr size_t kMaxKeptBytes = size_t{512} << 20;

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

ImageLoader::ImageLoader(ImageSource& source, const Preprocessing& rule, const LoaderOptions& options)
    : source_(source), rule_(rule), options_(checked(options)), end_(std::numeric_limits<int64_t>::max()) {
  const int64_t expected = source_.expected().value_or(end_);
  const int64_t slots = std::min(2 * options_.batch + options_.threads, std::max<int64_t>(expected, 1));
  if (options_.preprocess) decoded_ = Tensor(DType::F32, {slots, 3, rule_.height, rule_.width});
  slots_.resize(static_cast<size_t>(slots));
  cv::setNumThreads(0);  // images are decoded side by side; none of them needs threads of its own
  for (int i = 0; i < std::min<int64_t>(options_.threads, slots); ++i)
    threads_.emplace_back([this, preprocessor = Preprocessor(rule_)](const std::stop_token& stop) mutable {
      decode_all(stop, preprocessor);
    });
}

std::span<float> ImageLoader::pixels(int64_t index) {
  const size_t slot = static_cast<size_t>(index) % slots_.size();
  return decoded_.as<float>().subspan(slot * row_values(), row_values());
}

size_t ImageLoader::row_values() const {
  return options_.preprocess ? size_t{3} * rule_.height * rule_.width : 0;
}

void ImageLoader::decode_all(const std::stop_token& stop, Preprocessor& preprocessor) {
  const auto free_or_over = [&] {
    return started_ >= end_ || started_ == taken_ ||
           (started_ - taken_ < static_cast<int64_t>(slots_.size()) && kept_bytes_ < kMaxKeptBytes);
  };
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!slot_free_.wait(lock, stop, free_or_over) || stop.stop_requested() || started_ >= end_) return;
    const int64_t index = started_++;
    lock.unlock();
    load(index, preprocessor);
    slot_done_.notify_one();
  }
}

void ImageLoader::load(int64_t index, Preprocessor& preprocessor) {
  Slot slot = loaded(index, preprocessor);
  slot.done = true;
  const std::lock_guard lock(mutex_);
  if (slot.past_the_end) end_ = std::min(end_, index);
  kept_bytes_ += slot.image.rgb.size();
  slots_[static_cast<size_t>(index) % slots_.size()] = std::move(slot);
}

ImageLoader::Slot ImageLoader::loaded(int64_t index, Preprocessor& preprocessor) {
  Slot slot;
  try {
    std::optional<Image> image = source_.read(index);
    slot.past_the_end = !image;
    if (!image) return slot;
    if (options_.preprocess) slot.geometry = preprocessor.run(*image, pixels(index));
    slot.image = {image->width, image->height, {}};
    if (options_.keep_images || !options_.preprocess) slot.image.rgb = std::move(image->rgb);
  } catch (const Error& error) {
    if (is_the_images_fault(error.kind()))
      slot.skipped = error.what();
    else
      slot.failed = std::current_exception();
  } catch (const std::bad_alloc&) {
    slot.failed = std::make_exception_ptr(
        Error(ErrorKind::Memory, fmt::format("{}: not enough memory to decode it", source_.name(index))));
  } catch (...) {
    slot.failed = std::current_exception();
  }
  return slot;
}

// Waits for the image, copies its pixels to `row` if there are any, and frees its slot.
ImageLoader::Slot ImageLoader::take(int64_t index, std::span<float> row) {
  Slot& slot = slots_[static_cast<size_t>(index) % slots_.size()];
  std::unique_lock lock(mutex_);
  slot_done_.wait(lock, [&] { return slot.done; });
  lock.unlock();
  if (slot.holds_image() && options_.preprocess) std::ranges::copy(pixels(index), row.begin());
  lock.lock();
  Slot taken = std::exchange(slot, Slot{});
  kept_bytes_ -= taken.image.rgb.size();
  ++taken_;
  lock.unlock();
  slot_free_.notify_all();  // a large image may have kept several threads waiting
  return taken;
}

std::optional<Batch> ImageLoader::next() {
  if (over_) return std::nullopt;
  Batch batch{.input = empty_input()};
  const std::span<float> rows = batch.input.as<float>();
  const size_t size = row_values();
  while (static_cast<int64_t>(batch.indices.size()) < options_.batch) {
    const int64_t index = taken_;
    Slot slot = take(index, rows.subspan(batch.indices.size() * size, size));
    if (slot.failed) std::rethrow_exception(slot.failed);
    over_ = slot.past_the_end;
    if (over_) break;
    if (!slot.skipped.empty()) {
      batch.skipped.push_back({index, slot.skipped});
      continue;
    }
    batch.indices.push_back(index);
    if (options_.preprocess) batch.geometries.push_back(slot.geometry);
    batch.images.push_back(std::move(slot.image));
  }
  if (batch.indices.empty() && batch.skipped.empty()) return std::nullopt;
  std::ranges::fill(rows.subspan(batch.indices.size() * size), 0.0f);
  return batch;
}

Tensor ImageLoader::empty_input() {
  if (!options_.preprocess) return {};
  if (recycled_.empty()) return Tensor(DType::F32, {options_.batch, 3, rule_.height, rule_.width});
  Tensor tensor = std::move(recycled_.back());
  recycled_.pop_back();
  return tensor;
}

void ImageLoader::recycle(Batch batch) {
  if (options_.preprocess && batch.input.shape() == Shape{options_.batch, 3, rule_.height, rule_.width})
    recycled_.push_back(std::move(batch.input));
}

}  // namespace tyto::apps
