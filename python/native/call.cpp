#include "python/native/call.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>

#include "tyto/error.h"

namespace tyto::python {
namespace {

int32_t code_of(ErrorKind kind) { return static_cast<int32_t>(kind) + 1; }

int32_t say_error(tyto_python_text* text, ErrorKind kind, const std::string& sentence) noexcept {
  try {
    say(text, sentence);
  } catch (...) {  // no memory for the sentence; the kind tells
  }
  return code_of(kind);
}

}  // namespace

void say(tyto_python_text* text, const std::string& said) {
  text->bytes = static_cast<char*>(std::malloc(said.size() + 1));
  if (!text->bytes) throw std::bad_alloc();
  std::memcpy(text->bytes, said.c_str(), said.size() + 1);
  text->size = said.size();
}

int32_t failed(tyto_python_text* text) noexcept {
  try {
    throw;
  } catch (const Interrupted&) {
    return kInterrupted;
  } catch (const Error& error) {
    return say_error(text, error.kind(), error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return say_error(text, ErrorKind::File, error.path1().string() + ": " + error.code().message());
  } catch (const std::bad_alloc&) {
    return say_error(text, ErrorKind::Memory, "out of memory; use a smaller batch or memory_limit");
  } catch (const std::exception& error) {
    return say_error(text, ErrorKind::Device, std::string("unexpected: ") + error.what());
  } catch (...) {
    return say_error(text, ErrorKind::Device, "unexpected: no exception of C++'s library");
  }
}

}  // namespace tyto::python

extern "C" void tyto_python_free(tyto_python_text* text) noexcept {
  std::free(text->bytes);
  *text = {};
}
