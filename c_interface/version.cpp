#include "c_interface/arguments.h"

extern "C" int tyto_losses_version(void) { return TYTO_LOSSES_VERSION; }

extern "C" int tyto_losses_describe_status(uint64_t status, char* text, size_t text_size) {
  using namespace tyto::c_interface;
  using namespace tyto::kernels;
  return answered({"", ""}, text, text_size, [&] { return LossStatus{status}; });
}
