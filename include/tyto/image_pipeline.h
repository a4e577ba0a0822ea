// What pipelines of single images share: batches go in, several of them on their way at once, and come out in
// order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tyto/image.h"
#include "tyto/model.h"
#include "tyto/plan.h"
#include "tyto/tensor.h"

namespace tyto {

// Where the model's rule makes the network's input as large as the image asks for, a batch is of images of
// one network size, and either full or of one image; a plan is made for each size that is met, and kept while
// memory allows. An image alone and the same image in a full batch then have results that differ by rounding.
class ImagePipeline {
 public:
  // Takes a batch; the pipeline's collect() hands out the results of the first that was not collected. Up to
  // in_flight() batches may wait. Error{Usage} beyond that.
  //
  // input: F32 [batch, 3, H, W], preprocessed, rows that hold no image being zero, or [1, 3, H, W] where
  // sizes vary; it stays in its place, unchanged, until its results are collected. images: how each of the
  // first rows was made; networks that take images' sizes need them. Error{Shape} for any other.
  void submit(const Tensor& input, std::span<const Geometry> images = {});
  // At most `batch` images, or where sizes vary `batch` of one network size or one, preprocessed by the
  // model's rule; they may go when the call returns. Error{Shape} for others, and for an image that is empty.
  void submit(std::span<const Image> images);
  int in_flight() const;

  // Whether the device preprocesses images faster than threads that prepare inputs for submit() would.
  bool preprocesses() const;

  // Sizes that plans were made for, and how many seconds that took.
  struct Planning {
    size_t plans = 0;
    double seconds = 0;
  };
  Planning planning() const;

 protected:
  // The network for images of a size: the graph of a plan, optimised, of the model's inputs.
  using Build = std::function<Graph(const Shape& input)>;
  // Where sizes do not vary, the plan is made now. Error{Unsupported} as Model::image_input().
  ImagePipeline(Context& context, Precision precision, int64_t batch, const Model& model, Build build);
  ~ImagePipeline();

  struct Result {
    const std::map<std::string, Tensor>& outputs;  // the plan's own until the next call
    std::vector<Geometry> images;                  // of the first rows
  };
  Result collect_outputs();  // Error{Usage} where nothing was submitted

  // Runs the images in batches, as many at once as may be in flight, and calls take(which of them, result)
  // for each batch; where sizes vary, not in their order.
  void run_all(std::span<const Image> images,
               const std::function<void(std::span<const size_t>, const Result&)>& take);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto
