// The naive meaning of each operator: a loop that nobody can doubt. Each stands in a file of its family.
#pragma once

#include "engine/reference/call.h"

namespace tyto {

#define TYTO_REFERENCE(Operator, name) Results reference(const Operator&, const Call&);
TYTO_OPERATORS(TYTO_REFERENCE)
#undef TYTO_REFERENCE

}  // namespace tyto
