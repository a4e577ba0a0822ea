#include <tyto_bev.h>
#include <tyto_losses.h>

// The frame that both libraries share answers by the codes of the losses.
static_assert(int{TYTO_BEV_OK} == TYTO_LOSSES_OK && int{TYTO_BEV_BAD_ARGUMENT} == TYTO_LOSSES_BAD_ARGUMENT &&
              int{TYTO_BEV_UNSUPPORTED} == TYTO_LOSSES_UNSUPPORTED &&
              int{TYTO_BEV_DEVICE} == TYTO_LOSSES_DEVICE && int{TYTO_BEV_INTERNAL} == TYTO_LOSSES_INTERNAL);

extern "C" int tyto_bev_version(void) { return TYTO_BEV_VERSION; }
