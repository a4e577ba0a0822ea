/* What tyto's C libraries have in common: the types of elements and the devices. */
#ifndef TYTO_ELEMENTS_H
#define TYTO_ELEMENTS_H

enum tyto_elements { TYTO_DOUBLE = 0, TYTO_FLOAT = 1, TYTO_HALF = 2, TYTO_BFLOAT16 = 3 };

enum tyto_device { TYTO_ON_CPU = 0, TYTO_ON_CUDA = 1 };

#endif
