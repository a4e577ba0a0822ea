// The files that make_checkpoints.py wrote, and what it expects of them (cases.json).
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace tyto {

inline std::filesystem::path checkpoint_folder() { return TYTO_TEST_CHECKPOINTS; }

// `kind` is "good" or "broken".
inline nlohmann::json checkpoint_cases(const char* kind) {
  std::ifstream file(checkpoint_folder() / "cases.json");
  if (!file) throw std::runtime_error("run make_checkpoints.py first (ctest does)");
  return nlohmann::json::parse(file).at(kind);
}

// A message is one line of printable text.
inline void expect_one_sentence(const std::string& message) {
  EXPECT_FALSE(message.empty());
  for (unsigned char c : message) EXPECT_GE(c, ' ') << message;
}

}  // namespace tyto
