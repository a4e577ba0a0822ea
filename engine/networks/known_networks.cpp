// Apart from the rest, so that a test's program may define networks() itself: the linker takes this file out
// of the engine's archive only where nobody has.
#include "engine/networks/network.h"

namespace tyto {

const std::vector<Network>& networks() {
  static const std::vector<Network> all = shipped_networks();
  return all;
}

}  // namespace tyto
