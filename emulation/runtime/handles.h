// The live objects of one kind of handle, so that a stale handle is refused and not followed.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace emulation::runtime {

template <class T>
class Handles {
 public:
  T* add(T object) { return objects_.emplace_back(std::make_unique<T>(std::move(object))).get(); }
  void remove(const T* handle) { objects_.erase(position(handle)); }
  size_t size() const { return objects_.size(); }
  bool contains(const T* handle) { return position(handle) != objects_.end(); }

  auto begin() const { return objects_.begin(); }
  auto end() const { return objects_.end(); }

 private:
  auto position(const T* handle) {
    return std::find_if(objects_.begin(), objects_.end(),
                        [&](const auto& object) { return object.get() == handle; });
  }

  std::vector<std::unique_ptr<T>> objects_;
};

}  // namespace emulation::runtime
