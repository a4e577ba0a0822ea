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

// Of images held ahead; beyond it only the one that next() waits for is decoded.
constexpr size_t kMaxKeptBytes = size_t{512} << 20;

bool is_the_images_fault(ErrorKind kind) {
  return kind == ErrorKind::File || kind == ErrorKind::Format || kind == ErrorKind::Shape ||
         kind == ErrorKind::Unsupported;
}

// Of a batch of so many rows, of which the first batch.indices.size() stand.
void append_row(Batch& batch, const Tensor& row, int64_t rows) {
  if (batch.input.empty()) batch.input = Tensor::zeros(DType::F32, {rows, 3, row.dim(2), row.dim(3)});
  const std::span<const float> values = row.as<float>();
  std::ranges::copy(values, batch.input.as<float>().subspan(batch.indices.size() * values.size()).begin());
}

const LoaderOptions& checked(const LoaderOptions& options, const Preprocessing& rule) {
  if (options.batch < 1 || options.threads < 1 || options.views < 1)
    throw Error(
        ErrorKind::Usage,
        fmt::format("batches of {} samples of {} images decoded by {} threads: all must be at least 1",
                    options.batch, options.views, options.threads));
  if (options.views > 1 && varies(rule))
    throw Error(ErrorKind::Unsupported,
                "samples of several images are of one size, and this rule has it vary");
  return options;
}

}  // namespace

ImageLoader::ImageLoader(ImageSource& source, const Preprocessing& rule, const LoaderOptions& options)
    : source_(source),
      rule_(rule),
      options_(checked(options, rule)),
      sizes_vary_(varies(rule)),
      groups_(options.batch, options.reorder_window),
      end_(std::numeric_limits<int64_t>::max()) {
  const int64_t expected = source_.expected().value_or(end_);
  const int64_t slots = std::min(2 * rows() + options_.threads, std::max<int64_t>(expected, 1));
  if (row_values() > 0) decoded_ = Tensor(DType::F32, {slots, 3, rule_.height, rule_.width});
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
  return options_.preprocess && !sizes_vary_ ? size_t{3} * rule_.height * rule_.width : 0;
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
  kept_bytes_ += slot.bytes();
  slots_[static_cast<size_t>(index) % slots_.size()] = std::move(slot);
}

ImageLoader::Slot ImageLoader::loaded(int64_t index, Preprocessor& preprocessor) {
  Slot slot;
  try {
    if (const std::optional<ImageSize> known = source_.done_before(index)) {
      slot.done_before = true;
      slot.image = {known->width, known->height, {}};
      if (sizes_vary_) slot.size = size_of(index, known->width, known->height);
      return slot;
    }
    std::optional<Image> image = source_.read(index);
    slot.past_the_end = !image;
    if (!image) return slot;
    if (sizes_vary_) slot.size = size_of(index, image->width, image->height);
    if (sizes_vary_ && options_.preprocess)
      slot.input = Tensor(DType::F32, {1, 3, slot.size.height, slot.size.width});
    if (options_.preprocess)
      slot.geometry = preprocessor.run(*image, sizes_vary_ ? slot.input.as<float>() : pixels(index));
    slot.image = {image->width, image->height, {}};
    if (options_.keep_images || !options_.preprocess) slot.image.rgb = std::move(image->rgb);
  } catch (const Error& error) {
    if (is_the_images_fault(error.kind())) {
      slot.skipped = error.what();
      slot.skipped_kind = error.kind();
    } else {
      slot.failed = std::current_exception();
    }
  } catch (const std::bad_alloc&) {
    slot.failed = std::make_exception_ptr(
        Error(ErrorKind::Memory, fmt::format("{}: not enough memory to decode it", source_.name(index))));
  } catch (...) {
    slot.failed = std::current_exception();
  }
  return slot;
}

NetworkSize ImageLoader::size_of(int64_t index, int width, int height) const {
  try {
    const ImageFit fit = fit_image(rule_, width, height);
    return {fit.height, fit.width};
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", source_.name(index), error.what()));
  }
}

// Waits for the image, copies its pixels to `row` where sizes do not vary, and frees its slot.
ImageLoader::Slot ImageLoader::take(int64_t index, std::span<float> row) {
  Slot& slot = slots_[static_cast<size_t>(index) % slots_.size()];
  std::unique_lock lock(mutex_);
  slot_done_.wait(lock, [&] { return slot.done; });
  lock.unlock();
  if (slot.holds_image() && !row.empty()) std::ranges::copy(pixels(index), row.begin());
  lock.lock();
  Slot taken = std::exchange(slot, Slot{});
  kept_bytes_ -= taken.bytes();
  ++taken_;
  lock.unlock();
  slot_free_.notify_all();  // a large image may have kept several threads waiting
  return taken;
}

std::optional<Batch> ImageLoader::next() { return sizes_vary_ ? next_of_one_size() : next_in_order(); }

std::optional<Batch> ImageLoader::next_in_order() {
  if (over_) return std::nullopt;
  Batch batch{.input = empty_input()};
  while (!over_ && static_cast<int64_t>(batch.indices.size()) < rows()) take_sample(batch);
  if (batch.indices.empty() && batch.skipped.empty()) return std::nullopt;
  std::ranges::fill(batch.input.as<float>().subspan(batch.indices.size() * row_values()), 0.0f);
  batch.all_before = taken_;
  return batch;
}

// All of its images are taken, even behind one that cannot be read: the next sample begins after them.
void ImageLoader::take_sample(Batch& batch) {
  const size_t first = batch.indices.size(), size = row_values();
  bool whole = true;
  for (int64_t view = 0; view < options_.views; ++view) {
    const int64_t index = taken_;
    const size_t row = first + static_cast<size_t>(view);
    Slot slot = take(index, batch.input.as<float>().subspan(row * size, size));
    if (slot.failed) std::rethrow_exception(slot.failed);
    over_ = slot.past_the_end;
    if (over_) {
      whole = false;
      break;
    }
    if (!slot.skipped.empty() && whole) batch.skipped.push_back({index, slot.skipped, slot.skipped_kind});
    whole &= slot.skipped.empty() && !slot.done_before;
    batch.indices.push_back(index);
    if (options_.preprocess) batch.geometries.push_back(slot.geometry);
    batch.images.push_back(std::move(slot.image));
  }
  if (whole) return;
  batch.indices.resize(first);
  batch.images.resize(first);
  if (options_.preprocess) batch.geometries.resize(first);
}

std::optional<Batch> ImageLoader::next_of_one_size() {
  Batch batch;
  for (;;) {
    while (const std::optional<std::vector<int64_t>> indices = groups_.next())
      if (gather(*indices, batch)) return batch;
    if (over_) break;
    take_one(batch.skipped);
  }
  if (batch.skipped.empty()) return std::nullopt;
  batch.all_before = taken_;
  return batch;
}

void ImageLoader::take_one(std::vector<Skipped>& skipped) {
  const int64_t index = taken_;
  Slot slot = take(index);
  if (slot.failed) std::rethrow_exception(slot.failed);
  if (slot.past_the_end) {
    over_ = true;
    groups_.finish();
  } else if (!slot.skipped.empty()) {
    skipped.push_back({index, slot.skipped, slot.skipped_kind});
  } else {
    int64_t bytes = 0;  // of sizes, not of what is there: an image that was done before counts as it did then
    if (options_.preprocess)
      bytes += int64_t{3} * slot.size.height * slot.size.width * static_cast<int64_t>(sizeof(float));
    if (options_.keep_images || !options_.preprocess)
      bytes += int64_t{3} * slot.image.height * slot.image.width;
    groups_.add(index, slot.size, bytes);
    waiting_.emplace(index, std::move(slot));
  }
}

// Whether an image of these is still to be done.
bool ImageLoader::gather(const std::vector<int64_t>& indices, Batch& batch) {
  const auto rows = static_cast<int64_t>(indices.size());
  batch.done_before = 0;
  for (const int64_t index : indices) {
    Slot slot = std::move(waiting_.extract(index).mapped());
    if (slot.done_before) {
      ++batch.done_before;
      continue;
    }
    if (options_.preprocess) {
      if (rows == 1)
        batch.input = std::move(slot.input);
      else
        append_row(batch, slot.input, rows);
      batch.geometries.push_back(slot.geometry);
    }
    batch.indices.push_back(index);
    batch.images.push_back(std::move(slot.image));
  }
  batch.all_before = waiting_.empty() ? taken_ : waiting_.begin()->first;
  return !batch.indices.empty();
}

Tensor ImageLoader::empty_input() {
  if (!options_.preprocess) return {};
  if (recycled_.empty()) return Tensor(DType::F32, {rows(), 3, rule_.height, rule_.width});
  Tensor tensor = std::move(recycled_.back());
  recycled_.pop_back();
  return tensor;
}

void ImageLoader::recycle(Batch batch) {
  if (row_values() > 0 && batch.input.shape() == Shape{rows(), 3, rule_.height, rule_.width})
    recycled_.push_back(std::move(batch.input));
}

}  // namespace tyto::apps
