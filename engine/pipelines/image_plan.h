// A plan that takes images, wherever they are preprocessed.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/images/preprocessing.h"
#include "tyto/plan.h"

namespace tyto {

class ImagePlan {
 public:
  ImagePlan(Plan plan, const Preprocessing& rule);

  // As Plan's; the rows beyond the images are zero, and an image may go when the call returns. Error{Shape} for
  // more images than rows, and for an image that is none.
  void submit(std::span<const Image> images);
  void submit(const Tensor& input, std::span<const Geometry> images);
  int in_flight() const { return plan_.in_flight(); }
  bool preprocesses() const { return plan_.preprocesses(); }

  struct Result {
    const std::map<std::string, Tensor>& outputs;  // the plan's own until the next call
    std::vector<Geometry> images;                  // where those of the first rows went
  };
  Result collect();

  // Submits the images in batches, as many at once as may be in flight, and calls take(first image, result).
  template <class Take>
  void run(std::span<const Image> images, const Take& take);

 private:
  void check_count(size_t images) const;

  Plan plan_;
  Preprocessor preprocessor_;
  std::vector<Tensor> inputs_;  // of the batches in flight, where they are preprocessed here
  size_t next_input_ = 0;
  std::deque<std::vector<Geometry>> submitted_;  // and not collected
};

template <class Take>
void ImagePlan::run(std::span<const Image> images, const Take& take) {
  const auto rows = static_cast<size_t>(plan_.input_shape()[0]);
  size_t collected = 0;
  const auto collect_one = [&] {
    const Result result = collect();
    take(collected, result);
    collected += result.images.size();
  };
  for (size_t first = 0; first < images.size(); first += rows) {
    if (static_cast<int>(submitted_.size()) == in_flight()) collect_one();
    submit(images.subspan(first, std::min(rows, images.size() - first)));
  }
  while (!submitted_.empty()) collect_one();
}

}  // namespace tyto
