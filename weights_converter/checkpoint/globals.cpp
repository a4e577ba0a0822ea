#include "weights_converter/checkpoint/globals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace tyto {
namespace {

// Top-level modules whose every member is out of place in a checkpoint. Names of Python 2 stand beside Python
// 3's.
constexpr auto kDangerousModules = std::to_array<std::string_view>(
    {"_aix_support", "_ctypes",    "_osx_support", "_pickle",     "_posixsubprocess",
     "_pyrepl",      "_socket",    "_winapi",      "aiohttp",     "asyncio",
     "bdb",          "cPickle",    "cProfile",     "cloudpickle", "codeop",
     "compileall",   "ctypes",     "dill",         "distutils",   "ensurepip",
     "ftplib",       "httplib",    "idlelib",      "imp",         "importlib",
     "joblib",       "lib2to3",    "marshal",      "mmap",        "multiprocessing",
     "nt",           "ntpath",     "os",           "pdb",         "pickle",
     "pip",          "pkgutil",    "popen2",       "poplib",      "posix",
     "posixpath",    "pty",        "py_compile",   "pydoc",       "requests",
     "runpy",        "setuptools", "shutil",       "smtplib",     "socket",
     "socketserver", "sqlite3",    "ssl",          "subprocess",  "sys",
     "tempfile",     "timeit",     "urllib",       "urllib2",     "venv",
     "webbrowser",   "xmlrpc",     "zipimport"});

// Members of modules that otherwise are harmless.
constexpr auto kDangerousMembers =
    std::to_array<std::pair<std::string_view, std::string_view>>({{"builtins", "__build_class__"},
                                                                  {"builtins", "__import__"},
                                                                  {"builtins", "apply"},
                                                                  {"builtins", "breakpoint"},
                                                                  {"builtins", "compile"},
                                                                  {"builtins", "delattr"},
                                                                  {"builtins", "eval"},
                                                                  {"builtins", "exec"},
                                                                  {"builtins", "execfile"},
                                                                  {"builtins", "exit"},
                                                                  {"builtins", "file"},
                                                                  {"builtins", "getattr"},
                                                                  {"builtins", "globals"},
                                                                  {"builtins", "input"},
                                                                  {"builtins", "locals"},
                                                                  {"builtins", "open"},
                                                                  {"builtins", "quit"},
                                                                  {"builtins", "raw_input"},
                                                                  {"builtins", "reload"},
                                                                  {"builtins", "setattr"},
                                                                  {"builtins", "vars"},
                                                                  {"operator", "attrgetter"},
                                                                  {"operator", "methodcaller"},
                                                                  {"_operator", "attrgetter"},
                                                                  {"_operator", "methodcaller"},
                                                                  {"types", "CodeType"},
                                                                  {"types", "FunctionType"},
                                                                  {"io", "open"},
                                                                  {"io", "FileIO"},
                                                                  {"_io", "open"},
                                                                  {"_io", "FileIO"},
                                                                  {"code", "interact"},
                                                                  {"code", "InteractiveInterpreter"},
                                                                  {"code", "InteractiveConsole"},
                                                                  {"commands", "getoutput"},
                                                                  {"commands", "getstatusoutput"},
                                                                  {"platform", "popen"},
                                                                  {"profile", "run"},
                                                                  {"profile", "Profile"},
                                                                  {"trace", "Trace"},
                                                                  {"site", "main"},
                                                                  {"doctest", "debug_script"},
                                                                  {"uuid", "_get_command_stdout"},
                                                                  {"torch", "load"},
                                                                  {"torch.serialization", "load"},
                                                                  {"numpy", "load"},
                                                                  {"numpy", "fromfile"}});

// Packages of which every member below the named one is out of place.
constexpr auto kDangerousPackages = std::to_array<std::string_view>(
    {"http.client", "http.server", "logging.config", "numpy.distutils", "numpy.f2py", "numpy.testing",
     "torch.distributed.run", "torch.hub", "torch.jit.unsupported_tensor_ops", "torch.utils.bottleneck",
     "torch.utils.collect_env", "torch.utils.cpp_extension", "torch.utils.model_zoo"});

bool is_dangerous_module(std::string_view name) {
  return std::find(kDangerousModules.begin(), kDangerousModules.end(), name) != kDangerousModules.end();
}

bool is_dangerous_member(std::string_view owner, std::string_view name) {
  if (owner == "__builtin__") owner = "builtins";
  return std::any_of(kDangerousMembers.begin(), kDangerousMembers.end(),
                     [&](const auto& member) { return owner == member.first && name == member.second; });
}

bool is_in_package(std::string_view path, std::string_view package) {
  return path.starts_with(package) && (path.size() == package.size() || path[package.size()] == '.');
}

}  // namespace

bool is_dangerous_global(std::string_view module, std::string_view name) {
  if (is_dangerous_module(module.substr(0, module.find('.')))) return true;
  for (std::string_view package : kDangerousPackages)
    if (is_in_package(module, package)) return true;
  if (is_dangerous_member(module, name.substr(0, name.find('.')))) return true;
  // Since protocol 4 a name may be a path of attributes, which can lead to the modules that a module imports.
  if (name.find('.') == std::string_view::npos) return false;
  for (std::string_view rest = name, before; !rest.empty();) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view step = rest.substr(0, dot);
    if (is_dangerous_module(step) || is_dangerous_member(before, step) || step == "__builtins__" ||
        step == "__globals__" || step == "__subclasses__")
      return true;
    before = step;
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return false;
}

bool is_getattr(std::string_view full_name) {
  return full_name == "builtins.getattr" || full_name == "__builtin__.getattr";
}

std::string_view GlobalLog::named(const std::string& module, const std::string& name) {
  const std::string full = module + "." + name;
  const auto [entry, is_new] = entries_.try_emplace(full);
  if (is_new)
    entry->second = {
        module,
        name,
        {.name = printable(full), .dangerous = !is_getattr(full) && is_dangerous_global(module, name)}};
  return entry->first;
}

std::string_view GlobalLog::member(std::string_view full_name, const std::string& attribute) {
  const Entry& owner = entries_.find(full_name)->second;
  return named(owner.module, owner.name + "." + attribute);
}

void GlobalLog::called(std::string_view full_name) {
  const auto entry = entries_.find(full_name);
  if (entry == entries_.end()) return;
  GlobalUse& use = entry->second.use;
  use.called = true;
  use.dangerous |= is_getattr(full_name);
}

void GlobalLog::passed_on(std::string_view full_name) {
  if (const auto entry = entries_.find(full_name); entry != entries_.end())
    entry->second.use.dangerous |= is_getattr(full_name);
}

std::vector<GlobalUse> GlobalLog::uses() const {
  std::vector<GlobalUse> out;
  for (const auto& [name, entry] : entries_) out.push_back(entry.use);
  return out;
}

std::string GlobalLog::first_dangerous() const {
  std::string named_only;
  for (const auto& [name, entry] : entries_) {
    if (entry.use.dangerous && entry.use.called) return entry.use.name;
    if (entry.use.dangerous && named_only.empty()) named_only = entry.use.name;
  }
  return named_only;
}

std::string printable(std::string_view text) {
  constexpr size_t kLongest = 200;
  std::string out;
  for (char c : text.substr(0, kLongest))
    if (c >= ' ' && c <= '~')
      out.push_back(c);
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  if (text.size() > kLongest) out += "...";
  return out;
}

}  // namespace tyto
