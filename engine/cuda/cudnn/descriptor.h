// One descriptor of cuDNN's graph API: created, given attributes, finalized, destroyed.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/cuda/cudnn/cudnn.h"

namespace tyto::cuda {

// How cuDNN names a C++ type.
template <class T>
constexpr cudnnBackendAttributeType_t attribute_type() {
  if constexpr (std::is_same_v<T, int64_t>)
    return CUDNN_TYPE_INT64;
  else if constexpr (std::is_same_v<T, float>)
    return CUDNN_TYPE_FLOAT;
  else if constexpr (std::is_same_v<T, bool>)
    return CUDNN_TYPE_BOOLEAN;
  else if constexpr (std::is_same_v<T, char>)
    return CUDNN_TYPE_CHAR;
  else if constexpr (std::is_same_v<T, void*>)
    return CUDNN_TYPE_VOID_PTR;
  else if constexpr (std::is_same_v<T, cudnnHandle_t>)
    return CUDNN_TYPE_HANDLE;
  else if constexpr (std::is_same_v<T, cudnnDataType_t>)
    return CUDNN_TYPE_DATA_TYPE;
  else if constexpr (std::is_same_v<T, cudnnConvolutionMode_t>)
    return CUDNN_TYPE_CONVOLUTION_MODE;
  else if constexpr (std::is_same_v<T, cudnnPointwiseMode_t>)
    return CUDNN_TYPE_POINTWISE_MODE;
  else if constexpr (std::is_same_v<T, cudnnBackendHeurMode_t>)
    return CUDNN_TYPE_HEUR_MODE;
  else if constexpr (std::is_same_v<T, cudnnBackendNumericalNote_t>)
    return CUDNN_TYPE_NUMERICAL_NOTE;
  else if constexpr (std::is_same_v<T, cudnnBackendBehaviorNote_t>)
    return CUDNN_TYPE_BEHAVIOR_NOTE;
  else {
    static_assert(std::is_same_v<T, cudnnBackendKnobType_t>);
    return CUDNN_TYPE_KNOB_TYPE;
  }
}

class Descriptor {
 public:
  Descriptor(const Cudnn& cudnn, cudnnBackendDescriptorType_t type) : cudnn_(&cudnn) {
    cudnn.check(cudnn.BackendCreateDescriptor(type, &handle_), "create a descriptor");
  }
  ~Descriptor() {
    if (handle_) cudnn_->BackendDestroyDescriptor(handle_);
  }
  Descriptor(Descriptor&& other) noexcept
      : cudnn_(other.cudnn_), handle_(std::exchange(other.handle_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(cudnn_, other.cudnn_);
    std::swap(handle_, other.handle_);
    return *this;
  }

  cudnnBackendDescriptor_t handle() const { return handle_; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const T& value) {
    return set(name, attribute_type<T>(), 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.handle_);
  }
  template <class List>  // contiguous
  Descriptor& set_list(cudnnBackendAttributeName_t name, const List& values) {
    return set(name, attribute_type<typename List::value_type>(), values.size(), values.data());
  }
  Descriptor& set_descriptors(cudnnBackendAttributeName_t name,
                              const std::vector<cudnnBackendDescriptor_t>& values) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, values.size(), values.data());
  }

  Descriptor& finalize() {
    cudnn_->check(try_finalize(), "finalize a descriptor");
    return *this;
  }
  cudnnStatus_t try_finalize() { return cudnn_->BackendFinalize(handle_); }

  template <class T>
  T get(cudnnBackendAttributeName_t name) const {
    T value{};
    int64_t count = 0;
    get(name, attribute_type<T>(), 1, count, &value);
    return value;
  }
  // At most `limit` values.
  template <class T>
  std::vector<T> list(cudnnBackendAttributeName_t name, int64_t limit) const {
    std::vector<T> values(static_cast<size_t>(limit));
    int64_t count = 0;
    get(name, attribute_type<T>(), limit, count, values.data());
    values.resize(static_cast<size_t>(std::clamp<int64_t>(count, 0, limit)));
    return values;
  }
  // At most `limit` descriptors, which are read into ones made beforehand.
  std::vector<Descriptor> list(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                               int64_t limit) const {
    std::vector<Descriptor> descriptors;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (int64_t i = 0; i < limit; ++i) {
      descriptors.emplace_back(*cudnn_, type);
      handles.push_back(descriptors.back().handle_);
    }
    int64_t count = 0;
    get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, limit, count, handles.data());
    descriptors.erase(descriptors.begin() + std::clamp<int64_t>(count, 0, limit), descriptors.end());
    return descriptors;
  }
  int64_t count(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const {
    int64_t count = 0;
    get(name, type, 0, count, nullptr);
    return count;
  }

 private:
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, size_t count,
                  const void* values) {
    cudnn_->check(cudnn_->BackendSetAttribute(handle_, name, type, static_cast<int64_t>(count), values),
                  "set an attribute");
    return *this;
  }
  void get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t limit, int64_t& count,
           void* values) const {
    cudnn_->check(cudnn_->BackendGetAttribute(handle_, name, type, limit, &count, values),
                  "read an attribute");
  }

  const Cudnn* cudnn_;
  cudnnBackendDescriptor_t handle_ = nullptr;
};

}  // namespace tyto::cuda
