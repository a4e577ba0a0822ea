// Where a kernel asked for something: a default argument of every operation that can wait or be refused.
#pragma once

#include <source_location>
#include <string>

namespace emulation {

using Where = std::source_location;

std::string text(const Where& where);  // "softmax.cu:41"
bool same(const Where& a, const Where& b);

}  // namespace emulation
