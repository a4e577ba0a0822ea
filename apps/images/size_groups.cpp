#include "apps/images/size_groups.h"

#include <utility>

namespace tyto::apps {

void SizeGroups::add(int64_t index, const NetworkSize& size, int64_t bytes) {
  const auto group = groups_.try_emplace(size).first;
  std::vector<int64_t>& indices = group->second.indices;
  if (indices.empty()) {
    group->second.bytes_before = bytes_;
    by_age_[index] = group;
  }
  indices.push_back(index);
  bytes_ += bytes;
  if (static_cast<int64_t>(indices.size()) == batch_) {
    by_age_.erase(indices.front());
    ready_.push_back(std::move(indices));
    groups_.erase(group);
  }
  while (!by_age_.empty() && bytes_ - by_age_.begin()->second->second.bytes_before > window_)
    run_oldest_alone();
}

void SizeGroups::run_oldest_alone() {
  const Groups::iterator oldest = by_age_.begin()->second;
  for (const int64_t index : oldest->second.indices) ready_.push_back({index});
  by_age_.erase(by_age_.begin());
  groups_.erase(oldest);
}

void SizeGroups::finish() {
  while (!by_age_.empty()) run_oldest_alone();
}

std::optional<std::vector<int64_t>> SizeGroups::next() {
  if (ready_.empty()) return std::nullopt;
  std::vector<int64_t> batch = std::move(ready_.front());
  ready_.pop_front();
  return batch;
}

}  // namespace tyto::apps
