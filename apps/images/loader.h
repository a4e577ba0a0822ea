// Images to batches for a network, decoded and, where the device does not do that, preprocessed ahead by a
// pool of threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "apps/images/size_groups.h"
#include "apps/images/source.h"
#include "engine/images/preprocessing.h"
#include "tyto/error.h"
#include "tyto/tensor.h"

namespace tyto::apps {

struct Skipped {
  int64_t index = 0;    // of the image
  std::string message;  // names the file and what is wrong with it
  ErrorKind kind = ErrorKind::Format;
};

struct Batch {
  Tensor input;                  // F32 [rows, 3, height, width]; rows from indices.size() on are 0. Or empty
  std::vector<int64_t> indices;  // in the source, of the images in rows 0, 1, ..., rising
  std::vector<Geometry> geometries;  // of the same rows, where there is an input
  std::vector<Image> images;         // of the same rows: width, height and, where they are kept, pixels
  std::vector<Skipped> skipped;      // unreadable images met on the way
  int64_t done_before = 0;           // more images of the batch: a run before this one has done them
  int64_t all_before = 0;            // each image before this one has been given, in this batch or earlier
};

inline constexpr int64_t kReorderWindow = int64_t{512} << 20;  // bytes of images

struct LoaderOptions {
  int64_t batch = 32;
  // Images of a sample, which stand one after another in the source and of which each has a row. Where one of
  // them cannot be read, all are left out; it is the only one of them in Batch::skipped.
  int64_t views = 1;
  int threads = 1;           // that decode and preprocess
  bool preprocess = true;    // else the decoded images are given, for a device that preprocesses
  bool keep_images = false;  // give the decoded images, too
  int64_t reorder_window = kReorderWindow;
};

// Every readable image once that no run before has done. What stands in a batch depends on the source alone.
//
// Where the network's input is of one size, in the order of the source and without gaps: rows = batch x
// views, of which the last batch may fill a part. Where the rule has the size vary, a batch is of images of
// one network size, `batch` of them or one: an image waits for others of its size until more than
// reorder_window bytes of images have come since, itself included; then it and those that wait with it are
// given one by one, as all that wait are at the end. What counts is what is held: the network's input and,
// where they are kept, the pixels.
//
// Besides what waits, at most two batches and one image a thread are held ahead, fewer if they are large.
// next() is for one thread.
class ImageLoader {
 public:
  // Starts decoding. Error{Usage} for a batch, a thread count or views below 1, and for several views where
  // sizes vary; Error{Memory}.
  // The source must outlive the loader.
  ImageLoader(ImageSource& source, const Preprocessing& rule, const LoaderOptions& options);
  ImageLoader(const ImageLoader&) = delete;
  ImageLoader& operator=(const ImageLoader&) = delete;

  // nullopt after the last batch. The last batch may have no rows, but skipped images. Errors that are no
  // image's fault, such as Error{Memory}, are thrown at the turn of the image that met them.
  std::optional<Batch> next();

  // Takes the memory of a batch back, for a batch to come of the same size.
  void recycle(Batch batch);

 private:
  // Image i is decoded into slot i % slots_.size() and stays there until next() has copied it.
  struct Slot {
    bool done = false;
    bool past_the_end = false;
    bool done_before = false;  // by a run before this one: nothing but sizes
    Geometry geometry;
    Image image;          // its pixels only where they are kept
    NetworkSize size;     // where sizes vary
    Tensor input;         // [1, 3, height, width], where sizes vary and it is preprocessed here
    std::string skipped;  // why, or empty
    ErrorKind skipped_kind = ErrorKind::Format;
    std::exception_ptr failed;  // what next() throws

    bool holds_image() const { return !past_the_end && !failed && skipped.empty() && !done_before; }
    size_t bytes() const { return image.rgb.size() + static_cast<size_t>(input.bytes()); }
  };

  void decode_all(const std::stop_token& stop, Preprocessor& preprocessor);  // what each thread does
  void load(int64_t index, Preprocessor& preprocessor);
  Slot loaded(int64_t index, Preprocessor& preprocessor);
  Slot take(int64_t index, std::span<float> row = {});
  std::optional<Batch> next_in_order();
  void take_sample(Batch& batch);  // into its next rows
  std::optional<Batch> next_of_one_size();
  void take_one(std::vector<Skipped>& skipped);  // into its group
  bool gather(const std::vector<int64_t>& indices, Batch& batch);
  NetworkSize size_of(int64_t index, int width, int height) const;
  std::span<float> pixels(int64_t index);
  int64_t rows() const { return options_.batch * options_.views; }  // of a batch, where sizes do not vary
  size_t row_values() const;  // 0 where nothing is preprocessed, or sizes vary
  Tensor empty_input();

  ImageSource& source_;
  const Preprocessing rule_;
  const LoaderOptions options_;
  const bool sizes_vary_;
  Tensor decoded_;  // [slots, 3, height, width], where sizes do not vary
  std::vector<Tensor> recycled_;
  bool over_ = false;  // next() has met the end
  SizeGroups groups_;
  std::map<int64_t, Slot> waiting_;  // images in groups, by index

  std::mutex mutex_;
  std::condition_variable slot_done_;
  std::condition_variable_any slot_free_;  // waits for a stop request, too
  std::vector<Slot> slots_;
  int64_t started_ = 0;                // images that a thread has begun with
  int64_t taken_ = 0;                  // images that next() has passed
  int64_t end_;                        // no image from here on, as far as is known
  size_t kept_bytes_ = 0;              // of kept images and inputs of their own in the slots
  std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace tyto::apps
