// The classes and functions that a checkpoint's pickles name, and which of them no checkpoint has a use for.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tyto {

struct GlobalUse {
  std::string name;        // "module.name", printable
  bool called = false;     // loading it in Python would have called it
  bool dangerous = false;  // it reaches code, files, processes or the network
};

// True for os.system, builtins.eval and their like, also where reached through another module
// ("torch.serialization.os.system").
bool is_dangerous_global(std::string_view module, std::string_view name);

bool is_getattr(std::string_view full_name);  // of Python 2 or 3

class GlobalLog {
 public:
  // Returns "module.name", which lives as long as the log. getattr is taken for a spelling of a dotted name
  // until it is called otherwise or passed on.
  std::string_view named(const std::string& module, const std::string& name);
  // The same of an attribute of a global that was named: judged as the dotted name.
  std::string_view member(std::string_view full_name, const std::string& attribute);
  void called(std::string_view full_name);
  void passed_on(std::string_view full_name);  // as a value, to be called by others

  size_t size() const { return entries_.size(); }  // different ones
  std::vector<GlobalUse> uses() const;             // sorted by name
  std::string first_dangerous() const;             // "" where there is none; one that is called before others

 private:
  struct Entry {
    std::string module, name;
    GlobalUse use;
  };
  std::map<std::string, Entry, std::less<>> entries_;  // by full name as the pickle spells it
};

// `text` in one printable line: other bytes as \x0a, shortened where absurdly long.
std::string printable(std::string_view text);

}  // namespace tyto
