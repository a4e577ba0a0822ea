// Which images of many sizes make a batch together, and which run alone.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "engine/images/image_fit.h"

namespace tyto::apps {

// Images come in the order of their source and wait for others of their network size. As many as a batch has
// go together. Where an image has been overtaken by too much, its group goes, one image after the other, and
// so do all at the end. What goes with what depends on order and sizes alone.
class SizeGroups {
 public:
  // window: the most bytes of images, the oldest that waits and all that came after it.
  SizeGroups(int64_t batch, int64_t window) : batch_(batch), window_(window) {}

  // The index rises. bytes: what is held of the image.
  void add(int64_t index, const NetworkSize& size, int64_t bytes);
  void finish();  // nothing more comes

  // Indices of the next batch, rising: as many as a batch has, or one. Nothing: add more.
  std::optional<std::vector<int64_t>> next();

 private:
  struct Group {
    std::vector<int64_t> indices;
    int64_t bytes_before = 0;  // of all images that came before its first
  };
  using Groups = std::map<NetworkSize, Group>;

  void run_oldest_alone();  // the group of the image that waits longest

  int64_t batch_, window_;
  int64_t bytes_ = 0;  // of all images so far
  Groups groups_;
  std::map<int64_t, Groups::iterator> by_age_;  // by their first image
  std::deque<std::vector<int64_t>> ready_;
};

}  // namespace tyto::apps
