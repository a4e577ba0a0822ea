// What samples decide of a run's outputs, for runs that go on where others stopped.
#pragma once

#include <span>
#include <string>

#include "apps/bev/sample.h"

namespace tyto::apps {

// A hash of the samples as they were read: their names, files and calibrations.
std::string hash_of(std::span<const Sample> samples);
// `identity`, a JSON object of all else that decides the outputs, and that hash.
std::string with_samples(const std::string& identity, const std::string& hash);

}  // namespace tyto::apps
