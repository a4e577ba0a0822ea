// What target creators ask of objects before they look at them. Of their own use.
#pragma once

#include "kernels/losses/match_priors.h"

namespace tyto::kernels {

// spoiled [batch]: 1 where an object of the image is not finite or, with_classes, of a class below 0; else 0.
// These faults, degenerate objects and counts out of range join *status, which may be null.
template <class C>
void check_objects(const ImageObjects<C>& objects, bool with_classes, int32_t* spoiled, LossStatus* status,
                   Stream);

}  // namespace tyto::kernels
