// What pipelines of single images share: batches go in, several of them on their way at once, and come out in
// order.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tyto/image.h"
#include "tyto/plan.h"
#include "tyto/tensor.h"

namespace tyto {

class ImagePipeline {
 public:
  // Takes a batch; the pipeline's collect() hands out the results of the first that was not collected. Up to
  // in_flight() batches may wait. Error{Usage} beyond that.
  //
  // input: F32 [batch, 3, H, W], preprocessed, rows that hold no image being zero; it stays in its place,
  // unchanged, until its results are collected. images: how each of the first rows was made. Error{Shape} for
  // any other.
  void submit(const Tensor& input, std::span<const Geometry> images = {});
  // At most `batch` images, preprocessed by the model's rule; they may go when the call returns. Error{Shape}
  // for more, and for an image that is empty.
  void submit(std::span<const Image> images);
  int in_flight() const;

  // Whether the device preprocesses images faster than threads that prepare inputs for submit() would.
  bool preprocesses() const;

 protected:
  ImagePipeline(Plan plan, const std::string& preprocessing);  // ModelInfo's
  ~ImagePipeline();

  struct Result {
    const std::map<std::string, Tensor>& outputs;  // the plan's own until the next call
    std::vector<Geometry> images;                  // of the first rows
  };
  Result collect_outputs();  // Error{Usage} where nothing was submitted
  const Plan& plan() const;

  // Submits the images in batches, as many at once as may be in flight, and calls take(first image, result).
  template <class Take>
  void run_all(std::span<const Image> images, const Take& take);

 private:
  size_t waiting() const;  // submitted and not collected

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

template <class Take>
void ImagePipeline::run_all(std::span<const Image> images, const Take& take) {
  const auto rows = static_cast<size_t>(plan().inputs().front().shape[0]);
  size_t collected = 0;
  const auto collect_one = [&] {
    const Result result = collect_outputs();
    take(collected, result);
    collected += result.images.size();
  };
  for (size_t first = 0; first < images.size(); first += rows) {
    if (waiting() == static_cast<size_t>(in_flight())) collect_one();
    submit(images.subspan(first, std::min(rows, images.size() - first)));
  }
  while (waiting() > 0) collect_one();
}

}  // namespace tyto
