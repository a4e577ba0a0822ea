// What is lowered in the commits that follow.
#include "engine/cpu/lowering.h"

namespace tyto::cpu {

void Lowering::lower(const GroupNorm&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const MatMul&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}
void Lowering::lower(const Attention&, const Node& node, int) {
  throw Error(ErrorKind::Unsupported, "layer '" + node.name + "' is not lowered yet");
}

}  // namespace tyto::cpu
