// What is not judged because it refers to something that is not there.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

namespace tyto::apps {

// "'a.jpg', 'b.jpg', 'c.jpg' and 4 more"
std::string some_of(const std::vector<std::string>& names);

class LeftOut {
 public:
  void add(const std::string& missing);  // one thing, which refers to `missing`
  bool empty() const { return count_ == 0; }
  const std::vector<std::string>& missing() const { return missing_; }  // each once

  // "12 `what` were left out: 'bird', 'tree'"
  std::string sentence(const std::string& what) const;

 private:
  int64_t count_ = 0;
  std::vector<std::string> missing_;
  std::unordered_set<std::string> seen_;
};

}  // namespace tyto::apps
