// Reads a pickle into inert values: a stack machine in which calling, importing and loading do not exist.
#pragma once

#include <vector>

#include "weights_converter/checkpoint/globals.h"
#include "weights_converter/checkpoint/pickle_input.h"
#include "weights_converter/checkpoint/pickle_value.h"

namespace tyto {

// What the pickles of one file have in common.
struct PickleSpace {
  PickleHeap heap;
  GlobalLog globals;                  // filled even where a pickle turns out to be broken
  std::vector<PickleRef> persistent;  // every PicklePersistent, in order
};

// Reads one pickle, up to and including its STOP, and returns what lay on top of the stack. Protocols 0 to 5.
// What goes into dicts and lists is checked (SETITEM only on a dict or an object that is no tensor ...).
// Error{Format} names the opcode and its byte for anything that Python would not have written.
PickleRef unpickle(PickleInput& input, PickleSpace& space);

}  // namespace tyto
