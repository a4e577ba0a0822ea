// Layouts of oneDNN seen as the channel blocks of our kernels.
#include <fmt/format.h>

#include <optional>

#include "engine/cpu/lowering.h"

namespace tyto::cpu {
namespace {

// NHWC; an image of one pixel is so only where its pixel stride says it, one of one channel never.
bool channels_last(const memory::desc& layout) {
  const auto& b = layout.data.format_desc.blocking;
  return layout.data.ndims == 4 && b.inner_nblks == 0 && layout.data.dims[1] > 1 && b.strides[1] == 1 &&
         b.strides[3] == layout.data.dims[1];
}

// The layout as channel blocks, where it is one: NCHW, NHWC, nChw8c, nChw16c or [N, C].
std::optional<kernels::ChannelBlocks<float>> channel_blocks(const memory::desc& layout) {
  const dnnl_memory_desc_t& d = layout.data;
  if (d.format_kind != dnnl_blocked || d.data_type != dnnl_f32 || d.offset0 != 0) return std::nullopt;
  const auto& b = d.format_desc.blocking;
  kernels::ChannelBlocks<float> out;
  out.n = d.dims[0];
  out.channels = d.dims[1];
  out.height = d.ndims == 4 ? d.dims[2] : 1;
  out.width = d.ndims == 4 ? d.dims[3] : 1;
  out.image_stride = b.strides[0];
  if (d.ndims != 2 && d.ndims != 4) return std::nullopt;
  if (b.inner_nblks == 0) {
    out.block = channels_last(layout) ? out.channels : 1;
    out.block_stride = channels_last(layout) ? out.channels : b.strides[1];
  } else if (b.inner_nblks == 1 && b.inner_idxs[0] == 1) {
    out.block = b.inner_blks[0];
    out.block_stride = b.strides[1];
  } else {
    return std::nullopt;
  }
  if (d.ndims == 4 && (b.strides[3] != out.block || b.strides[2] != out.block * out.width))
    return std::nullopt;
  return out;
}

}  // namespace

bool has_blocks(const memory::desc& layout) { return channel_blocks(layout).has_value(); }

kernels::ChannelBlocks<float> Lowering::blocks(const TensorRef& s) const {
  const auto view = channel_blocks(s.layout);
  if (!view)
    throw Error(ErrorKind::Unsupported, fmt::format("no kernel for the layout {}", layout_name(s.layout)));
  return *view;
}

TensorRef Lowering::as_blocks(Value v) {
  const TensorRef& s = stored(v);
  if (has_blocks(s.layout)) return s;
  return in_layout(v, plain(graph_.shape(v)));
}

memory::desc Lowering::with_area(const memory::desc& layout, int64_t height, int64_t width) const {
  using Tag = memory::format_tag;
  const auto& blocking = layout.data.format_desc.blocking;
  Tag tag = channels_last(layout) ? Tag::nhwc : Tag::nchw;
  if (blocking.inner_nblks > 0)
    tag = blocking.inner_blks[0] == 16  ? Tag::nChw16c
          : blocking.inner_blks[0] == 8 ? Tag::nChw8c
                                        : Tag::nChw4c;
  return described({layout.data.dims[0], layout.data.dims[1], height, width}, layout.data_type(), tag);
}

memory::desc with_images(memory::desc layout, int64_t images) {
  layout.data.dims[0] = layout.data.padded_dims[0] = images;
  return layout;
}

std::string layout_name(const memory::desc& layout) {
  const dnnl_memory_desc_t& d = layout.data;
  if (d.format_kind != dnnl_blocked) return "opaque";
  const std::string type = d.data_type == dnnl_bf16 ? " bf16" : "";
  const auto& b = d.format_desc.blocking;
  if (d.ndims != 4) return fmt::format("{}d{}", d.ndims, type);
  if (b.inner_nblks == 1 && b.inner_idxs[0] == 1) return fmt::format("nChw{}c{}", b.inner_blks[0], type);
  if (channels_last(layout)) return "nhwc" + type;
  return (b.inner_nblks == 0 ? "nchw" : "blocked") + type;
}

}  // namespace tyto::cpu
