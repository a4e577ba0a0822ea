// What samples are made by.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>

#include "c_interface/sample.h"

namespace tyto {

inline void store(double value, int32_t elements, unsigned char* to) {
  const float f = static_cast<float>(value);
  const auto half = static_cast<_Float16>(f);
  const auto brain = static_cast<uint16_t>((std::bit_cast<uint32_t>(f) + 0x8000u) >> 16);
  if (elements == TYTO_DOUBLE) std::memcpy(to, &value, 8);
  if (elements == TYTO_FLOAT) std::memcpy(to, &f, 4);
  if (elements == TYTO_HALF) std::memcpy(to, &half, 2);
  if (elements == TYTO_BFLOAT16) std::memcpy(to, &brain, 2);
}

inline std::vector<double> waves(int64_t count, double step) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(std::sin(step * static_cast<double>(i + 1)));
  return values;
}

// A field's own place, whatever it points to.
template <class P>
void** place(P* field) {
  return (void**)field;
}

template <class Desc>
class Builder {
 public:
  template <class Workspace, class Call>
  Builder(std::string name, int32_t elements, void (*defaults)(Desc*, size_t), Workspace workspace, Call call)
      : desc_(std::make_shared<Desc>()) {
    defaults(desc_.get(), sizeof(Desc));
    desc_->elements = elements;
    sample_.name = std::move(name);
    sample_.elements = elements;
    sample_.desc = desc_;
    sample_.desc_size = sizeof(Desc);
    if constexpr (requires { desc_->status; }) sample_.options = offsetof(Desc, status) + sizeof(void*);
    sample_.device = &desc_->device;
    sample_.defaults = [defaults](void* d, size_t size) { defaults(static_cast<Desc*>(d), size); };
    sample_.workspace = [workspace](const void* d, size_t* bytes, char* error, size_t size) {
      return workspace(static_cast<const Desc*>(d), bytes, error, size);
    };
    sample_.call = [call](const void* d, void* memory, size_t bytes, void* stream, char* error, size_t size) {
      return call(static_cast<const Desc*>(d), memory, bytes, stream, error, size);
    };
    if constexpr (requires { desc_->value; }) out("value", desc_->value, 5, real(), false);
  }

  Desc* operator->() { return desc_.get(); }

  // Where what may be changed at random begins, where it does not behind `status`.
  Builder& options(size_t offset) {
    sample_.options = offset;
    return *this;
  }

  Builder& size(const char* name, int64_t& field, int64_t value) {
    field = value;
    sample_.sizes.emplace_back(name, &field);
    return *this;
  }
  template <class P>
  Builder& in(const char* name, P& field, const std::vector<double>& values) {
    return add(name, field, values, desc_->elements);
  }
  // The array that was added last.
  Builder& optional() {
    sample_.arrays.back().optional = true;
    return *this;
  }
  template <class P>
  Builder& reals(const char* name, P& field, const std::vector<double>& values, bool optional = false) {
    add(name, field, values, real());
    sample_.arrays.back().optional = optional;
    return *this;
  }
  template <class P>
  Builder& integers(const char* name, P& field, const std::vector<int32_t>& values, bool optional = false) {
    std::vector<unsigned char> bytes(values.size() * 4);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    sample_.arrays.push_back({name, place(&field), std::move(bytes), false, optional, kInteger});
    return *this;
  }
  template <class P>
  Builder& gradient(const char* name, P& field, int64_t count) {
    return out(name, field, count, desc_->elements, true);
  }
  template <class P>
  Builder& out(const char* name, P& field, int64_t count, int32_t elements, bool optional) {
    sample_.arrays.push_back({name, place(&field),
                              std::vector<unsigned char>(static_cast<size_t>(count * bytes_of(elements))),
                              true, optional, elements});
    return *this;
  }
  int32_t real() const { return desc_->elements == TYTO_DOUBLE ? TYTO_DOUBLE : TYTO_FLOAT; }

  Sample take() {
    sample_.point();
    return std::move(sample_);
  }

 private:
  template <class P>
  Builder& add(const char* name, P& field, const std::vector<double>& values, int32_t elements) {
    const int64_t bytes = bytes_of(elements);
    std::vector<unsigned char> stored(values.size() * static_cast<size_t>(bytes));
    for (size_t i = 0; i < values.size(); ++i)
      store(values[i], elements, &stored[i * static_cast<size_t>(bytes)]);
    sample_.arrays.push_back({name, place(&field), std::move(stored), false, false, elements});
    return *this;
  }

  std::shared_ptr<Desc> desc_;
  Sample sample_;
};

#define TYTO_BUILDER(loss, elements) \
  Builder<loss##_desc>(#loss, elements, loss##_defaults, loss##_workspace, loss)

}  // namespace tyto
