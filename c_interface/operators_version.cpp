#include <tyto_losses.h>
#include <tyto_operators.h>

// The frame that the libraries share answers by the codes of the losses.
static_assert(int{TYTO_OPERATORS_OK} == TYTO_LOSSES_OK &&
              int{TYTO_OPERATORS_BAD_ARGUMENT} == TYTO_LOSSES_BAD_ARGUMENT &&
              int{TYTO_OPERATORS_UNSUPPORTED} == TYTO_LOSSES_UNSUPPORTED &&
              int{TYTO_OPERATORS_DEVICE} == TYTO_LOSSES_DEVICE &&
              int{TYTO_OPERATORS_INTERNAL} == TYTO_LOSSES_INTERNAL);

extern "C" int tyto_operators_version(void) { return TYTO_OPERATORS_VERSION; }
