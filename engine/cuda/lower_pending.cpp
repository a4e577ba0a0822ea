// What is lowered in the commits that follow.
#include "engine/cuda/lowering.h"

namespace tyto::cuda {

void Lowering::lower(const Sub&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const AveragePool&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Upsample&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Pad&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Reshape&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Permute&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Concat&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Slice&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Expand&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Constant&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
}  // namespace tyto::cuda
