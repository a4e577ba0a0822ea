#include "weights_converter/checkpoint/stored_tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "tyto/error.h"
#include "weights_converter/checkpoint/limits.h"
#include "weights_converter/checkpoint/storage_reader.h"

namespace tyto {
namespace {

// One dimension longer than 1, with its stride in the storage and in the row-major result (elements).
struct Axis {
  int64_t size, from, to;
};

// The axes by falling stride, so that walking them in order goes through the storage forward (unless the view
// overlaps itself). Neighbours that continue each other in both storage and result become one.
std::vector<Axis> storage_order(const StoredTensor& t) {
  std::vector<Axis> axes;
  int64_t to = 1;
  for (size_t d = t.shape.rank(); d-- > 0;) {
    if (t.shape[d] > 1) axes.push_back({t.shape[d], t.strides[d], to});
    to *= t.shape[d];
  }
  std::sort(axes.begin(), axes.end(),
            [](const Axis& a, const Axis& b) { return a.from != b.from ? a.from > b.from : a.to > b.to; });
  std::vector<Axis> merged;
  for (const Axis& axis : axes) {
    if (!merged.empty() && merged.back().from == axis.from * axis.size &&
        merged.back().to == axis.to * axis.size)
      merged.back() = {merged.back().size * axis.size, axis.from, axis.to};
    else
      merged.push_back(axis);
  }
  return merged;
}

// Elements from the first to the last one that the axes reach, both included.
int64_t span_of(const std::vector<Axis>& axes) {
  int64_t span = 1;
  for (const Axis& axis : axes) span += (axis.size - 1) * axis.from;
  return span;
}

// True where walking the axes in storage order would ever step back.
bool overlaps(const std::vector<Axis>& axes) {
  int64_t inner = 1;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    if (axis->from == 0) continue;
    if (axis->from < inner) return true;
    inner += (axis->size - 1) * axis->from;
  }
  return false;
}

// A window that slides forward over a storage.
class StorageWindow {
 public:
  StorageWindow(const File& file, const StoredStorage& storage, uint64_t window_bytes)
      : reader_(file, storage), end_(storage.bytes()), window_(static_cast<size_t>(window_bytes)) {}

  // `bytes` (at most the window's) from byte `at` of the storage on.
  const std::byte* at(uint64_t at, uint64_t bytes) {
    if (at < begin_ || at + bytes > begin_ + filled_) {
      begin_ = at;
      filled_ = std::min<uint64_t>(window_.size(), end_ - at);
      reader_.read(begin_, std::span(window_).first(static_cast<size_t>(filled_)));
    }
    return window_.data() + (at - begin_);
  }

 private:
  StorageReader reader_;
  uint64_t end_;
  std::vector<std::byte> window_;
  uint64_t begin_ = 0, filled_ = 0;
};

template <size_t kBytes>
void scatter(const std::byte* from, int64_t from_step, std::byte* to, int64_t to_step, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * to_step * static_cast<int64_t>(kBytes),
                from + i * from_step * static_cast<int64_t>(kBytes), kBytes);
}

void scatter(int64_t element, const std::byte* from, int64_t from_step, std::byte* to, int64_t to_step,
             int64_t count) {
  switch (element) {
    case 1:
      return scatter<1>(from, from_step, to, to_step, count);
    case 2:
      return scatter<2>(from, from_step, to, to_step, count);
    case 4:
      return scatter<4>(from, from_step, to, to_step, count);
    default:
      return scatter<8>(from, from_step, to, to_step, count);
  }
}

void gather(const File& file, const StoredTensor& t, const std::vector<Axis>& axes, Tensor& out) {
  constexpr int64_t kWindowBytes = 1 << 20;
  const int64_t element = t.storage.type.bytes;
  const int64_t span_bytes = span_of(axes) * element;
  StorageWindow window(
      file, t.storage,
      static_cast<uint64_t>(overlaps(axes) ? span_bytes : std::min(span_bytes, kWindowBytes)));

  const Axis inner = axes.back();
  // Elements of the innermost axis that fit one window.
  const int64_t reach = std::min<int64_t>(span_bytes, kWindowBytes) / element - 1;
  const int64_t piece = inner.from == 0 ? inner.size : std::max<int64_t>(1, reach / inner.from + 1);
  std::vector<int64_t> index(axes.size() - 1, 0);
  for (bool more = true; more;) {
    int64_t from = t.offset, to = 0;
    for (size_t a = 0; a < index.size(); ++a) {
      from += index[a] * axes[a].from;
      to += index[a] * axes[a].to;
    }
    for (int64_t i = 0; i < inner.size; i += piece) {
      const int64_t count = std::min(piece, inner.size - i);
      const auto at = static_cast<uint64_t>((from + i * inner.from) * element);
      const auto bytes = static_cast<uint64_t>(((count - 1) * inner.from + 1) * element);
      scatter(element, window.at(at, bytes), inner.from, out.data() + (to + i * inner.to) * element, inner.to,
              count);
    }
    more = false;
    for (size_t a = index.size(); a-- > 0 && !more;)
      if (++index[a] < axes[a].size)
        more = true;
      else
        index[a] = 0;
  }
}

// As torch.neg: numbers without a sign wrap around, and true stays true.
void negate(Tensor& t) {
  const auto each = [&]<class Bits>(Bits, const auto& change) {
    auto* bits = reinterpret_cast<Bits*>(t.data());
    for (int64_t i = 0; i < t.elements(); ++i) bits[i] = static_cast<Bits>(change(bits[i]));
  };
  const auto minus = [](auto v) { return 0 - v; };
  switch (t.dtype()) {
    case DType::F64:
      return each(uint64_t{}, [](uint64_t v) { return v ^ (uint64_t{1} << 63); });
    case DType::F32:
      return each(uint32_t{}, [](uint32_t v) { return v ^ 0x80000000u; });
    case DType::F16:
    case DType::BF16:
      return each(uint16_t{}, [](uint16_t v) { return v ^ 0x8000u; });
    case DType::I64:
      return each(uint64_t{}, minus);
    case DType::I32:
      return each(uint32_t{}, minus);
    case DType::I16:
      return each(uint16_t{}, minus);
    case DType::I8:
    case DType::U8:
      return each(uint8_t{}, minus);
    case DType::Bool:
      return;
  }
}

}  // namespace

void check(const StoredTensor& t, const std::string& where) {
  const auto fail = [&](ErrorKind kind, const std::string& why) {
    throw Error(kind, fmt::format("{}: shape {}, strides [{}], offset {} {}", where, t.shape.str(),
                                  fmt::join(t.strides, ", "), t.offset, why));
  };
  if (t.shape.rank() != t.strides.size() || t.shape.rank() > limits::kMaxRank)
    fail(ErrorKind::Format, fmt::format("do not fit together or exceed {} dimensions", limits::kMaxRank));
  if (t.offset < 0) fail(ErrorKind::Format, "is negative");
  __extension__ using Wide = __int128;
  constexpr Wide kHuge = Wide{1} << 62;
  Wide last = t.offset, elements = 1;
  for (size_t d = 0; d < t.shape.rank(); ++d) {
    if (t.shape[d] < 0) fail(ErrorKind::Format, "has a negative size");
    if (t.strides[d] < 0) fail(ErrorKind::Unsupported, "has a negative stride");
    elements *= t.shape[d];
    last = std::min(kHuge, last + static_cast<Wide>(t.shape[d] - 1) * t.strides[d]);
    if (elements > kHuge) fail(ErrorKind::Format, "has more than 2^62 elements");
  }
  if (elements == 0) return;
  const int64_t held = t.storage.elements;  // < 2^62
  if (last >= held) fail(ErrorKind::Format, fmt::format("reaches beyond its storage of {} elements", held));
  if (elements > held && elements > limits::kMaxExpandedElements)
    fail(ErrorKind::Unsupported,
         fmt::format("blows a storage of {} elements up beyond {}", held, limits::kMaxExpandedElements));
  const std::vector<Axis> axes = storage_order(t);
  if (overlaps(axes) &&
      static_cast<uint64_t>(span_of(axes) * t.storage.type.bytes) > limits::kMaxOverlapBytes)
    fail(ErrorKind::Unsupported,
         fmt::format("overlaps itself over more than {} bytes", limits::kMaxOverlapBytes));
}

uint64_t bytes_to_read(const StoredTensor& t) {
  if (t.shape.elements() == 0) return 0;
  const int64_t span = span_of(storage_order(t)) + (t.storage.record.deflated ? t.offset : 0);
  return static_cast<uint64_t>(std::max(span, t.shape.elements())) *
         static_cast<uint64_t>(t.storage.type.bytes);
}

Tensor read_stored(const File& file, const StoredTensor& t) {
  Tensor out(*t.storage.type.dtype, t.shape);
  if (out.empty()) return out;
  const std::vector<Axis> axes = storage_order(t);
  const bool contiguous = axes.empty() || (axes.size() == 1 && axes[0].from == 1);
  if (contiguous) {
    const auto begin = static_cast<uint64_t>(t.offset * t.storage.type.bytes);
    StorageReader(file, t.storage).read(begin, {out.data(), static_cast<size_t>(out.bytes())});
  } else {
    gather(file, t, axes, out);
  }
  if (t.negated) negate(out);
  return out;
}

}  // namespace tyto
