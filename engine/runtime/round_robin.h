// Several devices as one: batches go to them in turn.
#pragma once

#include <memory>
#include <vector>

#include "engine/runtime/backend.h"

namespace tyto {

// Every plan is compiled for each device. Submitted inputs go round the devices, and are collected in the
// order in which they came, so that one thread keeps all of them busy. At least one backend.
std::unique_ptr<Backend> make_round_robin_backend(std::vector<std::unique_ptr<Backend>> backends);

}  // namespace tyto
