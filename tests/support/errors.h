// What a call that must fail says.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tyto/error.h"

namespace tyto {

// The call throws an Error of this kind, whose one sentence has all of `words` in it.
template <class Call>
void expect_error(Call&& call, ErrorKind kind, const std::vector<std::string>& words) {
  try {
    call();
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_EQ(e.kind(), kind) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    for (const std::string& word : words)
      EXPECT_NE(what.find(word), std::string::npos) << "'" << word << "' is not in: " << what;
    return;
  }
  ADD_FAILURE() << "nothing was thrown";
}

// Whether the call returns; an Error, which is all that it may throw, must be one sentence.
template <class Call>
bool succeeds_or_explains(Call&& call) {
  try {
    call();
    return true;
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_FALSE(what.empty());
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    return false;
  }
}

}  // namespace tyto
